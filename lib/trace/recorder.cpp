#include "spanwire/trace/recorder.hpp"

#include <algorithm>
#include <memory>

#include "lib/trace/direct_writer.hpp"
#include "lib/trace/record_writer.hpp"
#include "lib/trace/recording.hpp"
#include "lib/trace/table.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::trace {
namespace detail {
namespace {

// The items of a span behind its header, which learns where they are; null as put_name() and its
// like.
[[gnu::always_inline]] inline std::byte* put_items(RecordHeader& header, const WholeSpan& span,
                                                   const Core& core) noexcept {
  const SpanLimits& limits = core.limits();
  auto* const items = reinterpret_cast<std::byte*>(&header + 1);
  const std::byte* const end = direct_end(items);
  std::byte* at = put_name(items, end, span.name);
  if (at != nullptr && !span.tracestate.empty()) {
    header.tracestate_at = static_cast<std::uint32_t>(at - items);
    at = put_text(at, end, ItemTag::tracestate, span.tracestate);
  }
  if (at != nullptr && !span.status_message.empty()) {
    header.status_at = static_cast<std::uint32_t>(at - items);
    at = put_text(at, end, ItemTag::status_message, span.status_message);
  }
  if (at == nullptr) return nullptr;
  std::size_t attributes = 0;
  for (const auto& list : span.attributes) {
    if (attributes != 0 && !list.empty()) header.may_repeat = 1;
    at = put_attributes(at, end, list, core, header.may_repeat);
    attributes += list.size();
    if (at == nullptr || attributes > limits.attributes_max) return nullptr;
  }
  header.attributes = static_cast<std::uint16_t>(attributes);
  for (const WholeEvent& event : span.events) {
    at = put_event(at, end, event, limits);
    if (at == nullptr) return nullptr;
  }
  for (const Link& link : span.links) {
    at = put_link(at, end, link, span.context);
    if (at == nullptr) return nullptr;
  }
  return at;
}

// False, and nothing done, for a span that needs a closer look.
[[gnu::always_inline]] inline bool try_direct(Core& core, ThreadState& state, const WholeSpan& span,
                                              const Scope& scope, std::int64_t end_ns) noexcept {
  const SpanLimits& limits = core.limits();
  const std::size_t links_max = span.batch ? limits.batch_links_max : limits.links_max;
  if (!may_write_directly(limits) || span.events.size() > limits.events_max ||
      span.links.size() > links_max || span.status_message.size() > limits.value_chars_max) {
    return false;
  }
  std::byte* to = state.ring.reserve(sizeof(RecordHeader) + kDirectBytesMax);
  if (to == nullptr) return false;
  auto& header = *reinterpret_cast<RecordHeader*>(to);
  write_header(header, span.context, span.context.span_id(), span.parent, scope, ns_of(span.start),
               end_ns);
  header.kind = static_cast<std::uint8_t>(span.kind);
  header.status = static_cast<std::uint8_t>(span.status);
  header.events = static_cast<std::uint16_t>(span.events.size());
  header.links = static_cast<std::uint16_t>(span.links.size());
  header.parent_remote = span.parent_remote ? 1 : 0;
  const std::byte* const end = put_items(header, span, core);
  if (end == nullptr) return false;
  if (!core.enter_queue(1)) {
    count_lost(state, LossReason::queue_full);
    return true;
  }
  const auto bytes = static_cast<std::uint32_t>(end - to);
  header.entry_bytes = bytes;
  header.items_bytes = bytes - static_cast<std::uint32_t>(sizeof(RecordHeader));
  publish_entry(core, state, to, bytes);
  return true;
}

// ---- The long way, through a record of the slab.

void write_slowly(Core& core, ThreadState& state, const WholeSpan& span, const Scope& scope,
                  std::int64_t end_ns) noexcept {
  OpenRecord* record = take_record(core, state);
  if (record == nullptr) return;
  begin_record(*record, core, span.name);
  if (span.batch) record->left.links = core.batch_links();
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

[[gnu::always_inline]] inline void write_whole(Core& core, ThreadState& state,
                                               const WholeSpan& span, const Scope& scope) noexcept {
  const std::int64_t end_ns = std::max(ns_of(span.end), ns_of(span.start));
  if (!try_direct(core, state, span, scope, end_ns)) {
    write_slowly(core, state, span, scope, end_ns);
  }
  release_if_ending(&state);
}

}  // namespace
}  // namespace detail

MonotonicTime Recorder::now() const noexcept {
  return MonotonicTime(std::chrono::nanoseconds(core_->monotonic_ns()));
}

void Recorder::open_decided() const noexcept { static_cast<void>(open()); }

SpanId Recorder::open() const noexcept {
  SpanId id;
  open({&id, 1});
  return id;
}

void Recorder::open(std::span<SpanId> ids) const noexcept {
  detail::ThreadState* state = detail::state_in(*core_);
  core_->processor().ensure_started();
  if (state != nullptr) {
    state->recorded.add(ids.size());
  } else {
    core_->open_elsewhere(ids.size());
  }
  Random& random = state != nullptr ? state->random : Random::of_thread();
  for (SpanId& id : ids) id = SpanId::generate(random);
  release_if_ending(state);
}

void Recorder::write(const WholeSpan& span) const noexcept {
  detail::Core& core = *core_;
  if (detail::active_core.load(std::memory_order_acquire) != &core) {
    if (core.of_this_process()) core.lose_ended(LossReason::shut_down);
    return;
  }
  detail::ThreadState* state = detail::state_in(core);
  if (state == nullptr) return core.lose_ended(LossReason::too_many_threads);
  detail::write_whole(core, *state, span, *scope_);
}

void Recorder::open_and_write(WholeSpan& span) const noexcept {
  detail::Core& core = *core_;
  detail::ThreadState* state = detail::state_of_thread;
  const bool usual = state != nullptr && state->core == &core &&
                     detail::active_core.load(std::memory_order_acquire) == &core;
  const SpanId id = usual ? SpanId::generate(state->random) : open();
  std::construct_at(&span.context, TraceId(span.context.trace_id()), id, span.context.flags());
  if (!usual) return write(span);
  core.processor().ensure_started();
  state->recorded.add();
  detail::write_whole(core, *state, span, *scope_);
}

void Recorder::write(std::span<const SpanColumn> columns,
                     std::span<const SpanRow> rows) const noexcept {
  if (columns.empty() || rows.empty()) return;
  detail::Core& core = *core_;
  const std::size_t spans = columns.size() * rows.size();
  if (detail::active_core.load(std::memory_order_acquire) != &core) {
    if (core.of_this_process()) core.lose_ended(LossReason::shut_down, spans);
    return;
  }
  detail::ThreadState* state = detail::state_in(core);
  if (state == nullptr) return core.lose_ended(LossReason::too_many_threads, spans);
  detail::TableWriter table(core, *state, *scope_, columns);
  for (const SpanRow& row : rows) {
    if (table.add(row)) continue;
    for (std::size_t column = 0; column < columns.size(); ++column) {
      Link link;
      std::span<const Attribute> attributes;
      write(detail::span_of_row(columns, row, column, link, attributes));
    }
  }
  table.publish();
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
  detail::ThreadState* state = detail::state_in(*core);
  const SpanContext& above = parent.span();
  if (detail::dropped_unasked(*core, above) && state != nullptr) {
    state->unrecorded.add();
    std::construct_at(&decided.context, above.trace_id(), SpanId::generate(state->random),
                      above.flags() & kFlagsInherited);
    decided.tracestate = parent.tracestate();
    detail::release_if_ending(state);
    return decided;
  }
  SpanOptions options;
  options.attributes = attributes;
  const detail::Start start{parent, name, kind, &options, tracer.scope()};
  detail::Choice choice;
  detail::choose(*core, state != nullptr ? state->random : Random::of_thread(), start, choice);
  if (!choice.recorded && state != nullptr) state->unrecorded.add();
  detail::release_if_ending(state);
  std::construct_at(&decided.context, choice.trace_id, choice.span_id, choice.flags);
  decided.tracestate = choice.tracestate(*core, parent);
  decided.attributes = choice.sampling.attributes;
  if (choice.recorded) decided.recorder = Recorder(*core, tracer.scope());
  return decided;
}

}  // namespace spanwire::trace
