// A byte ring for one writer and one reader, of entries that begin with a RecordHeader.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "spanwire/trace/detail/record_layout.hpp"

namespace spanwire::trace::detail {

// reserve() and publish() on the writer's thread, readable(), at(), commit() and ready_ahead() on
// the reader's. Positions only grow; the place in memory is a position modulo the capacity.
class Ring {
 public:
  // `capacity`: a power of two, at least 4 KiB.  Without memory the ring is full for ever.
  explicit Ring(std::size_t capacity) noexcept;
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Room for one entry of `bytes` (a multiple of 8) in one piece; null when full.
  std::byte* reserve(std::size_t bytes) noexcept {
    const std::uint64_t tail = tail_;
    const std::size_t place = tail & (capacity_ - 1);
    if (tail + bytes > watch_at_ || can_start_over(tail, place)) [[unlikely]]
      return reserve_slowly(bytes);
    return memory_ + place;
  }
  // Makes `bytes` of the entry that was reserved visible.  True when the reader should hurry: much
  // is waiting.
  bool publish(const std::byte* entry, std::size_t bytes) noexcept {
    const std::uint64_t tail = tail_ + bytes;
    tail_ = tail;
    shared_tail_.store(tail, std::memory_order_release);
    fetch_ahead(entry + bytes);
    return hurry_ && std::exchange(hurry_, false);
  }

  // Positions of what can be read; begin == end when there is nothing.
  struct Readable {
    std::uint64_t begin;
    std::uint64_t end;
  };
  Readable readable() const noexcept {
    // In this order: whoever sees the end of an entry sees the head that was moved for it.
    const std::uint64_t end = shared_tail_.load(std::memory_order_acquire);
    const std::uint64_t begin = shared_head_.load(std::memory_order_acquire);
    return {begin, begin < end ? end : begin};
  }
  std::byte* at(std::uint64_t position) const noexcept {
    return memory_ + (position & (capacity_ - 1));
  }
  // Everything before `position`, which is behind begin, has been read and may be overwritten.
  void commit(std::uint64_t position) noexcept {
    shared_head_.store(position, std::memory_order_release);
  }

  // With so much waiting: brings in memory that the writer is about to come to, in huge pages,
  // which spare both most of their page walks.  Not the writer's work: a page takes 100 us, and
  // more where the machine's memory is in pieces.  For a thread that never has much waiting nothing
  // is done.
  void ready_ahead(std::uint64_t waiting) noexcept {
    if (waiting >= kHugePageBytes / 2 && huge_to_ < capacity_) [[unlikely]]
      ready_huge_page();
  }

  // From any thread, approximate.
  bool at_most_half_full() const noexcept {
    const Readable waiting = readable();
    return waiting.end - waiting.begin <= capacity_ / 2;
  }

 private:
  // An empty ring is written from its beginning again: memory that is warm, instead of the next
  // cold page.  Not before a stretch of it is used, or a reader that keeps up would turn each span
  // into a start.
  bool can_start_over(std::uint64_t tail, std::size_t place) const noexcept {
    return shared_head_.load(std::memory_order_relaxed) == tail && place >= kStretchBytes;
  }
  std::byte* reserve_slowly(std::size_t bytes) noexcept;
  void skip(std::size_t bytes) noexcept;
  void touch_ahead(std::uint64_t lap, std::size_t bytes) noexcept;
  void ready_huge_page() noexcept;
  // The lines that later entries will be written to were last read on the reader's core: getting
  // them back takes as long as writing several spans, and goes on meanwhile.
  static void fetch_ahead(const std::byte* next) noexcept {
    constexpr std::size_t kAhead = 3072;
    constexpr std::size_t kAtATime = 256;  // about an entry
    next += kAhead;
    for (std::size_t line = 0; line < kAtATime; line += 64) {
#if defined(__x86_64__)
      // The builtin fetches for reading only, unless the compiler may assume newer machines.
      asm volatile("prefetchw %0" : : "m"(next[line]));
#else
      __builtin_prefetch(next + line, 1);
#endif
    }
  }

  // How much is written between two looks at the reader, and at least before starting over.
  static constexpr std::size_t kStretchBytes = 64u << 10;

  static constexpr std::size_t kHugePageBytes = 2u << 20;

  std::byte* memory_ = nullptr;
  std::size_t capacity_;
  // The writer's own.  Up to watch_at_ there is room for certain, in one piece, and nothing else to
  // look after.
  std::uint64_t tail_ = 0;
  std::uint64_t watch_at_ = 0;
  bool hurry_ = false;
  std::size_t touched_ = 0;  // bytes from the beginning of memory_

  alignas(64) std::atomic<std::uint64_t> shared_tail_{0};
  alignas(64) std::atomic<std::uint64_t> shared_head_{0};
  // The reader's own: up to where it has thought of huge pages, from the beginning of memory_.
  std::size_t huge_to_ = kHugePageBytes;
};

}  // namespace spanwire::trace::detail
