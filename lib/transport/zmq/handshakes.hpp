// ZmqHandshakes: which of a socket's connections have come to stand.  libzmq tells of each
// connection's beginning and end by its descriptor, of its handshake's outcome without one, and of
// some failures nothing at all.  Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace spanwire::transport {

// One thread at a time.
class ZmqHandshakes {
 public:
  // How a connection was when it ended.
  enum class End : std::uint8_t {
    stood,    // its handshake had succeeded
    failed,   // its handshake had failed, and libzmq has said so
    silent,   // its handshake had not succeeded, and libzmq has not said why
    unknown,  // it was never said to begin
  };

  // `peer` is its name, for failed().
  void begun(int fd, std::string peer);
  void succeeded();
  // The peer whose handshake it was; empty where it may be one of several.
  std::string failed();
  // Where several handshakes are under way it may be taken for another's; the number of those that
  // stand is right again once theirs have ended.
  End ended(int fd);
  // Those that are known to stand.
  const std::set<int>& standing() const noexcept { return standing_; }

 private:
  void settle();

  std::map<int, std::string> open_;  // handshake under way, or its outcome told of one of these
  std::size_t succeeded_ = 0;        // of them
  std::size_t failed_ = 0;
  std::set<int> standing_;
};

}  // namespace spanwire::transport
