// ZmqSubscriptions: what each peer of a publisher has subscribed to.  libzmq keeps the prefixes of
// all in a tree, a node for each byte, without a bound, and takes a peer's out when its connection
// ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace spanwire::transport {

// What a prefix counts beside its bytes, however short it is.
inline constexpr std::uint64_t kZmqPrefixBytes = 64;

// One thread at a time.  Pure.
class ZmqSubscriptions {
 public:
  // `bytes_max` of all peers' prefixes, each with kZmqPrefixBytes more.
  explicit ZmqSubscriptions(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // The peer of this descriptor subscribed, or ended that.  False if it had done so before, or had
  // not: then libzmq has the same as before.  Below zero it is one inside the process, or one whose
  // connection has ended: not counted, and always true.
  bool note(int fd, bool begins, std::string_view prefix);
  // Its connection has ended.
  void forget(int fd) noexcept;
  // Who has most, while all together have more than they may.
  std::optional<int> greediest() const noexcept;
  // Its connection is going to end: what it has does not count any more.
  void give_up(int fd) noexcept;
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Peer {
    std::set<std::string, std::less<>> prefixes;
    std::uint64_t bytes = 0;
    bool given_up = false;
  };

  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;  // of those that were not given up
  std::map<int, Peer> peers_;
};

}  // namespace spanwire::transport
