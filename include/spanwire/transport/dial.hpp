// dial: from an address to a Link.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "spanwire/base/task.hpp"
#include "spanwire/transport/address.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/transport/loop.hpp"
#include "spanwire/transport/memory_link.hpp"
#include "spanwire/transport/resolver.hpp"
#include "spanwire/transport/zmq.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::transport {

inline constexpr std::chrono::nanoseconds kConnectTimeout = std::chrono::seconds(5);

class DialOptions {
 public:
  // For all of it: resolving, and connecting to one address after the other.
  std::chrono::nanoseconds connect_timeout = kConnectTimeout;
  std::chrono::nanoseconds write_timeout = wire::kWriteTimeout;
  // Re-arms TCP_QUICKACK before each read; on by itself for dynamo+tcp.
  bool quick_ack = false;
  // For host names; numbers need none.  Outlives the dialling.
  Resolver* resolver = nullptr;
  // Of memory:// links, for both ends; their write_timeout is each end's own.
  MemoryOptions memory;
  // Of zmq addresses.
  ZmqOptions zmq;

  DialOptions() = default;
};

// A link that has not been started, and what it took.
class Dialled {
 public:
  Dialled() = default;

  std::unique_ptr<Link> link;
  std::chrono::nanoseconds resolve{};
  std::chrono::nanoseconds connect{};  // all addresses that were tried
  int attempts = 0;                    // addresses that were tried
};

static_assert(AsyncValue<Address> && AsyncValue<DialOptions> && AsyncValue<Dialled>);

// Tries the addresses of a name in turn, IPv6 and IPv4 alternating, each for its share of what is
// left of the timeout.  `loop` outlives the link.  Runs on `loop`.
// Fails with bad_address (port 0, host *), resolve_failed, connect_failed (every address refused;
// the sentence has each one's reason), connect_timeout, cancelled, invalid_argument (keys for a
// TCP address, over which nothing is encrypted) and the like of key files.
Task<Result<Dialled>> dial(Loop& loop, Address address, DialOptions options);

}  // namespace spanwire::transport
