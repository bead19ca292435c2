// ZmqSlowPeers: who keeps the room of a publisher full, which all of its peers share.  libzmq
// counts messages and not bytes, and does not say which peer they wait for; the system knows what
// each connection has not sent yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace spanwire::transport {

// What the system says of a connection.
struct ConnectionReading {
  std::uint64_t unsent = 0;  // bytes that the peer has not taken
  std::uint64_t sent = 0;    // bytes that it has taken so far; 0 where that is not told (ipc)
};
// All zero for a descriptor that is none.
ConnectionReading read_connection(int fd) noexcept;
// Its peer's address, for the log; empty where it has none.
std::string peer_text(int fd);
// Ends it for both sides, whoever owns the descriptor.
void hang_up(int fd) noexcept;

// One thread at a time.  Pure.
class ZmqSlowPeers {
 public:
  using Readings = std::map<int, ConnectionReading>;  // by descriptor

  // Looked at from time to time while there is no room.  The descriptors of those for whom bytes
  // were waiting at this look and at the one before, and that took none between, or, where
  // others did, less than a quarter of what the fastest took.
  std::vector<int> look(Readings now);
  // There is room: the next look is the first.
  void forget() noexcept { last_.clear(); }

 private:
  std::optional<std::uint64_t> taken(int fd, const ConnectionReading& now) const;

  Readings last_;
};

}  // namespace spanwire::transport
