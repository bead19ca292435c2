// Slices that are over when they are told: what a scheduler does most.  The whole way from the
// handle to the recorder is in this file, to be compiled into one function.
#include <memory>

#include "lib/base/copy_words.hpp"
#include "lib/journey/with_thread.hpp"

namespace spanwire::journey {

using trace::SpanContext;
using trace::SpanId;
using trace::WholeSpan;

// Made in place: a copy, in larger pieces than what was just stored, waits for the stores.
void ThreadContext::keep_last(const SpanId& id) noexcept {
  std::construct_at(&last_.context, request_->root().trace_id(), id, request_->root().flags());
}

void ThreadContext::write(WholeSpan& span) noexcept {
  if (span.context.span_id().is_zero()) {
    request_->recorder().open_and_write(span);
  } else {
    request_->recorder().write(span);
  }
}

[[gnu::always_inline]] inline Errc ThreadContext::add_slice_here(const Slice& slice, SpanId id) {
  if (!request_->wants(slice.level)) return Errc::ok;
  if (!announced_) [[unlikely]]
    announce();
  touched_ns.store(slice.end.time_since_epoch().count(), std::memory_order_relaxed);
  const OpenSlice* const above = depth_ != 0 ? innermost_recorded() : nullptr;
  const SpanContext& root = request_->root();
  const SpanId parent = above != nullptr ? above->id : span_id_;
  const std::size_t links = above == nullptr && last_.context.valid() ? 1 : 0;
  WholeSpan span;
  std::construct_at(&span.context, root.trace_id(), id, root.flags());
  span.parent = parent;
  copy_words(span.name, slice.name);
  span.start = slice.start;
  span.end = slice.end;
  span.attributes = {&slice.attributes, 1};
  span.links = {&last_, links};
  span.tracestate = request_->tracestate();
  if (!slice.events.empty()) span.events = slice.events;
  Errc result = Errc::ok;
  const bool timed = slice.start != MonotonicTime{};
  if (slice.end < slice.start || !timed || !events_.empty()) [[unlikely]] {
    result = write_with_events(span);
  } else {
    write(span);
  }
  if (above == nullptr) keep_last(span.context.span_id());
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
