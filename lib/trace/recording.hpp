// What Span and Recorder share: places for records that are written, and the counting of what has
// no place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/trace/core.hpp"
#include "lib/trace/slab.hpp"
#include "lib/trace/thread_state.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/sampler.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace::detail {

inline std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }
inline std::int64_t given_or_now(MonotonicTime at, const Core& core) noexcept {
  return at == MonotonicTime{} ? core.monotonic_ns() : ns_of(at);
}

inline void count_lost(ThreadState& state, LossReason reason, std::uint64_t spans = 1) noexcept {
  state.lost[static_cast<std::size_t>(reason)].add(spans);
}

// Room for ended spans in the calling thread's ring; null, and they are counted as lost, if there
// is none.
inline std::byte* reserve_entry(Core& core, ThreadState& state, std::size_t bytes,
                                std::size_t spans = 1) noexcept {
  if (!core.enter_queue(spans)) {
    count_lost(state, LossReason::queue_full, spans);
    return nullptr;
  }
  std::byte* to = state.ring.reserve(bytes);
  if (to == nullptr) [[unlikely]] {
    core.leave_queue(spans);
    count_lost(state, LossReason::ring_full, spans);
  }
  return to;
}
inline void publish_entry(Core& core, ThreadState& state, const std::byte* entry, std::size_t bytes,
                          std::size_t spans = 1) noexcept {
  state.queued.add(spans);
  if (state.ring.publish(entry, bytes)) core.processor().hurry();
}

// A place in the slab; null, and counted, if there is none.
inline OpenRecord* take_record(Core& core, ThreadState& state) noexcept {
  OpenRecord* record = state.take_slot(core.slab());
  if (record == nullptr) count_lost(state, LossReason::too_many_open);
  return record;
}

// Into the ring, or counted as lost; gives the place back.
void end(OpenRecord& record, std::int64_t end_ns) noexcept;

// ---- The decision

struct Start {
  const Context& parent;
  Key name;
  SpanKind kind;
  const SpanOptions* options;  // null: as they are by default
  const Scope& scope;
  MonotonicTime at{};  // without options: when it starts; zero for now
};

struct Choice {
  TraceId trace_id;
  SpanId span_id;
  std::uint8_t flags = 0;
  bool recorded = false;
  SamplingResult sampling;  // only where there is a sampler

  SpanContext context() const noexcept { return {trace_id, span_id, flags}; }
  std::string_view tracestate(const Core& core, const Context& parent) const noexcept {
    const bool replaced = core.sampler() != nullptr && sampling.replaces_tracestate;
    return replaced ? sampling.tracestate : parent.tracestate();
  }
};

// Whether a span under `above` is not wanted whatever it is: most of a process that samples one in
// a hundred.
inline bool dropped_unasked(const Core& core, const SpanContext& above) noexcept {
  return !above.sampled() && above.valid() && core.drops_unsampled_children();
}

SamplingResult ask(const Core& core, const Start& start, const TraceId& trace_id) noexcept;

// Ids for a new span, and whether it is wanted.
inline void choose(const Core& core, Random& random, const Start& start, Choice& choice) noexcept {
  const SpanContext& above = start.parent.span();
  const bool root = !above.valid();
  choice.trace_id = root ? TraceId::generate(random) : above.trace_id();
  choice.span_id = SpanId::generate(random);
  bool sampled = core.rule().wants(above, choice.trace_id);
  if (core.sampler() != nullptr) [[unlikely]] {
    choice.sampling = ask(core, start, choice.trace_id);
    // There is nobody but exporters to record for: record_only is as good as drop.
    sampled = choice.sampling.decision == Decision::record_and_sample;
  }
  const unsigned inherited = root ? kFlagRandom : above.flags() & kFlagsInherited;
  choice.flags = static_cast<std::uint8_t>(inherited | (sampled ? kFlagSampled : 0u));
  choice.recorded = sampled && core.records();
}

}  // namespace spanwire::trace::detail
