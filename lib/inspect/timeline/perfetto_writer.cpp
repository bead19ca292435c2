// Perfetto's native format: one sequence of packets, integer nanoseconds of the wall clock, names
// interned.  Field numbers are those of perfetto/trace/trace_packet.proto.
#include <simdjson.h>

#include <protozero/pbf_writer.hpp>
#include <unordered_map>
#include <vector>

#include "lib/inspect/timeline/writer.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {
namespace {

using protozero::pbf_writer;

namespace packet {
constexpr unsigned kInTrace = 1;
constexpr unsigned kClockSnapshot = 6;
constexpr unsigned kTimestamp = 8;
constexpr unsigned kSequenceId = 10;
constexpr unsigned kTrackEvent = 11;
constexpr unsigned kInternedData = 12;
constexpr unsigned kSequenceFlags = 13;
constexpr unsigned kDefaults = 59;
constexpr unsigned kTrackDescriptor = 60;
}  // namespace packet

namespace event {
constexpr unsigned kCategoryIid = 3;
constexpr unsigned kAnnotation = 4;
constexpr unsigned kType = 9;
constexpr unsigned kNameIid = 10;
constexpr unsigned kTrackUuid = 11;
constexpr unsigned kCategory = 22;
constexpr unsigned kName = 23;
constexpr unsigned kCounterValue = 30;
constexpr unsigned kFlowId = 47;
constexpr unsigned kTerminatingFlowId = 48;
constexpr unsigned kCorrelationId = 52;
}  // namespace event

namespace annotation {
constexpr unsigned kNameIid = 1;
constexpr unsigned kBool = 2;
constexpr unsigned kInt = 4;
constexpr unsigned kDouble = 5;
constexpr unsigned kString = 6;
constexpr unsigned kName = 10;
constexpr unsigned kDictEntry = 11;
constexpr unsigned kArrayValue = 12;
}  // namespace annotation

enum class EventType : std::int32_t { begin = 1, end = 2, instant = 3, counter = 4 };

constexpr std::uint32_t kSequence = 1;
constexpr std::uint32_t kStateCleared = 1;
constexpr std::uint32_t kNeedsState = 2;
constexpr std::uint32_t kRealtime = 1;
constexpr std::uint32_t kBoottime = 6;
constexpr std::uint32_t kUnitCount = 2;

// Texts that are written once.  Bounded: what comes later is written where it is used.
class InternTable {
 public:
  // 0 when there is no room, or no gain.
  std::uint64_t iid(std::string_view text) {
    if (const auto known = index_.find(text); known != index_.end()) return known->second;
    if (index_.size() >= kEntriesMax || text.size() > kTextMax) return 0;
    const std::uint64_t iid = index_.size() + 1;
    in_order_.push_back(&index_.emplace(std::string(text), iid).first->first);
    return iid;
  }
  // As entries of InternedData.
  void write(pbf_writer& data, unsigned field) const {
    for (std::size_t i = 0; i < in_order_.size(); ++i) {
      pbf_writer entry(data, field);
      entry.add_uint64(1, i + 1);
      entry.add_string(2, *in_order_[i]);
    }
  }

 private:
  static constexpr std::size_t kEntriesMax = 16'384;
  static constexpr std::size_t kTextMax = 256;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> index_;
  std::vector<const std::string*> in_order_;
};

class PerfettoWriter final : public TimelineWriter {
 public:
  void span_body(const Span& span, const SpanNotes& notes, std::string& out) override {
    pbf_writer body(out);
    add_name(body, span.name);
    add_category(body, name(span.kind));
    if (span.status == SpanStatus::error) add_category(body, "error");
    body.add_uint64(event::kCorrelationId, span.trace.low_64());
    add_text(body, "otel.trace_id", span.trace.hex());
    add_text(body, "otel.span_id", span.id.hex());
    if (!span.parent.is_zero()) add_text(body, "otel.parent_span_id", span.parent.hex());
    if (!notes.service.empty()) add_text(body, "service.name", notes.service);
    if (!notes.scope.empty()) add_text(body, "otel.scope", notes.scope);
    if (!span.status_message.empty()) add_text(body, "otel.status_message", span.status_message);
    if (span.backwards) add_flag(body, "otel.end_before_start");
    for (const Attribute& item : span.attributes) {
      add_value(body, event::kAnnotation, &item.key, item.value);
    }
    if (!span.links.empty()) add_links(body, span.links);
  }

  void event_body(const SpanEvent& item, bool moved, std::string& out) override {
    pbf_writer body(out);
    add_name(body, item.name);
    if (moved) {
      add_value(body, event::kAnnotation, &kEventTime, Value{item.time_ns});
    }
    for (const Attribute& attribute : item.attributes) {
      add_value(body, event::kAnnotation, &attribute.key, attribute.value);
    }
  }

  void profile_body(std::string_view name, std::string_view category, std::string_view arguments,
                    std::string& out) override {
    pbf_writer body(out);
    add_name(body, name);
    if (!category.empty()) add_category(body, category);
    simdjson::dom::object object;
    if (arguments.empty() || parser_.parse(arguments.data(), arguments.size()).get(object) != 0) {
      return;
    }
    for (const simdjson::dom::key_value_pair member : object) {
      add_json(body, event::kAnnotation, &member.key, member.value);
    }
  }

  void start(std::int64_t first_ns, std::string& out) override {
    {
      pbf_writer trace(out);
      pbf_writer packet(trace, packet::kInTrace);
      pbf_writer snapshot(packet, packet::kClockSnapshot);
      // Wall time throughout; the importer's own clock is said to be the same.
      for (const std::uint32_t clock : {kRealtime, kBoottime}) {
        pbf_writer entry(snapshot, 1);
        entry.add_uint32(1, clock);
        entry.add_uint64(2, static_cast<std::uint64_t>(first_ns));
      }
      snapshot.add_uint32(2, kRealtime);
    }
    pbf_writer trace(out);
    pbf_writer packet(trace, packet::kInTrace);
    packet.add_uint32(packet::kSequenceId, kSequence);
    packet.add_uint32(packet::kSequenceFlags, kStateCleared);
    {
      pbf_writer defaults(packet, packet::kDefaults);
      defaults.add_uint32(58, kRealtime);
    }
    pbf_writer data(packet, packet::kInternedData);
    categories_.write(data, 1);
    names_.write(data, 2);
    annotation_names_.write(data, 3);
  }

  void track(const Track& track, std::string& out) override {
    pbf_writer trace(out);
    pbf_writer packet(trace, packet::kInTrace);
    packet.add_uint32(packet::kSequenceId, kSequence);
    pbf_writer descriptor(packet, packet::kTrackDescriptor);
    descriptor.add_uint64(1, track.uuid);
    descriptor.add_string(2, track.name);
    if (track.kind == TrackKind::process) {
      pbf_writer process(descriptor, 3);
      process.add_int32(1, static_cast<std::int32_t>(track.pid));
      process.add_string(6, track.name);
    }
    if (track.kind == TrackKind::thread) {
      pbf_writer thread(descriptor, 4);
      thread.add_int32(1, static_cast<std::int32_t>(track.pid));
      thread.add_int32(2, static_cast<std::int32_t>(track.tid));
      thread.add_string(5, track.name);
    }
    if (track.parent != 0) descriptor.add_uint64(5, track.parent);
    if (track.kind == TrackKind::counter) {
      pbf_writer counter(descriptor, 8);
      counter.add_uint32(3, kUnitCount);
    }
    if (track.kind == TrackKind::process || track.kind == TrackKind::request) {
      descriptor.add_uint32(11, 3);  // children in the order of their ranks
    }
    descriptor.add_int32(12, static_cast<std::int32_t>(track.rank));
    if (track.kind == TrackKind::lane) descriptor.add_uint32(15, 2);  // lanes stay apart
  }

  void begin(const Track& track, const SliceHead& slice, std::string_view body,
             std::span<const Flow> flows, std::string& out) override {
    start_event(EventType::begin, track);
    pbf_writer writer(scratch_);
    for (const Flow& flow : flows) {
      writer.add_fixed64(flow.starts ? event::kFlowId : event::kTerminatingFlowId, flow.id);
    }
    scratch_.append(body);
    finish_event(slice.start_ns, out);
  }

  void end(const Track& track, std::int64_t time_ns, std::string& out) override {
    start_event(EventType::end, track);
    finish_event(time_ns, out);
  }

  void instant(const Track& track, std::int64_t time_ns, std::string_view body,
               std::string& out) override {
    start_event(EventType::instant, track);
    scratch_.append(body);
    finish_event(time_ns, out);
  }

  void counter(const Track& track, std::int64_t time_ns, std::int64_t value,
               std::string& out) override {
    start_event(EventType::counter, track);
    pbf_writer(scratch_).add_int64(event::kCounterValue, value);
    finish_event(time_ns, out);
  }

  void finish(std::string&) override {}

 private:
  inline static const std::string kEventTime = "otel.event_time_unix_nano";

  void start_event(EventType type, const Track& track) {
    scratch_.clear();
    pbf_writer writer(scratch_);
    writer.add_enum(event::kType, static_cast<std::int32_t>(type));
    writer.add_uint64(event::kTrackUuid, track.uuid);
  }

  void finish_event(std::int64_t time_ns, std::string& out) const {
    pbf_writer trace(out);
    pbf_writer packet(trace, packet::kInTrace);
    packet.add_uint64(packet::kTimestamp, static_cast<std::uint64_t>(time_ns));
    packet.add_uint32(packet::kSequenceId, kSequence);
    packet.add_uint32(packet::kSequenceFlags, kNeedsState);
    packet.add_message(packet::kTrackEvent, scratch_);
  }

  void add_name(pbf_writer& body, std::string_view text) {
    if (text.empty()) text = "(no name)";
    const std::uint64_t iid = names_.iid(text);
    if (iid != 0) {
      body.add_uint64(event::kNameIid, iid);
    } else {
      body.add_string(event::kName, text.data(), text.size());
    }
  }

  void add_category(pbf_writer& body, std::string_view text) {
    const std::uint64_t iid = categories_.iid(text);
    if (iid != 0) {
      body.add_uint64(event::kCategoryIid, iid);
    } else {
      body.add_string(event::kCategory, text.data(), text.size());
    }
  }

  void add_key(pbf_writer& item, std::string_view key) {
    const std::uint64_t iid = annotation_names_.iid(key);
    if (iid != 0) {
      item.add_uint64(annotation::kNameIid, iid);
    } else {
      item.add_string(annotation::kName, key.data(), key.size());
    }
  }

  void add_text(pbf_writer& body, std::string_view key, std::string_view text) {
    pbf_writer item(body, event::kAnnotation);
    add_key(item, key);
    item.add_string(annotation::kString, text.data(), text.size());
  }

  void add_flag(pbf_writer& body, std::string_view key) {
    pbf_writer item(body, event::kAnnotation);
    add_key(item, key);
    item.add_bool(annotation::kBool, true);
  }

  // Depth is bounded by the reader (kValueDepthMax).  Items of an array have no key.
  void add_value(pbf_writer& parent, unsigned field, const std::string* key, const Value& value) {
    pbf_writer item(parent, field);
    if (key != nullptr) add_key(item, *key);
    if (const auto* text = std::get_if<std::string>(&value.data)) {
      item.add_string(annotation::kString, *text);
    } else if (const auto* flag = std::get_if<bool>(&value.data)) {
      item.add_bool(annotation::kBool, *flag);
    } else if (const auto* number = std::get_if<std::int64_t>(&value.data)) {
      item.add_int64(annotation::kInt, *number);
    } else if (const auto* real = std::get_if<double>(&value.data)) {
      item.add_double(annotation::kDouble, *real);
    } else if (const auto* array = std::get_if<Value::Array>(&value.data)) {
      for (const Value& entry : *array) add_value(item, annotation::kArrayValue, nullptr, entry);
    } else if (const auto* map = std::get_if<Value::Map>(&value.data)) {
      for (const Attribute& entry : *map) {
        add_value(item, annotation::kDictEntry, &entry.key, entry.value);
      }
    } else {
      item.add_string(annotation::kString, value.text());
    }
  }

  void add_links(pbf_writer& body, const std::vector<SpanLink>& links) {
    static const std::string kCount = "otel.links";
    add_value(body, event::kAnnotation, &kCount, Value{static_cast<std::int64_t>(links.size())});
    pbf_writer list(body, event::kAnnotation);
    add_key(list, "otel.linked");
    for (std::size_t i = 0; i < links.size() && i < kLinksShownMax; ++i) {
      pbf_writer item(list, annotation::kArrayValue);
      item.add_string(annotation::kString,
                      links[i].trace.hex().str() + ':' + links[i].span.hex().str());
    }
  }

  // Items of an array have no key.  What is nested too deep is written as text.
  void add_json(pbf_writer& parent, unsigned field, const std::string_view* key,
                simdjson::dom::element json, std::size_t depth = 0) {
    pbf_writer item(parent, field);
    if (key != nullptr) add_key(item, *key);
    std::string_view text;
    bool flag = false;
    std::int64_t number = 0;
    double real = 0;
    simdjson::dom::array array;
    simdjson::dom::object object;
    if (json.get(text) == 0) {
      item.add_string(annotation::kString, text.data(), text.size());
    } else if (json.get(flag) == 0) {
      item.add_bool(annotation::kBool, flag);
    } else if (json.is_int64() && json.get(number) == 0) {
      item.add_int64(annotation::kInt, number);
    } else if (json.get(real) == 0) {
      item.add_double(annotation::kDouble, real);
    } else if (depth < kValueDepthMax && json.get(array) == 0) {
      for (const simdjson::dom::element entry : array) {
        add_json(item, annotation::kArrayValue, nullptr, entry, depth + 1);
      }
    } else if (depth < kValueDepthMax && json.get(object) == 0) {
      for (const simdjson::dom::key_value_pair entry : object) {
        add_json(item, annotation::kDictEntry, &entry.key, entry.value, depth + 1);
      }
    } else {
      item.add_string(annotation::kString, simdjson::minify(json));
    }
  }

  InternTable names_;
  InternTable categories_;
  InternTable annotation_names_;
  simdjson::dom::parser parser_;
  std::string scratch_;
};

}  // namespace

std::unique_ptr<TimelineWriter> make_perfetto_writer() {
  return std::make_unique<PerfettoWriter>();
}

}  // namespace spanwire::inspect
