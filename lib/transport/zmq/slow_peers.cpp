#include "lib/transport/zmq/slow_peers.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "lib/transport/socket_options.hpp"

namespace spanwire::transport {
namespace {

constexpr std::uint64_t kSlowerThanFastest = 4;

}  // namespace

ConnectionReading read_connection(int fd) noexcept {
  ConnectionReading reading;
  int unsent = 0;
  if (::ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent > 0) {
    reading.unsent = static_cast<std::uint64_t>(unsent);
  }
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
    reading.sent = info.tcpi_bytes_acked;
  }
  return reading;
}

std::string peer_text(int fd) { return endpoint_text(peer_address(fd)); }

void hang_up(int fd) noexcept {
  // Once its owner closes it nothing of it stays in the system, whatever the peer does.
  const linger none{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  ::shutdown(fd, SHUT_RDWR);
}

// What it has taken since the look before; none if it was not there then.
std::optional<std::uint64_t> ZmqSlowPeers::taken(int fd, const ConnectionReading& now) const {
  const auto before = last_.find(fd);
  // One that took less than before is another under the same number.
  if (before == last_.end() || now.sent < before->second.sent) return std::nullopt;
  return now.sent - before->second.sent;
}

std::vector<int> ZmqSlowPeers::look(Readings now) {
  std::uint64_t fastest = 0;
  for (const auto& [fd, reading] : now) fastest = std::max(fastest, taken(fd, reading).value_or(0));
  std::vector<int> slow;
  for (const auto& [fd, reading] : now) {
    const std::optional<std::uint64_t> moved = taken(fd, reading);
    const std::uint64_t waited = moved ? last_.at(fd).unsent : 0;
    if (waited == 0 || reading.unsent == 0) continue;
    const bool stands = *moved == 0 && reading.unsent == waited;
    if (stands || *moved < fastest / kSlowerThanFastest) slow.push_back(fd);
  }
  last_ = std::move(now);
  return slow;
}

}  // namespace spanwire::transport
