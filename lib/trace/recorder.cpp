#include "spanwire/trace/recorder.hpp"

#include <algorithm>
#include <cstring>

#include "lib/trace/record_writer.hpp"
#include "lib/trace/recording.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::trace {
namespace detail {
namespace {

// ---- Straight into the ring: what nearly all whole spans are.

// Beyond this a span goes through the slab, whose records can grow.
constexpr std::size_t kDirectBytesMax = 4096;

// Measures a span; not fits where a limit, or a key that may repeat, wants a closer look.
class Measure {
 public:
  explicit Measure(const Core& core) noexcept : limits_(core.limits()) {}

  void text(std::string_view text) noexcept {
    if (!text.empty()) bytes_ += sizeof(Item) + padded(text.size());
  }
  void name(Key name) noexcept {
    bytes_ += key_bytes(name);
    fits_ &= name.size() <= kShortNameBytes;
  }
  void attributes(std::span<const Attribute> attributes) noexcept {
    for (const Attribute& attribute : attributes) {
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      fits_ &= (filter_ & bit) == 0;
      filter_ |= bit;
      value(attribute);
    }
    attributes_ += attributes.size();
  }
  void event(const WholeEvent& event) noexcept {
    bytes_ += key_bytes(event.name) + sizeof(EventHead);
    std::uint64_t filter = 0;
    for (const Attribute& attribute : event.attributes) {
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      fits_ &= (filter & bit) == 0;
      filter |= bit;
      value(attribute);
    }
    fits_ &= event.attributes.size() <= limits_.event_attributes_max;
  }
  void link(const Link& link) noexcept {
    bytes_ += key_bytes(Key()) + sizeof(LinkHead) + padded(link.tracestate.size());
    fits_ &= link.context.valid() && link.attributes.empty();
  }
  bool fits(const WholeSpan& span) const noexcept {
    return fits_ && bytes_ <= kDirectBytesMax && bytes_ <= limits_.bytes_max &&
           attributes_ <= limits_.attributes_max && span.events.size() <= limits_.events_max &&
           span.links.size() <= limits_.links_max &&
           span.status_message.size() <= limits_.value_chars_max;
  }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t key_bytes(Key key) noexcept {
    return sizeof(Item) + (key.is_literal() ? sizeof(const char*) : padded(key.size()));
  }
  void value(const Attribute& attribute) noexcept {
    const AttributeValue& value = attribute.value;
    std::size_t size = sizeof(std::int64_t);
    switch (value.type()) {
      case ValueType::string:
        size = padded(value.size());
        fits_ &= value.size() <= limits_.value_chars_max;
        break;
      case ValueType::boolean:
      case ValueType::int64:
      case ValueType::real:
        break;
      default:
        fits_ = false;
    }
    bytes_ += key_bytes(attribute.key) + size;
    fits_ &= !attribute.key.empty();
  }

  const SpanLimits& limits_;
  std::size_t bytes_ = 0;
  std::size_t attributes_ = 0;
  std::uint64_t filter_ = 0;
  bool fits_ = true;
};

// Writes what was measured; no check is left.
class DirectWriter {
 public:
  explicit DirectWriter(std::byte* items) noexcept : begin_(items), at_(items) {}

  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(at_ - begin_); }
  std::uint32_t text(ItemTag tag, std::string_view text) noexcept {
    if (text.empty()) return kNoItem;
    const std::uint32_t at = offset();
    copy_text(item(tag, ValueType::string, Key(), text.size()), text.data(), text.size());
    return at;
  }
  void name(Key name) noexcept { item(ItemTag::name, ValueType::string, name, 0); }
  void attributes(ItemTag tag, std::span<const Attribute> attributes) noexcept {
    for (const Attribute& attribute : attributes) {
      const AttributeValue& value = attribute.value;
      if (value.type() == ValueType::string) {
        copy_text(item(tag, ValueType::string, attribute.key, value.size()), value.text().data(),
                  value.size());
      } else if (value.type() == ValueType::boolean) {
        *item(tag, ValueType::boolean, attribute.key, 1) = value.boolean() ? 1 : 0;
      } else {
        const std::int64_t word = value.word();
        std::memcpy(item(tag, value.type(), attribute.key, sizeof word), &word, sizeof word);
      }
    }
  }
  void event(const WholeEvent& event) noexcept {
    const EventHead head{ns_of(event.at), 0, static_cast<std::uint32_t>(event.attributes.size())};
    std::memcpy(item(ItemTag::event, ValueType::string, event.name, sizeof head), &head,
                sizeof head);
    attributes(ItemTag::event_attribute, event.attributes);
  }
  void link(const Link& link) noexcept {
    const LinkHead head{link.context, 0, 0};
    char* to = item(ItemTag::link, ValueType::string, Key(), sizeof head + link.tracestate.size());
    std::memcpy(to, &head, sizeof head);
    copy_text(to + sizeof head, link.tracestate.data(), link.tracestate.size());
  }

 private:
  char* item(ItemTag tag, ValueType type, Key key, std::size_t value_bytes) noexcept {
    char* value = write_item(at_, tag, type, key, value_bytes);
    at_ += room_of(*reinterpret_cast<const Item*>(at_));
    return value;
  }

  std::byte* const begin_;
  std::byte* at_;
};

void write_direct(std::byte* to, std::size_t bytes, const WholeSpan& span, const Scope& scope,
                  std::int64_t end_ns) noexcept {
  DirectWriter writer(to + sizeof(RecordHeader));
  writer.name(span.name);
  RecordHeader header{};
  header.entry_bytes = static_cast<std::uint32_t>(bytes);
  header.entry_type = EntryType::record;
  header.kind = static_cast<std::uint8_t>(span.kind);
  header.status = static_cast<std::uint8_t>(span.status);
  header.flags = span.context.flags();
  header.trace_id = span.context.trace_id();
  header.span_id = span.context.span_id();
  header.parent_span_id = span.parent;
  header.start_ns = ns_of(span.start);
  header.end_ns = end_ns;
  header.scope = &scope;
  header.items_bytes = static_cast<std::uint32_t>(bytes - sizeof(RecordHeader));
  header.tracestate_at = writer.text(ItemTag::tracestate, span.tracestate);
  header.status_at = writer.text(ItemTag::status_message, span.status_message);
  for (const auto& list : span.attributes) {
    header.attributes = static_cast<std::uint16_t>(header.attributes + list.size());
  }
  header.events = static_cast<std::uint16_t>(span.events.size());
  header.links = static_cast<std::uint16_t>(span.links.size());
  header.parent_remote = span.parent_remote ? 1 : 0;
  std::memcpy(to, &header, sizeof header);
  for (const auto& list : span.attributes) writer.attributes(ItemTag::attribute, list);
  for (const WholeEvent& event : span.events) writer.event(event);
  for (const Link& link : span.links) writer.link(link);
}

// False, and nothing done, for a span that needs a closer look.
bool try_direct(Core& core, ThreadState& state, const WholeSpan& span, const Scope& scope,
                std::int64_t end_ns) noexcept {
  Measure measure(core);
  measure.name(span.name);
  measure.text(span.tracestate);
  measure.text(span.status_message);
  for (const auto& list : span.attributes) measure.attributes(list);
  for (const WholeEvent& event : span.events) measure.event(event);
  for (const Link& link : span.links) measure.link(link);
  if (!measure.fits(span)) return false;
  const std::size_t bytes = sizeof(RecordHeader) + measure.bytes();
  if (std::byte* to = reserve_entry(core, state, bytes)) {
    write_direct(to, bytes, span, scope, end_ns);
    publish_entry(core, state, bytes);
  }
  return true;
}

// ---- The long way, through a record of the slab.

void write_slowly(Core& core, ThreadState& state, const WholeSpan& span, const Scope& scope,
                  std::int64_t end_ns) noexcept {
  OpenRecord* record = take_record(core, state);
  if (record == nullptr) return;
  begin_record(*record, core, span.name);
  set_tracestate(*record, span.tracestate);
  RecordHeader& header = record->header;
  header.kind = static_cast<std::uint8_t>(span.kind);
  header.flags = span.context.flags();
  header.trace_id = span.context.trace_id();
  header.span_id = span.context.span_id();
  header.parent_span_id = span.parent;
  header.parent_remote = span.parent_remote ? 1 : 0;
  header.scope = &scope;
  header.start_ns = ns_of(span.start);
  for (const auto& list : span.attributes) set_attributes(*record, list);
  for (const WholeEvent& event : span.events) {
    add_event(*record, event.name, event.attributes, ns_of(event.at));
  }
  for (const Link& link : span.links) add_link(*record, link);
  set_status(*record, span.status, span.status_message);
  end(*record, end_ns);
}

}  // namespace
}  // namespace detail

MonotonicTime Recorder::now() const noexcept {
  return MonotonicTime(std::chrono::nanoseconds(core_->monotonic_ns()));
}

void Recorder::open_decided() const noexcept {
  detail::ThreadState* state = detail::state_in(*core_);
  core_->processor().ensure_started();
  if (state == nullptr) return core_->open_elsewhere();
  state->recorded.add();
  release_if_ending(state);
}

SpanId Recorder::open() const noexcept {
  open_decided();
  const detail::ThreadState* state = detail::state_of_thread;
  return SpanId::generate(state != nullptr && state->core == core_ ? detail::state_of_thread->random
                                                                   : Random::of_thread());
}

void Recorder::write(const WholeSpan& span) const noexcept {
  detail::Core& core = *core_;
  if (detail::active_core.load(std::memory_order_acquire) != &core) {
    if (core.of_this_process()) core.lose_ended(LossReason::shut_down);
    return;
  }
  detail::ThreadState* state = detail::state_in(core);
  if (state == nullptr) return core.lose_ended(LossReason::too_many_threads);
  const std::int64_t end_ns = std::max(detail::ns_of(span.end), detail::ns_of(span.start));
  if (!detail::try_direct(core, *state, span, *scope_, end_ns)) {
    detail::write_slowly(core, *state, span, *scope_, end_ns);
  }
  detail::release_if_ending(state);
}

Decided decide(const Tracer& tracer, const Context& parent, Key name, SpanKind kind,
               std::span<const Attribute> attributes) noexcept {
  Decided decided;
  detail::Core* core = detail::active_core.load(std::memory_order_acquire);
  if (core == nullptr) {
    decided.context = parent.span();
    decided.tracestate = parent.tracestate();
    return decided;
  }
  SpanOptions options;
  options.attributes = attributes;
  const detail::Start start{parent, name, kind, &options, tracer.scope()};
  detail::Choice choice;
  detail::ThreadState* state = detail::state_in(*core);
  detail::choose(*core, state != nullptr ? state->random : Random::of_thread(), start, choice);
  if (!choice.recorded && state != nullptr) state->unrecorded.add();
  detail::release_if_ending(state);
  decided.context = choice.context();
  decided.tracestate = choice.tracestate(*core, parent);
  decided.attributes = choice.sampling.attributes;
  if (choice.recorded) decided.recorder = Recorder(*core, tracer.scope());
  return decided;
}

}  // namespace spanwire::trace
