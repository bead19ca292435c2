#include "lib/transport/zmq/one_way.hpp"

#include <zmq.h>

#include <algorithm>

#include "spanwire/base/random.hpp"

namespace spanwire::transport {
namespace {

constexpr double kJitter = 0.2;
// The name of the command, and a box of CURVE around it.
constexpr std::size_t kSubscriptionFraming = 64;
// What introduces a peer is a part too.
constexpr std::size_t kHandshakeMax = 4'096;
// Of a publisher: what the system holds of a peer's subscriptions.
constexpr int kSubscriptionsBuffered = 64 << 10;

int to_milliseconds(std::chrono::nanoseconds time, double chance = 1) {
  const double count =
      static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  return static_cast<int>(std::clamp(count * chance, 1.0, 1e9));
}

}  // namespace

int socket_type(OneWayType type) noexcept {
  switch (type) {
    case OneWayType::push:
      return ZMQ_PUSH;
    case OneWayType::pull:
      return ZMQ_PULL;
    case OneWayType::publish:
      return ZMQ_XPUB;
    default:
      return ZMQ_SUB;
  }
}

Result<void> set_one_way(ZmqSocket& socket, OneWayType type, const OneWayTimes& times) {
  const double chance = 1.0 + kJitter * (2.0 * Random::of_thread().unit() - 1.0);
  const int handshake = to_milliseconds(times.handshake);
  SPANWIRE_TRY_VOID(socket.set(ZMQ_IPV6, 1));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_RECONNECT_IVL, to_milliseconds(times.reconnect_first, chance)));
  SPANWIRE_TRY_VOID(
      socket.set(ZMQ_RECONNECT_IVL_MAX, to_milliseconds(times.reconnect_last, chance)));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_HANDSHAKE_IVL, handshake));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_CONNECT_TIMEOUT, handshake));
  if (type != OneWayType::publish) return {};
  // What waits for a subscriber whose connection is gone goes with it.
  SPANWIRE_TRY_VOID(socket.set(ZMQ_IMMEDIATE, 1));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_RCVBUF, kSubscriptionsBuffered));
  // Each subscription of each peer, and its end.
  return socket.set(ZMQ_XPUB_VERBOSER, 1);
}

std::int64_t subscription_part_max(std::size_t prefix_bytes) noexcept {
  return static_cast<std::int64_t>(std::max(prefix_bytes + kSubscriptionFraming, kHandshakeMax));
}

Result<void> subscribe(ZmqSocket& socket, const std::string& prefix) {
  return socket.set(ZMQ_SUBSCRIBE, std::string_view(prefix));
}

ConnectionChange change_of(const ZmqEvent& event) noexcept {
  switch (event.type) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return ConnectionChange::up;
    case ZMQ_EVENT_DISCONNECTED:
      if (event.end == ZmqHandshakes::End::stood) return ConnectionChange::down;
      return event.end == ZmqHandshakes::End::silent ? ConnectionChange::refused
                                                     : ConnectionChange::none;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return ConnectionChange::refused;
    // Of a socket that was to become a connection.
    case ZMQ_EVENT_CLOSED:
      return ConnectionChange::unreachable;
    default:
      return ConnectionChange::none;
  }
}

std::optional<int> ended_descriptor(const ZmqEvent& event) noexcept {
  if (event.type != ZMQ_EVENT_DISCONNECTED) return std::nullopt;
  return event.value;
}

}  // namespace spanwire::transport
