// Perfetto's native format: one sequence of packets, integer nanoseconds of the wall clock, names
// interned.  Field numbers are those of perfetto/trace/trace_packet.proto.
#include <simdjson.h>

#include "lib/inspect/timeline/perfetto_annotations.hpp"
#include "lib/inspect/timeline/writer.hpp"

namespace spanwire::inspect {
namespace {

using otlp::ProtobufCursor;
using otlp::ProtobufMessage;
using otlp::ProtobufWriter;

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

enum class EventType : std::int32_t { begin = 1, end = 2, instant = 3, counter = 4 };

constexpr std::uint32_t kSequence = 1;
constexpr std::uint32_t kStateCleared = 1;
constexpr std::uint32_t kNeedsState = 2;
constexpr std::uint32_t kRealtime = 1;
constexpr std::uint32_t kBoottime = 6;
constexpr std::uint32_t kUnitCount = 2;

class PerfettoWriter final : public TimelineWriter {
 public:
  void span_body(const Span& span, const SpanNotes& notes, std::string& out) override {
    buffer_.resize(0);
    add_name(span.name);
    add_category(name(span.kind));
    if (span.status == SpanStatus::error) add_category("error");
    ProtobufCursor(buffer_, ProtobufCursor::kFieldMax)
        .number(event::kCorrelationId, span.trace.low_64());
    annotations_.text("otel.trace_id", span.trace.hex());
    annotations_.text("otel.span_id", span.id.hex());
    if (!span.parent.is_zero()) annotations_.text("otel.parent_span_id", span.parent.hex());
    if (!notes.service.empty()) annotations_.text("service.name", notes.service);
    if (!notes.scope.empty()) annotations_.text("otel.scope", notes.scope);
    if (!span.status_message.empty()) {
      annotations_.text("otel.status_message", span.status_message);
    }
    if (span.backwards) annotations_.flag("otel.end_before_start");
    for (const Attribute& item : span.attributes) annotations_.value(item.key, item.value);
    if (!span.links.empty()) annotations_.links(span.links);
    append_buffer(out);
  }

  void event_body(const SpanEvent& item, bool moved, std::string& out) override {
    buffer_.resize(0);
    add_name(item.name);
    if (moved) annotations_.number("otel.event_time_unix_nano", item.time_ns);
    for (const Attribute& attribute : item.attributes) {
      annotations_.value(attribute.key, attribute.value);
    }
    append_buffer(out);
  }

  void profile_body(std::string_view name, std::string_view category, std::string_view arguments,
                    std::string& out) override {
    buffer_.resize(0);
    add_name(name);
    if (!category.empty()) add_category(category);
    simdjson::dom::object object;
    if (!arguments.empty() && parser_.parse(arguments.data(), arguments.size()).get(object) == 0) {
      for (const auto member : object) annotations_.json(member.key, member.value);
    }
    append_buffer(out);
  }

  void start(std::int64_t first_ns, std::string& out) override {
    append_packet(out, [&](ProtobufWriter& packet) {
      ProtobufWriter snapshot(packet, packet::kClockSnapshot);
      // Wall time throughout; the importer's own clock is said to be the same.
      for (const std::uint32_t clock : {kRealtime, kBoottime}) {
        ProtobufWriter entry(snapshot, 1);
        entry.add_uint32(1, clock);
        entry.add_uint64(2, static_cast<std::uint64_t>(first_ns));
      }
      snapshot.add_uint32(2, kRealtime);
    });
    append_packet(out, [&](ProtobufWriter& packet) {
      packet.add_uint32(packet::kSequenceId, kSequence);
      packet.add_uint32(packet::kSequenceFlags, kStateCleared);
      {
        ProtobufWriter defaults(packet, packet::kDefaults);
        defaults.add_uint32(58, kRealtime);
      }
      ProtobufWriter data(packet, packet::kInternedData);
      categories_.write(data, 1);
      names_.write(data, 2);
      annotations_.write_names(data, 3);
    });
  }

  void track(const Track& track, std::string& out) override {
    append_packet(out, [&](ProtobufWriter& packet) { write_track(track, packet); });
  }

  void begin(const Track& track, const SliceHead& slice, std::string_view body,
             std::span<const Flow> flows, std::string& out) override {
    append_event(
        EventType::begin, track, slice.start_ns, out,
        [&] {
          ProtobufCursor fields(buffer_, flows.size() * ProtobufCursor::kFieldMax);
          for (const Flow& flow : flows) {
            fields.fixed64(flow.starts ? event::kFlowId : event::kTerminatingFlowId, flow.id);
          }
        },
        body);
  }

  void end(const Track& track, std::int64_t time_ns, std::string& out) override {
    append_event(EventType::end, track, time_ns, out, [] {});
  }

  void instant(const Track& track, std::int64_t time_ns, std::string_view body,
               std::string& out) override {
    append_event(EventType::instant, track, time_ns, out, [] {}, body);
  }

  void counter(const Track& track, std::int64_t time_ns, std::int64_t value,
               std::string& out) override {
    append_event(EventType::counter, track, time_ns, out, [&] {
      ProtobufCursor(buffer_, ProtobufCursor::kFieldMax)
          .number(event::kCounterValue, static_cast<std::uint64_t>(value));
    });
  }

  void finish(std::string&) override {}

 private:
  void append_buffer(std::string& out) { out.append(buffer_.at_pos(0), buffer_.size()); }

  template <typename Write>
  void append_packet(std::string& out, const Write& write) {
    buffer_.resize(0);
    {
      ProtobufWriter trace(buffer_);
      ProtobufWriter packet(trace, packet::kInTrace);
      write(packet);
    }
    append_buffer(out);
  }

  // `write` writes fields of its own; `body`: more of them, as span_body() and the like have made
  // them.
  template <typename Write>
  void append_event(EventType type, const Track& track, std::int64_t time_ns, std::string& out,
                    const Write& write, std::string_view body = {}) {
    buffer_.resize(0);
    {
      const ProtobufMessage packet(buffer_, packet::kInTrace, packet_length_);
      {
        ProtobufCursor fields(buffer_, 3 * ProtobufCursor::kFieldMax);
        fields.number(packet::kTimestamp, static_cast<std::uint64_t>(time_ns));
        fields.number(packet::kSequenceId, kSequence);
        fields.number(packet::kSequenceFlags, kNeedsState);
      }
      const ProtobufMessage event(buffer_, packet::kTrackEvent, event_length_);
      {
        ProtobufCursor fields(buffer_, 2 * ProtobufCursor::kFieldMax);
        fields.number(event::kType, static_cast<std::uint64_t>(type));
        fields.number(event::kTrackUuid, track.uuid);
      }
      write();
      if (!body.empty()) buffer_.append(body.data(), body.size());
    }
    append_buffer(out);
  }

  static void write_track(const Track& track, ProtobufWriter& packet) {
    packet.add_uint32(packet::kSequenceId, kSequence);
    ProtobufWriter descriptor(packet, packet::kTrackDescriptor);
    descriptor.add_uint64(1, track.uuid);
    descriptor.add_string(2, track.name);
    if (track.kind == TrackKind::process) {
      ProtobufWriter process(descriptor, 3);
      process.add_int32(1, static_cast<std::int32_t>(track.pid));
      process.add_string(6, track.name);
    }
    if (track.kind == TrackKind::thread) {
      ProtobufWriter thread(descriptor, 4);
      thread.add_int32(1, static_cast<std::int32_t>(track.pid));
      thread.add_int32(2, static_cast<std::int32_t>(track.tid));
      thread.add_string(5, track.name);
    }
    if (track.parent != 0) descriptor.add_uint64(5, track.parent);
    if (track.kind == TrackKind::counter) {
      ProtobufWriter counter(descriptor, 8);
      counter.add_uint32(3, kUnitCount);
    }
    if (track.kind == TrackKind::process || track.kind == TrackKind::request) {
      descriptor.add_uint32(11, 3);  // children in the order of their ranks
    }
    descriptor.add_int32(12, static_cast<std::int32_t>(track.rank));
    if (track.kind == TrackKind::lane) descriptor.add_uint32(15, 2);  // lanes stay apart
  }

  // Interned, or itself.
  void add_interned(InternTable& table, unsigned iid_field, unsigned text_field,
                    std::string_view text) {
    const std::uint64_t iid = table.iid(text);
    ProtobufCursor out(buffer_, ProtobufCursor::kFieldMax + text.size());
    if (iid != 0) {
      out.number(iid_field, iid);
    } else {
      out.text(text_field, text);
    }
  }

  void add_name(std::string_view text) {
    add_interned(names_, event::kNameIid, event::kName, text.empty() ? "(no name)" : text);
  }

  void add_category(std::string_view text) {
    add_interned(categories_, event::kCategoryIid, event::kCategory, text);
  }

  InternTable names_;
  InternTable categories_;
  simdjson::dom::parser parser_;
  Buffer room_;
  otlp::ProtobufBuffer buffer_{room_};
  PerfettoAnnotations annotations_{buffer_};
  // How many bytes the lengths of the last ones took.
  std::size_t packet_length_ = 2;
  std::size_t event_length_ = 2;
};

}  // namespace

std::unique_ptr<TimelineWriter> make_perfetto_writer() {
  return std::make_unique<PerfettoWriter>();
}

}  // namespace spanwire::inspect
