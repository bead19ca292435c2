// Batches: one call for a step of a scheduler over many requests.  The clock is read once, what is
// the same for all is stored once.  Where nothing is traced a call is one branch, not a loop; where
// requests are only passed on, a loop over those that end.
#pragma once

#include <span>
#include <string_view>

#include "spanwire/journey/request.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::journey {

// The same slices, one after the other, for each request: times, names and attributes are shared.
// As Request::slice() for each of them; `events` and `thread_finish` are not for batches and
// ignored.  A slice that starts at zero starts where the one before ends, the first one now; one
// that ends at zero ends now.  Errors: the first one that a request had.
Errc slice_batch(std::span<Request> requests, std::span<const Slice> slices);

// The innermost open slice of each request ends as `name`; then the next anonymous one begins, or
// for a request that has finished, its part in this thread ends.
struct BatchMember {
  Request* request = nullptr;  // null: nobody
  bool finished = false;
};
Errc slice_end_batch(trace::Key name, std::span<const BatchMember> members,
                     const SliceEnd& end = {});

// An event for each request, with the attributes `bid` (eight random hexadecimal digits) and
// `batch_size` before its own.
Errc event_batch(trace::Key name, std::span<Request> requests, Level level = kImportant,
                 MonotonicTime at = {}, Attributes attributes = {});

// The step itself: a span that links to the span of each request, up to
// SpanLimits::batch_links_max, with the attributes once.  A trace of its own, recorded if one of
// the requests is.  Its context; not valid if it is not recorded.
trace::SpanContext batch_span(const Slice& step, std::span<const Request> requests);

namespace by_id {
struct Member {
  std::string_view rid;
  bool finished = false;
};
Errc slice_batch(trace::Key name, std::span<const Member> members, MonotonicTime at = {});
Errc event_batch(trace::Key name, std::span<const std::string_view> rids, MonotonicTime at = {},
                 Attributes attributes = {});
}  // namespace by_id

}  // namespace spanwire::journey
