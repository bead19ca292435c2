// The awaitable side of Resolver.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/transport/socket_options.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/transport/resolver.hpp"

namespace spanwire::transport {

using SocketAddresses = std::vector<SocketAddress>;

// The address of a host that is written as a number; none if it is a name.
SocketAddresses numeric_address(const std::string& host, std::uint16_t port);

// All addresses of a name, IPv6 and IPv4 alternating, the system's favourite first.  Blocks.
// Fails with resolve_failed.
Result<SocketAddresses> resolve_now(const std::string& host, std::uint16_t port);

// The same on the resolver's thread.  Fails with resolve_failed, shutting_down, cancelled, and with
// connect_timeout at the deadline.
Task<Result<SocketAddresses>> resolve(Resolver& resolver, std::string host, std::uint16_t port,
                                      MonotonicTime deadline);

}  // namespace spanwire::transport
