// Payloads between Slices and libzmq's messages, without a copy above a bound.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "lib/transport/zmq/copied_part.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::transport {

// Below, a copy is cheaper than a message that remembers whose memory it is.
inline constexpr std::size_t kZmqCopyBelow = wire::kCopyPayloadBelow;

// The part's bytes.  Large ones: the slice takes the part over, which is empty then.  Small ones
// are lent and live as long as the part.
Slice slice_of(ZmqPart& part);

// Where a message came from, "10.0.0.7"; "unknown" inside one process.
std::string peer_of(std::span<ZmqPart> parts);

// Bytes of large payloads that libzmq has and has not written.  Its thread tells when they are, and
// the owner is told on its loop.
class ZmqFlight final : public std::enable_shared_from_this<ZmqFlight> {
 public:
  using Landed = void (*)(void* owner) noexcept;

  ZmqFlight(Loop& loop, std::size_t bytes_max, Landed landed, void* owner) noexcept;

  // On the owner's loop:
  // A part over the slice's memory.
  ZmqPart take(Slice&& payload);
  bool full() const noexcept { return bytes_.load() >= bytes_max_; }
  // Less than half of the room is taken.
  bool roomy() const noexcept { return bytes_.load() < bytes_max_ / 2; }
  // `landed` comes once when half of the room is free again.
  void wait() noexcept;
  // The owner is gone.
  void abandon() noexcept;

 private:
  struct Cargo;
  struct Wake : Job {
    using Job::Job;
    std::shared_ptr<ZmqFlight> flight;  // while posted
  };

  static void unload(void* data, void* cargo) noexcept;
  static void woken(Job* job) noexcept;
  void count_down(std::size_t bytes) noexcept;

  const std::size_t bytes_max_;
  const Landed landed_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<bool> waited_for_{false};
  std::mutex mutex_;  // of what follows
  Loop* loop_;
  void* owner_;  // only on its loop
  Wake wake_;
};

// Whole messages that wait to be handed to libzmq.  A large payload stays a slice until its turn
// has come: what waits here is not in flight.  One thread.
class ZmqQueue {
 public:
  void add(ZmqPart part) { parts_.push_back(std::move(part)); }
  // The parts added since the last end() are a message; `bytes` are what it counts.  `payload`, if
  // there is one, is to become its last part, which was added empty.
  void end(std::size_t bytes, Slice&& payload = {});

  bool empty() const noexcept { return first_message_ == messages_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::span<ZmqPart> front() noexcept {
    return {parts_.data() + first_part_, messages_[first_message_].parts};
  }
  // Not yet a part; empty: there is none, or it is one.
  Slice& front_payload() noexcept { return messages_[first_message_].payload; }
  std::size_t front_bytes() const noexcept { return messages_[first_message_].bytes; }
  void pop();
  void clear() noexcept;

 private:
  struct Message {
    std::size_t parts = 0;
    std::size_t bytes = 0;
    Slice payload;
  };

  std::vector<ZmqPart> parts_;
  std::vector<Message> messages_;
  std::size_t first_part_ = 0;
  std::size_t first_message_ = 0;
  std::size_t ended_parts_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace spanwire::transport
