// Payloads between Slices and libzmq's messages, without a copy above a bound.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "lib/transport/zmq/copied_part.hpp"
#include "lib/transport/zmq/part.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/transport/loop.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/multipart.hpp"

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

// A message on its way out.
class ZmqOut {
 public:
  // Behind the others.
  void add_empty() noexcept { ++count_; }
  void add_copy(ByteView bytes) {
    add_envelope(bytes);
    bytes_ += bytes.size();
  }
  // A copy that is not counted.
  void add_envelope(ByteView bytes) { copy_part(parts_[count_++], bytes); }
  // The last part.  It stays a slice until libzmq may have it: what waits is not in flight.
  void add_payload(Slice&& payload) noexcept {
    bytes_ += payload.size();
    payload_ = std::move(payload);
    add_empty();
  }

  std::span<ZmqPart> parts() noexcept { return {parts_.data(), count_}; }
  // Not yet a part; empty: there is none, or it is one.
  Slice& payload() noexcept { return payload_; }
  // What it counts in its link.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  // Of the longest message of ours, with the identity and the delimiter in front.
  static constexpr std::size_t kPartsMax = wire::kPartsMax + 2;

  std::array<ZmqPart, kPartsMax> parts_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  Slice payload_;
};

}  // namespace spanwire::transport
