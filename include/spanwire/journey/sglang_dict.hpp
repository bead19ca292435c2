// What SGLang hands over, to and from Python: its dict as JSON or MessagePack, the state of its
// pickled context, and the contexts of bootstrap rooms in base64.
//
//   {"root_span": {"traceparent": "00-...", "tracestate": "...", "baggage": "..."},
//    "prev_span": {"span_id": 123, "trace_id": 456} or "None"}
//
// Ids are integers of up to 128 bits.  In MessagePack, which has none beyond 64 bits, a larger one
// is the text of its decimal digits: int(x) reads both in Python.  The dict has no flags for the
// previous slice, so that a link from one is not marked as sampled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/settings.hpp"

namespace spanwire::journey {

// A longer input is refused, as is one that is nested deeper than these forms are.
inline constexpr std::size_t kDictBytesMax = 64u << 10;
// Rooms in one text; more are refused.
inline constexpr std::size_t kRoomsPerTextMax = 1024;

// A context that says nothing is "{}".
std::string to_json(const PropagateContext& context);
std::vector<std::byte> to_msgpack(const PropagateContext& context);

// Also read the state of the newer generation's pickled context: root_span_context,
// last_span_context, and tracing_enable, which may say no.  Errors: not_traced without a usable
// root span, counted as such; counted as bad_propagate_context: headers_too_long,
// bad_propagate_context for what is not of the format, span_id_zero, trace_id_zero and bad_number
// in prev_span.
Result<PropagateContext> from_json(std::string_view json);
Result<PropagateContext> from_msgpack(ByteView bytes);

// What the newer generation's state says beside the context.  Borrowed for the call.
struct SglangState {
  std::string_view rid{};
  std::uint64_t bootstrap_room = 0;  // 0: none
  std::int64_t start_time_ns = 0;    // of the request, since 1970
  std::string_view role = "unified";
  std::string_view module{};
  Level level = kEverything;
};
// The state of the newer generation's context, for TraceReqContext.__setstate__(json.loads(text)).
// JSON only: Python needs ids as numbers there.  A context that says nothing is disabled.
std::string to_state_json(const PropagateContext& context, const SglangState& about);

// A bootstrap room's context, as it travels from the router to both sides of a request.
struct RoomContext {
  std::string room;
  PropagateContext context;
};
// Base64 of {room: dict}: the HTTP header trace_context.
std::string to_base64(std::span<const RoomContext> rooms);
// Errors: bad_escape for what is no base64, as from_json(), headers_too_many.  A room whose dict
// cannot be used is left out, counted.
Result<std::vector<RoomContext>> from_base64(std::string_view text);

}  // namespace spanwire::journey
