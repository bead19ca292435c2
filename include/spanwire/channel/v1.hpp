// Channels over wire v1, Dynamo's request plane: requests with acknowledgements, first in first
// out.  An acknowledgement means "taken", not "done": a call over v1 ends with it, and ends well
// when the server has admitted the request.  What the handler returns is dropped and counted: this
// channel has no way back for it.
// Byte layout: proto-spec/v1.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "spanwire/base/executor.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::channel {

// As Dynamo's client has them.
inline constexpr std::size_t kV1InFlightMax = 1'024;
inline constexpr std::chrono::nanoseconds kV1AcknowledgementTimeout = std::chrono::seconds(5);
// Calls of one connection that a server runs at once; beyond, it answers "overloaded".
inline constexpr std::size_t kV1ServedMax = 65'536;

struct V1Options {
  // Of limits: path, header block and payload sizes, queued_bytes_max, frame_timeout, idle_timeout.
  wire::Limits limits;
  // Both sides refuse a message beyond this, all its parts together.
  std::size_t message_bytes_max = wire::kV1MessageBytesMax;
  // Client: requests that wait for their acknowledgement.
  std::size_t in_flight_max = kV1InFlightMax;
  // Client: how long the oldest of them may wait before the connection is given up, for a server
  // that is silent once is believed no more.  Zero: for ever.
  std::chrono::nanoseconds acknowledgement_timeout = kV1AcknowledgementTimeout;
  // Server: calls that run at once.
  std::size_t served_max = kV1ServedMax;
};

// `link` is a byte link that has not been started; `executor` is its own and outlives the channel.
//
// Ready at once: v1 knows no handshake.  A reply of one of the protocol's two refusals becomes the
// status RESOURCE_EXHAUSTED or UNAVAILABLE, not_started; any other text ends its call with
// not_an_acknowledgement and that text.  A reply that answers nothing ends the connection
// (unexpected_frame), and so does one beyond kV1ReplyBytesMax (payload_too_long): no later one
// could be told whose it is.  A request that the link has taken
// cannot be withdrawn; cancel() returns true only before that.  Streams: not_supported.
std::unique_ptr<ClientChannel> make_v1_client(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V1Options& options = {});

// The acknowledgement is written at attach(), a refusal at reply() within on_request.  A request
// that is damaged in itself is refused with a text and counted; the connection goes on.  write() is
// not_supported, head() and grant() do nothing.
std::unique_ptr<ServerChannel> make_v1_server(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V1Options& options = {});

// For a link that somebody else has started, to see by its first bytes which protocol it speaks.
// After start() of the channel, whoever that is passes on to `events` (part of the channel) all
// that the link says, first of all the bytes read so far.
struct V1Handover {
  std::unique_ptr<ServerChannel> channel;
  transport::LinkEvents* events = nullptr;
};
V1Handover make_v1_server_on_started_link(std::unique_ptr<transport::Link> link, Executor& executor,
                                          const V1Options& options = {});

}  // namespace spanwire::channel
