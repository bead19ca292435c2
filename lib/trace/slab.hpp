// The places of open spans: a bounded slab, taken and given back in batches without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "spanwire/trace/detail/record_layout.hpp"

namespace spanwire::trace::detail {

class Core;

inline constexpr std::size_t kOpenRecordBytes = 1024;
inline constexpr std::uint32_t kNoSlot = 0xFFFF'FFFFu;

// What the limits leave to a record; copied in one piece when it begins.
struct Budget {
  std::uint32_t room;  // bytes behind the items
  std::uint16_t attributes;
  std::uint16_t events;
  std::uint32_t value_chars_max;
  std::uint16_t links;
  std::uint16_t unused;
};

// A span that is open.  Header and inline items lie in one piece: most spans end with one copy.
struct alignas(64) OpenRecord {
  Core* core;
  std::byte* items;  // inline_items, or a block of the arena
  std::byte* at;     // behind the last item
  Budget left;
  std::uint64_t key_filter;  // a bit for each key that is set: most new keys need no search
  std::uint32_t head_at;     // of the event or link that is being written
  std::uint32_t index;
  // Atomic: a thread that loses the race for a batch may still read them.
  std::atomic<std::uint32_t> next_in_batch;
  std::atomic<std::uint32_t> next_batch;
  RecordHeader header;
  std::byte inline_items[kOpenRecordBytes - 64 - sizeof(RecordHeader)];

  std::uint32_t used() const noexcept { return static_cast<std::uint32_t>(at - items); }
  std::uint32_t capacity() const noexcept { return used() + left.room; }
  bool external() const noexcept { return items != inline_items; }
};
static_assert(sizeof(OpenRecord) == kOpenRecordBytes);

// Safe from any thread.
class Slab {
 public:
  // Reserves address space; memory is committed as places are first used.
  explicit Slab(std::size_t records_max);
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  OpenRecord* at(std::uint32_t index) noexcept { return records_ + index; }
  // Up to `count` free places into `out`; fewer, or none, when the slab is used up.
  std::uint32_t take(std::uint32_t* out, std::uint32_t count) noexcept;
  // `count` > 0.
  void give(const std::uint32_t* slots, std::uint32_t count) noexcept;

 private:
  OpenRecord* records_ = nullptr;
  std::uint32_t records_max_ = 0;
  std::atomic<std::uint32_t> untouched_{0};
  // The first batch of the free list and, above it, a number that changes with each take.
  std::atomic<std::uint64_t> free_{kNoSlot};
};

inline constexpr std::size_t kPageBytes = 4096;
// Memory straight from the system, zeroed and committed on first use; null when there is none.
// `alignment`: a power of two; for one above a page, `bytes` are whole pages.
void* reserve_memory(std::size_t bytes, std::size_t alignment = kPageBytes) noexcept;
void release_memory(void* memory, std::size_t bytes) noexcept;

}  // namespace spanwire::trace::detail
