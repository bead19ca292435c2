// What is special to sockets of one-way messages, in libzmq's words.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "lib/transport/zmq/monitor.hpp"
#include "lib/transport/zmq/socket.hpp"

namespace spanwire::transport {

enum class OneWayType : std::uint8_t { push, pull, publish, subscribe };

// What ZmqSocket::open() takes.  A publisher's socket is one that hears of subscriptions.
int socket_type(OneWayType type) noexcept;

struct OneWayTimes {
  std::chrono::nanoseconds reconnect_first{};
  std::chrono::nanoseconds reconnect_last{};
  std::chrono::nanoseconds handshake{};
};
// Reconnects by itself, so that what waits in a connection survives it.  libzmq doubles the pause
// and adds no chance to it: both pauses are drawn for each socket.
Result<void> set_one_way(ZmqSocket& socket, OneWayType type, const OneWayTimes& times);
// Of what peers send to a publisher, which are subscriptions to prefixes of so many bytes.
std::int64_t subscription_part_max(std::size_t prefix_bytes) noexcept;
Result<void> subscribe(ZmqSocket& socket, const std::string& prefix);

// refused: by its handshake; unreachable: there was nobody to begin one with.
enum class ConnectionChange : std::uint8_t { none, up, down, refused, unreachable };
ConnectionChange change_of(const ZmqEvent& event) noexcept;
// The descriptor of a connection that has ended, however it was.
std::optional<int> ended_descriptor(const ZmqEvent& event) noexcept;

}  // namespace spanwire::transport
