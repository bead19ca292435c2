#include "lib/transport/zmq/unfinished.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace spanwire::transport {
namespace {

// To ask of each message whose it is costs more than the message: only while somebody brought so
// much without being asked about.
constexpr std::uint64_t kSuspectBytes = 1u << 20;
constexpr int kReadings = 4;

}  // namespace

std::optional<std::uint64_t> received_bytes(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof(info);
  constexpr std::size_t end =
      offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < end) {
    return std::nullopt;
  }
  return info.tcpi_bytes_received;
}

// What libzmq has not read is the system's, which bounds it.
std::optional<Arrivals> read_arrivals(int fd) noexcept {
  Arrivals now;
  socklen_t size = sizeof(now.cookie);
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &now.cookie, &size) != 0) return std::nullopt;
  for (int reading = 0; reading < kReadings; ++reading) {
    const std::optional<std::uint64_t> before = received_bytes(fd);
    int unread = 0;
    if (!before || ::ioctl(fd, SIOCINQ, &unread) != 0) return std::nullopt;
    if (received_bytes(fd) != before) continue;
    now.bytes = *before - static_cast<std::uint64_t>(unread);
    return now;
  }
  return std::nullopt;
}

ZmqUnfinished::ZmqUnfinished(std::uint64_t message_bytes_max, int unread_max) noexcept
    : message_bytes_max_(message_bytes_max), unread_max_(static_cast<std::uint64_t>(unread_max)) {}

bool ZmqUnfinished::look(int fd, const Arrivals& now) {
  Peer& peer = peers_[fd];
  if (peer.cookie != now.cookie) {
    clear(peer);
    peer = Peer();
    peer.cookie = now.cookie;
  }
  peer.seen = now.bytes;
  const std::uint64_t bytes = peer.seen - peer.from;
  if (peer.suspect) return bytes > message_bytes_max_;
  if (bytes <= kSuspectBytes) return false;
  peer.suspect = true;
  peer.from = peer.seen;
  peer.heard_before = heard_;
  ++suspects_;
  return false;
}

bool ZmqUnfinished::is_endless(int fd, const Unread& unread) const {
  const Peer& peer = peers_.at(fd);
  // Nobody's messages wait, so none of its; or its turn came and it had none.
  if (!unread.any || heard_ - peer.heard_before > 2 * unread.peers) return true;
  // Otherwise all that may wait are perhaps its, and as large as they may be.
  return unread_max_ != 0 && (peer.seen - peer.from) / (unread_max_ + 1) > message_bytes_max_;
}

void ZmqUnfinished::clear(Peer& peer) noexcept {
  if (!peer.suspect) return;
  peer.suspect = false;
  peer.from = peer.seen;
  --suspects_;
}

void ZmqUnfinished::heard(int fd) noexcept {
  ++heard_;
  if (const auto peer = peers_.find(fd); peer != peers_.end()) clear(peer->second);
}

void ZmqUnfinished::forget(int fd) noexcept {
  const auto peer = peers_.find(fd);
  if (peer == peers_.end()) return;
  clear(peer->second);
  peers_.erase(peer);
}

}  // namespace spanwire::transport
