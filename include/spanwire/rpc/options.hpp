// Options of runtimes, clients, servers and calls, with every default.  docs/options.md lists them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/channel/v1.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/transport/memory_link.hpp"
#include "spanwire/transport/zmq.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::rpc {

class ClientInterceptor;
class ServerInterceptor;

inline constexpr std::chrono::nanoseconds kCallTimeoutDefault = std::chrono::seconds(30);
// How long Client::ready() waits.
inline constexpr std::chrono::nanoseconds kReadyTimeout = std::chrono::seconds(10);
inline constexpr std::chrono::nanoseconds kNoTimeout = std::chrono::nanoseconds::zero();
// Combinations of method and status that rpc_client_call_duration_seconds keeps, and as many
// rpc_server_call_duration_seconds; further ones share the series otel_metric_overflow="true".
inline constexpr std::size_t kCallSeriesMax = 256;

struct RuntimeOptions {
  // Threads, each with a loop of its own; 0 = one a core.
  unsigned threads = 1;
  // What the threads are called in the system; a number follows.
  std::string thread_name = "spanwire-loop";
};

// Which ready connection takes a call.
enum class Balancing : std::uint8_t { round_robin, least_in_flight };

struct ClientOptions {
  Balancing balancing = Balancing::round_robin;
  // Connections for each address; the first is opened at the first call, more when all are full.
  unsigned connections_per_endpoint_max = 4;
  // Calls without a deadline of their own get this one; kNoTimeout for none.
  std::chrono::nanoseconds default_timeout = kCallTimeoutDefault;
  // A call waits for a connection until its deadline, also while every attempt fails.  Off: a call
  // waits for the first attempt on each address and fails with its cause (not_connected).
  bool wait_for_ready = false;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  // Pause before the next attempt: doubles from the first to the last, with 20 % jitter.
  std::chrono::nanoseconds reconnect_first = std::chrono::milliseconds(100);
  std::chrono::nanoseconds reconnect_last = std::chrono::seconds(10);
  // Calls that wait for a connection; beyond, a call fails with queue_full.
  std::size_t waiting_calls_max = 10'000;
  // Attempts of a unary call that is marked idempotent, the first one counted.
  unsigned attempts_max = 3;
  // The budget for them, of each loop, as gRPC's retryThrottling: a failed attempt costs a token, a
  // call that succeeds gives the ratio back, and while half of the tokens are gone nothing is
  // tried again.  0: nothing ever is.
  unsigned retry_tokens_max = 100;
  // What a success gives back, of a token; three decimals count.
  double retry_token_ratio = 0.1;
  wire::Limits limits;
  // Of connections that speak v1 (dynamo+tcp): requests of one that wait for their acknowledgement;
  // beyond, calls wait, or the pool grows.
  std::size_t v1_in_flight_max = channel::kV1InFlightMax;
  // How long the oldest of them may wait before the connection is given up.  Zero: for ever.
  std::chrono::nanoseconds v1_acknowledgement_timeout = channel::kV1AcknowledgementTimeout;
  // A request of theirs, all its parts together; beyond, a call fails with payload_too_long.
  std::size_t v1_message_bytes_max = wire::kV1MessageBytesMax;
  transport::ZmqOptions zmq;  // of zmq addresses
  // Of memory:// connections, for tests of yours: their mode, and what goes wrong on them.  The
  // n-th connection of a loop has the plan's seed + n.
  transport::MemoryOptions memory;
  std::vector<std::shared_ptr<ClientInterceptor>> interceptors;
};

struct CallOptions {
  // From now; the context's deadline still holds when it is earlier.  Zero: the client's default.
  std::chrono::nanoseconds timeout{0};
  bool wait_for_ready = false;
  // May run twice: a unary call whose connection was lost, or which a server answered with
  // UNAVAILABLE while another address is ready, is sent again, as attempts_max and the client's
  // budget allow.  Off: only what did not start goes elsewhere, once.
  bool idempotent = false;
  // Extra headers.  Reserved names (traceparent and its like) are refused with invalid_argument.
  Headers headers;
};

struct ListenOptions {
  // What a caller's context becomes: parent of the server span, a link, or nothing.
  trace::TrustRemote trust = trace::TrustRemote::parent;
};

struct ServerOptions {
  struct Listen {
    std::string address;
    ListenOptions options;
  };
  std::vector<Listen> listens;
  std::size_t running_handlers_max = 10'000;
  std::size_t queued_handlers_max = 10'000;  // calls that wait for a thread of their pool
  std::size_t connections_max = 16'384;      // for each listener
  // Said to callers that are refused for overload.
  std::chrono::milliseconds retry_after = std::chrono::milliseconds(100);
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(30);
  wire::Limits limits;
  // Of connections that speak v1: calls of one that run at once; beyond, it answers "overloaded".
  std::size_t v1_served_max = channel::kV1ServedMax;
  // A request of theirs, all its parts together; a longer one is refused as damaged
  // (payload_too_long, "spanwire.channel.v1.damaged_requests"), and the connection goes on.
  std::size_t v1_message_bytes_max = wire::kV1MessageBytesMax;
  transport::ZmqOptions zmq;  // of zmq addresses
  std::vector<std::shared_ptr<ServerInterceptor>> interceptors;

  ServerOptions& listen(std::string address, ListenOptions options = {}) {
    listens.push_back({std::move(address), options});
    return *this;
  }
};

}  // namespace spanwire::rpc
