// SendQueue: bytes on their way into the system, as segments for one vectored write.  Heads and
// small payloads are written into shared blocks, larger payloads stay where they are.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

// Payloads below are copied behind their head: measured cheaper than one more segment of the write.
inline constexpr std::size_t kCopyIntoQueueBelow = 4u << 10;

// One thread at a time.
class SendQueue {
 public:
  SendQueue() = default;
  ~SendQueue() { clear(); }
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // Room for `bytes` in one piece at the end; commit() makes them part of the queue.
  std::byte* reserve(std::size_t bytes) {
    if (bytes <= room_) [[likely]]
      return cursor_;
    return reserve_slowly(bytes);
  }
  void commit(std::size_t bytes) noexcept {
    cursor_ += bytes;
    room_ -= bytes;
    open_->size += bytes;
    queued_bytes_ += bytes;
  }
  void append(ByteView bytes);
  // Keeps the slice; it must not be empty.
  void append(Slice&& slice);

  // The first segments as many as fit into `vectors`; returns how many were written there.
  std::size_t fill(std::span<iovec> vectors) const noexcept;
  // The first `bytes` bytes are gone.
  void consume(std::size_t bytes) noexcept;
  void clear() noexcept;

  std::size_t queued_bytes() const noexcept { return queued_bytes_; }
  bool empty() const noexcept { return queued_bytes_ == 0; }

 private:
  struct Segment {
    Slice owner;  // keeps the memory alive
    const std::byte* data = nullptr;
    std::size_t size = 0;
  };

  std::byte* reserve_slowly(std::size_t bytes);
  Segment& push();
  Segment& at(std::size_t index) noexcept { return ring_[(first_ + index) & (ring_.size() - 1)]; }
  const Segment& at(std::size_t index) const noexcept {
    return ring_[(first_ + index) & (ring_.size() - 1)];
  }
  void drop_block() noexcept;

  std::byte* cursor_ = nullptr;  // end of the open segment, inside block_
  std::size_t room_ = 0;         // behind the cursor; 0 when no segment is open
  Segment* open_ = nullptr;
  std::size_t queued_bytes_ = 0;

  Block* block_ = nullptr;      // where heads are written
  std::size_t block_used_ = 0;  // while no segment is open
  std::vector<Segment> ring_;   // a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace spanwire::transport
