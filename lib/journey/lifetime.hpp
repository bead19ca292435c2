// Making and ending contexts: what handles, the functions by id and the sweep share.
#pragma once

#include <cstdint>

#include "lib/journey/state.hpp"

namespace spanwire::journey {

// A request's context, locked; null, and counted, if there are too many.
RequestState* make_request(const RequestBegin& begin);
// A thread's context in a request whose lock is held; unlocked, not yet bound to a thread.  Null,
// and counted, if there are too many.
ThreadContext* make_thread(RequestState& request, const trace::SpanContext& previous);

// How a whole request ends.
struct RequestEnd {
  MonotonicTime at{};
  Attributes attributes{};
  Errc misuse = Errc::ok;
};
// Ends all threads and the request.  Errors: unknown_request if the generation is over,
// slices_left_open.
Errc end_request(RequestState& request, std::uint32_t generation, const RequestEnd& end);
// The same with the request's lock held, which it gives up.
Errc end_locked_request(RequestState& request, std::uint32_t generation, const RequestEnd& end);
// Ends one thread's context, which the caller has locked; and its request, if that is a copy and
// this was its last thread.
void end_thread(ThreadContext& thread, const ThreadEnd& end);

}  // namespace spanwire::journey
