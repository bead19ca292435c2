#include "lib/trace/slab.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace spanwire::trace::detail {

void* reserve_memory(std::size_t bytes, std::size_t alignment) noexcept {
  const std::size_t more = alignment > kPageBytes ? alignment : 0;
  void* const memory = mmap(nullptr, bytes + more, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || more == 0) return memory == MAP_FAILED ? nullptr : memory;
  auto* const begin = static_cast<std::byte*>(memory);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) & (alignment - 1);
  if (before != 0) munmap(begin, before);
  if (before != more) munmap(begin + before + bytes, more - before);
  return begin + before;
}

void release_memory(void* memory, std::size_t bytes) noexcept {
  if (memory != nullptr) munmap(memory, bytes);
}

Slab::Slab(std::size_t records_max) {
  const std::size_t records = std::clamp<std::size_t>(records_max, 1, kNoSlot / 2);
  records_ = static_cast<OpenRecord*>(reserve_memory(records * sizeof(OpenRecord)));
  if (records_ != nullptr) records_max_ = static_cast<std::uint32_t>(records);
}

Slab::~Slab() { release_memory(records_, std::size_t{records_max_} * sizeof(OpenRecord)); }

std::uint32_t Slab::take(std::uint32_t* out, std::uint32_t count) noexcept {
  std::uint64_t head = free_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(head) != kNoSlot) {
    OpenRecord* first = at(static_cast<std::uint32_t>(head));
    const std::uint64_t next = first->next_batch.load(std::memory_order_relaxed);
    const std::uint64_t tag = (head >> 32) + 1;
    if (!free_.compare_exchange_weak(head, tag << 32 | next, std::memory_order_acquire)) continue;
    std::uint32_t taken = 0;
    std::uint32_t slot = static_cast<std::uint32_t>(head);
    while (slot != kNoSlot && taken < count) {
      out[taken++] = slot;
      slot = at(slot)->next_in_batch.load(std::memory_order_relaxed);
    }
    // Batches are given back no larger than they are asked for, so nothing is left over here.
    return taken;
  }
  // No free batch: places that were never used.
  std::uint32_t first = untouched_.load(std::memory_order_relaxed);
  std::uint32_t taken = 0;
  do {
    taken = std::min(count, records_max_ - first);
    if (taken == 0) return 0;
  } while (!untouched_.compare_exchange_weak(first, first + taken, std::memory_order_relaxed));
  for (std::uint32_t i = 0; i < taken; ++i) {
    out[i] = first + i;
    at(out[i])->index = out[i];
  }
  return taken;
}

void Slab::give(const std::uint32_t* slots, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    at(slots[i])->next_in_batch.store(i + 1 < count ? slots[i + 1] : kNoSlot,
                                      std::memory_order_relaxed);
  }
  OpenRecord* first = at(slots[0]);
  std::uint64_t head = free_.load(std::memory_order_relaxed);
  std::uint64_t mine = 0;
  do {
    first->next_batch.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
    mine = (head >> 32) << 32 | slots[0];
  } while (!free_.compare_exchange_weak(head, mine, std::memory_order_release,
                                        std::memory_order_relaxed));
}

}  // namespace spanwire::trace::detail
