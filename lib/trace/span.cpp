#include "spanwire/trace/span.hpp"

#include <cstring>

#include "lib/trace/core.hpp"
#include "lib/trace/record_writer.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace {
namespace detail {
namespace {

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

std::int64_t given_or_now(MonotonicTime at, const Core& core) noexcept {
  return ns_of(at == MonotonicTime{} ? core.clock().monotonic() : at);
}

std::size_t entry_bytes(const OpenRecord& record) noexcept {
  return sizeof(RecordHeader) +
         (record.items == record.inline_items ? record.header.items_bytes : sizeof(ExternalItems));
}

void write_entry(std::byte* to, OpenRecord& record, std::size_t bytes) noexcept {
  const bool external = record.items != record.inline_items;
  record.header.entry_bytes = static_cast<std::uint32_t>(bytes);
  record.header.entry_type = external ? EntryType::external : EntryType::record;
  if (!external) {
    std::memcpy(to, &record.header, sizeof record.header);
    std::memcpy(to + sizeof record.header, record.inline_items, record.header.items_bytes);
    return;
  }
  const ExternalItems items{record.items, record.capacity};
  std::memcpy(to, &record.header, sizeof record.header);
  std::memcpy(to + sizeof record.header, &items, sizeof items);
}

void count_lost(ThreadState& state, LossReason reason) noexcept {
  state.lost[static_cast<std::size_t>(reason)].add();
}

// Into the calling thread's ring; false, and the reason, if there is no room.
bool enqueue(Core& core, ThreadState& state, OpenRecord& record) noexcept {
  if (!core.enter_queue()) {
    count_lost(state, LossReason::queue_full);
    return false;
  }
  const std::size_t bytes = entry_bytes(record);
  std::byte* to = state.ring.reserve(bytes);
  if (to == nullptr) {
    core.leave_queue(1);
    count_lost(state, LossReason::ring_full);
    return false;
  }
  write_entry(to, record, bytes);
  state.queued.add();
  if (state.ring.publish(bytes)) core.processor().hurry();
  return true;
}

// The record's provider is not the active one: it was shut down, or the span is a forked child's
// copy of one that the parent exports.
void discard(OpenRecord& record) noexcept {
  Core& core = *record.core;
  if (!core.of_this_process()) return;
  if (record.items != record.inline_items) core.give_block(record.items, record.capacity);
  core.lose_ended(LossReason::shut_down);
}

void end(OpenRecord& record) noexcept {
  Core& core = *record.core;
  if (active_core.load(std::memory_order_acquire) != &core) return discard(record);
  ThreadState* state = state_in(core);
  if (state == nullptr) {
    if (record.items != record.inline_items) core.give_block(record.items, record.capacity);
    core.lose_ended(LossReason::too_many_threads);
    return;
  }
  if (!enqueue(core, *state, record) && record.items != record.inline_items) {
    core.give_block(record.items, record.capacity);
  }
  state->ended.add();
  state->give_slot(core.slab(), record);
  release_if_ending(state);
}

// A place for a span that is to be recorded; null, and counted, if there is none.
OpenRecord* open_record(Core& core, ThreadState* state) noexcept {
  core.processor().ensure_started();
  if (state == nullptr) {
    core.lose_unopened(LossReason::too_many_threads);
    return nullptr;
  }
  state->recorded.add();
  OpenRecord* record = state->take_slot(core.slab());
  if (record == nullptr) count_lost(*state, LossReason::too_many_open);
  return record;
}

void set_attributes(OpenRecord& record, std::span<const Attribute> attributes) noexcept {
  for (const Attribute& attribute : attributes) {
    set_attribute(record, attribute.key, attribute.value);
  }
}

}  // namespace

void count_misuse() noexcept {
  if (Core* core = latest_core()) core->count_misuse();
}

}  // namespace detail

void Span::set_record(const Key& key, const AttributeValue& value) noexcept {
  detail::set_attribute(*record_, key, value);
}

void Span::add_event_record(const Key& event, std::span<const Attribute> attributes,
                            MonotonicTime at) noexcept {
  detail::add_event(*record_, event, attributes, detail::given_or_now(at, *record_->core));
}

void Span::add_link_record(const Link& link) noexcept { detail::add_link(*record_, link); }

void Span::set_status_record(StatusCode status, std::string_view message) noexcept {
  detail::set_status(*record_, status, message);
}

void Span::update_name_record(const Key& span_name) noexcept {
  detail::set_name(*record_, span_name);
}

void Span::end_record(MonotonicTime at) noexcept {
  detail::OpenRecord& record = *record_;
  record_ = nullptr;
  state_ = State::gone;
  record.header.end_ns = detail::given_or_now(at, *record.core);
  if (record.header.end_ns < record.header.start_ns) {
    record.header.end_ns = record.header.start_ns;
    detail::set_attribute(record, "spanwire.misuse", "end before start");
    record.core->count_misuse();
  }
  detail::end(record);
}

Span Tracer::start_in(detail::Core& core, const Context& parent, const Key& name,
                      const SpanOptions& options) const noexcept {
  const SpanContext& above = parent.span();
  const bool root = !above.valid();
  Random& random = Random::of_thread();
  const TraceId trace_id = root ? TraceId::generate(random) : above.trace_id();
  const SamplingResult sampling = core.sampler().sample(
      {parent, trace_id, name.view(), options.kind, options.attributes, options.links});
  // There is nobody but exporters to record for: record_only is as good as drop.
  const bool sampled = sampling.decision == Decision::record_and_sample;
  const unsigned flags =
      (root ? kFlagRandom : above.flags() & kFlagRandom) | (sampled ? kFlagSampled : 0u);
  const SpanContext context(trace_id, SpanId::generate(random), static_cast<std::uint8_t>(flags));
  detail::ThreadState* state = detail::state_in(core);
  if (state != nullptr) state->started.add();
  if (!sampled) {
    detail::release_if_ending(state);
    return Span(context);
  }
  detail::OpenRecord* record = detail::open_record(core, state);
  detail::release_if_ending(state);
  if (record == nullptr) return Span(context);
  detail::begin_record(*record, core, name,
                       sampling.replaces_tracestate ? sampling.tracestate : parent.tracestate());
  detail::RecordHeader& header = record->header;
  header.kind = static_cast<std::uint8_t>(options.kind);
  header.flags = context.flags();
  header.trace_id = trace_id;
  header.span_id = context.span_id();
  header.parent_span_id = root ? SpanId() : above.span_id();
  header.parent_remote = !root && above.remote() ? 1 : 0;
  header.scope = scope_;
  header.start_ns = detail::given_or_now(options.start, core);
  detail::set_attributes(*record, options.attributes);
  detail::set_attributes(*record, sampling.attributes);
  for (const Link& link : options.links) detail::add_link(*record, link);
  return Span(context, record);
}

}  // namespace spanwire::trace
