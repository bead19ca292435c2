// The functions by request id: the older surface of SGLang's model, for code that has a request's
// id and nothing else.  They look the request up, and in it the calling thread's context; the rest
// is as in request.hpp.  A handle costs less.
//
// Safe from any thread.  Ids are texts of at most kRidBytesMax bytes.  An id that is not known, or
// has no context in the calling thread: nothing happens, counted as unknown_request or
// no_thread_context.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::journey {
class Registry;
extern std::atomic<Registry*> latest_registry;
}  // namespace spanwire::journey

namespace spanwire::journey::by_id {

namespace detail {
// Nobody traces, and nobody has ever forwarded: then a call is no more than this look.
inline bool unused() noexcept {
  if (trace::detail::active_core.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
    return false;
  return latest_registry.load(std::memory_order_relaxed) == nullptr;
}
Errc slice_start(trace::Key name, std::string_view rid, MonotonicTime at);
Errc anonymous_start(std::string_view rid, MonotonicTime at);
Errc slice_end(trace::Key name, std::string_view rid, const SliceEnd& end);
Errc event(trace::Key name, std::string_view rid, MonotonicTime at, Attributes attributes);
Errc slice_attributes(std::string_view rid, Attributes attributes);
}  // namespace detail

// Of a request's id.
inline constexpr std::size_t kRidBytesMax = 1024;

// As start_request(), and under the id from now on.  With a bootstrap room the request's span
// stands under that of the room: the room's own, if remote_rooms() have brought one, else a new
// one.  An id that is in use: the request so far is closed, marked and exported
// (request_restarted).  A longer id than kRidBytesMax: invalid_argument, strict or not.
Errc start(const RequestOptions& options);
Errc finish(std::string_view rid, MonotonicTime at = {}, Attributes attributes = {});

// The handle for the calling thread, to keep for further calls; the null object if there is none.
Request find(std::string_view rid);

inline Errc slice_start(trace::Key name, std::string_view rid, MonotonicTime at = {}) {
  return detail::unused() ? Errc::ok : detail::slice_start(name, rid, at);
}
inline Errc anonymous_start(std::string_view rid, MonotonicTime at = {}) {
  return detail::unused() ? Errc::ok : detail::anonymous_start(rid, at);
}
inline Errc slice_end(trace::Key name, std::string_view rid, const SliceEnd& end = {}) {
  return detail::unused() ? Errc::ok : detail::slice_end(name, rid, end);
}
// To the innermost open slice, by its time; without one it waits (event_without_slice).
inline Errc event(trace::Key name, std::string_view rid, MonotonicTime at = {},
                  Attributes attributes = {}) {
  return detail::unused() ? Errc::ok : detail::event(name, rid, at, attributes);
}
inline Errc slice_attributes(std::string_view rid, Attributes attributes) {
  return detail::unused() ? Errc::ok : detail::slice_attributes(rid, attributes);
}

// ---- Hand-over

// For the message that carries the request to another thread or process.  Errors: unknown_request,
// no_thread_context.
Result<PropagateContext> propagate_context(std::string_view rid);
// A context for the calling thread in a request that was started elsewhere, in this process or
// another; its first slice links to the one that `context` brings.  Where the request is not known
// here its end is thread_finish of its last thread here.  One that the thread has already stays.
Errc set_propagate_context(std::string_view rid, const PropagateContext& context);

// ---- Bootstrap rooms: a request that is split in prefill and decode meets under its room.

// For the header trace_context, of requests whose id is their room's, as a router has them. Unknown
// ones are left out.  Empty where nothing is traced and nothing is passed on.
std::string remote_contexts(std::span<const std::string_view> rooms);
// Keeps what a router sent for the request of that room; the first of a room counts.  One whose
// request has not begun within JourneyOptions::idle_max is dropped.  Room 0 is none.  Errors: as
// from_base64().
Result<void> set_remote_contexts(std::string_view base64);
// Rooms that wait for their requests; beyond it the older half is dropped, counted in
// "spanwire.journey.rooms_dropped".
inline constexpr std::size_t kRoomsMax = 16384;

}  // namespace spanwire::journey::by_id
