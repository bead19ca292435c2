// ZmqUnfinished: which peers begin a message and never end it.  libzmq keeps the parts of a message
// until its last one has come, however many they are, and tells nobody; the system knows how many
// bytes a connection brought.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace spanwire::transport {

// Bytes that came over a tcp connection, whether they were read or not; nothing for any other
// descriptor: of ipc the system does not count them.
std::optional<std::uint64_t> received_bytes(int fd) noexcept;

// The same, by whom.
struct Arrivals {
  std::uint64_t bytes = 0;  // that the process has read
  std::uint64_t cookie =
      0;  // the system's own name of the socket: its number may be another's soon
};
// Nothing where received_bytes() is nothing, and where so much comes that two readings never agree:
// look again later.
std::optional<Arrivals> read_arrivals(int fd) noexcept;

// One thread at a time.  Pure.
class ZmqUnfinished {
 public:
  // `unread_max`: whole messages of one peer that libzmq holds; 0: no bound.
  ZmqUnfinished(std::uint64_t message_bytes_max, int unread_max) noexcept;

  // Looked at after bytes came.  True: more than a message has, and none was received.
  bool look(int fd, const Arrivals& now);
  // What is known, after that look, of messages that came and were not received yet.
  struct Unread {
    bool any = true;
    // Peers that libzmq takes messages from, in turn: none is left out for so many messages.
    std::size_t peers = 0;
  };
  // After a look that was true: whether none waits either.
  bool is_endless(int fd, const Unread& unread) const;
  void forget(int fd) noexcept;

  // Somebody is under suspicion: each message that is received is to be told.
  bool asks() const noexcept { return suspects_ != 0; }
  // A whole message of this connection was received.
  void heard(int fd) noexcept;

  std::uint64_t message_bytes_max() const noexcept { return message_bytes_max_; }

 private:
  struct Peer {
    std::uint64_t cookie = 0;
    std::uint64_t from = 0;  // bytes before the message that is judged, or some of it
    std::uint64_t seen = 0;  // bytes at the last look
    bool suspect = false;
    std::uint64_t heard_before = 0;  // messages, when suspicion began
  };

  void clear(Peer& peer) noexcept;

  const std::uint64_t message_bytes_max_;
  const std::uint64_t unread_max_;
  std::unordered_map<int, Peer> peers_;
  std::size_t suspects_ = 0;
  std::uint64_t heard_ = 0;
};

}  // namespace spanwire::transport
