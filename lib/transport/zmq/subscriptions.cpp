#include "lib/transport/zmq/subscriptions.hpp"

#include <algorithm>

namespace spanwire::transport {

// The prefixes themselves are kept: whoever could end what it never began would have room without
// end.
bool ZmqSubscriptions::note(int fd, bool begins, std::string_view prefix) {
  if (fd < 0) return true;
  const std::uint64_t bytes = prefix.size() + kZmqPrefixBytes;
  if (begins) {
    Peer& peer = peers_[fd];
    if (!peer.prefixes.emplace(prefix).second) return false;
    peer.bytes += bytes;
    if (!peer.given_up) bytes_ += bytes;
    return true;
  }
  const auto known = peers_.find(fd);
  if (known == peers_.end()) return false;
  Peer& peer = known->second;
  const auto ended = peer.prefixes.find(prefix);
  if (ended == peer.prefixes.end()) return false;
  peer.prefixes.erase(ended);
  peer.bytes -= bytes;
  if (!peer.given_up) bytes_ -= bytes;
  return true;
}

void ZmqSubscriptions::forget(int fd) noexcept {
  give_up(fd);
  peers_.erase(fd);
}

void ZmqSubscriptions::give_up(int fd) noexcept {
  const auto peer = peers_.find(fd);
  if (peer == peers_.end() || peer->second.given_up) return;
  bytes_ -= peer->second.bytes;
  peer->second.given_up = true;
}

std::optional<int> ZmqSubscriptions::greediest() const noexcept {
  if (bytes_ <= bytes_max_) return std::nullopt;
  const auto counts = [](const auto& peer) { return peer.second.given_up ? 0 : peer.second.bytes; };
  const auto most = std::max_element(
      peers_.begin(), peers_.end(),
      [&](const auto& left, const auto& right) { return counts(left) < counts(right); });
  return most->first;
}

}  // namespace spanwire::transport
