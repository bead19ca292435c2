// Slices that are over when they are told: what a scheduler does most.  The whole way from the
// handle into the ring is compiled into one function here.
#include <memory>

#include "lib/journey/with_thread.hpp"
#include "lib/trace/plain_span.hpp"

namespace spanwire::journey {

using trace::SpanContext;
using trace::SpanId;
using trace::WholeSpan;
using trace::detail::PlainWriter;

void ThreadContext::write(WholeSpan& span) noexcept {
  if (span.context.span_id().is_zero()) {
    request_->recorder().open_and_write(span);
  } else {
    request_->recorder().write(span);
  }
}

[[gnu::always_inline]] inline Errc ThreadContext::add_slice_here(const Slice& slice, SpanId id) {
  if (!request_->wants(slice.level)) [[unlikely]]
    return Errc::ok;
  if (!announced_) [[unlikely]]
    announce();
  touched_ns.store(slice.end.time_since_epoch().count(), std::memory_order_relaxed);
  const OpenSlice* const above = depth_ != 0 ? innermost_recorded() : nullptr;
  const SpanId parent = above != nullptr ? above->id : span_id_;
  const SpanId previous = above == nullptr ? last_id_ : SpanId();
  const bool timed = slice.start != MonotonicTime{} && slice.start <= slice.end;
  const bool handed_over = above == nullptr && last_id_.is_zero() && handed_over_.valid();
  const bool plain = timed && !handed_over && id.is_zero() && slice.events.empty() &&
                     events_.empty() && request_->tracestate().empty();
  if (plain && PlainWriter::try_write(request_->recorder(),
                                      {request_->root(), parent, previous, slice.name, slice.start,
                                       slice.end, slice.attributes},
                                      id)) [[likely]] {
    if (above == nullptr) last_id_ = id;
    return Errc::ok;
  }
  return add_any_slice(slice, id, parent, above == nullptr);
}

Errc ThreadContext::add_any_slice(const Slice& slice, SpanId id, SpanId parent, bool first_level) {
  const SpanContext& root = request_->root();
  WholeSpan span;
  std::construct_at(&span.context, root.trace_id(), id, root.flags());
  span.parent = parent;
  span.name = slice.name;
  span.start = slice.start;
  span.end = slice.end;
  span.attributes = {&slice.attributes, 1};
  const trace::Link link{last(), {}, {}};
  span.links = {&link, first_level && link.context.valid() ? 1u : 0u};
  span.tracestate = request_->tracestate();
  span.events = slice.events;
  Errc result = Errc::ok;
  const bool timed = slice.start != MonotonicTime{};
  if (slice.end < slice.start || !timed || !events_.empty()) {
    result = write_with_events(span);
  } else {
    write(span);
  }
  if (first_level) last_id_ = span.context.span_id();
  return result;
}

Errc ThreadContext::add_slice(const Slice& slice, SpanId id) { return add_slice_here(slice, id); }

Errc Request::add_slice(const Slice& slice) {
  if (slice.thread_finish) [[unlikely]]
    return add_last_slice(slice);
  return with_thread([&](ThreadContext& thread) { return thread.add_slice_here(slice, {}); },
                     slice.start);
}

Errc Request::add_last_slice(const Slice& slice) {
  const auto add = [&](ThreadContext& thread, ThreadEnd* end) {
    end->at_ns = thread.request().given_or_now(slice.end);
    Slice timed = slice;
    timed.end = MonotonicTime(std::chrono::nanoseconds(end->at_ns));
    return thread.add_slice(timed);
  };
  return with_last_slice(true, add, slice.start);
}

}  // namespace spanwire::journey
