#include "spanwire/base/pool.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <new>

#include "spanwire/base/assert.hpp"

namespace spanwire {
namespace {

using detail::kPoolClasses;
using detail::kPoolSmallClasses;
using detail::kPoolSmallMax;
using detail::kPoolStep;
using detail::pool_lists;
using detail::PoolItem;
using Lists = detail::PoolLists;

constexpr std::size_t kLargeMax = 256u << 10;

std::size_t class_of(std::size_t bytes) noexcept {
  if (bytes <= kPoolSmallMax) return bytes == 0 ? 1 : (bytes + kPoolStep - 1) / kPoolStep;
  return kPoolSmallClasses + static_cast<std::size_t>(std::bit_width((bytes - 1) >> 11));
}

std::size_t class_bytes(std::size_t index) noexcept {
  if (index < kPoolSmallClasses) return index * kPoolStep;
  return std::size_t{2048} << (index - kPoolSmallClasses);
}

// Ends of live counters of threads that are gone.
std::atomic<std::int64_t> live_of_ended_threads{0};

// Nodes are never freed: an ended thread's node is used again.
constinit std::atomic<Lists*> first_lists{nullptr};

Lists* claim_lists() {
  for (Lists* lists = first_lists.load(std::memory_order_acquire); lists != nullptr;
       lists = lists->next) {
    bool expected = false;
    if (!lists->in_use.load(std::memory_order_relaxed) &&
        lists->in_use.compare_exchange_strong(expected, true, std::memory_order_acquire)) {
      return lists;
    }
  }
  auto* lists = new Lists;
  Lists* first = first_lists.load(std::memory_order_relaxed);
  do {
    lists->next = first;
  } while (!first_lists.compare_exchange_weak(first, lists, std::memory_order_release));
  return lists;
}

void drain(Lists& lists) noexcept {
  for (PoolItem*& head : lists.free) {
    while (head != nullptr) {
      PoolItem* item = head;
      head = item->next;
      ::operator delete(item);
    }
  }
  lists.kept_bytes = 0;
}

struct Holder {
  ~Holder();
};

// Plain pointers, so that the hot path has no initialisation check.
constinit thread_local bool ended = false;
thread_local Holder holder;

Holder::~Holder() {
  if (pool_lists != nullptr) {
    drain(*pool_lists);
    pool_lists->in_use.store(false, std::memory_order_release);
    pool_lists = nullptr;
  }
  ended = true;
}

[[gnu::noinline]] Lists* lists_of_new_thread() {
  if (ended) return nullptr;
  static_cast<void>(&holder);
  pool_lists = claim_lists();
  asm volatile("" : : "r"(&holder) : "memory");  // makes the thread-local holder, whose end drains
  return pool_lists;
}

}  // namespace

constinit thread_local Lists* detail::pool_lists = nullptr;

void* detail::pool_allocate_slowly(std::size_t bytes) {
  Lists* lists = pool_lists != nullptr ? pool_lists : lists_of_new_thread();
  if (lists == nullptr) {
    live_of_ended_threads.fetch_add(1, std::memory_order_relaxed);
    return ::operator new(bytes <= kLargeMax ? class_bytes(class_of(bytes)) : bytes);
  }
  lists->count(1);
  if (bytes > kLargeMax) return ::operator new(bytes);
  const std::size_t index = class_of(bytes);
  PoolItem* item = lists->free[index];
  if (item == nullptr) return ::operator new(class_bytes(index));
  lists->free[index] = item->next;
  lists->kept_bytes -= class_bytes(index);
  return item;
}

void detail::pool_free_slowly(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  Lists* lists = pool_lists != nullptr ? pool_lists : lists_of_new_thread();
  if (lists == nullptr) {
    live_of_ended_threads.fetch_sub(1, std::memory_order_relaxed);
    ::operator delete(memory);
    return;
  }
  lists->count(-1);
  const std::size_t index = bytes <= kLargeMax ? class_of(bytes) : kPoolClasses;
  if (!kPoolKeeps || index == kPoolClasses ||
      lists->kept_bytes + class_bytes(index) > kPoolKeptBytesPerThreadMax) {
    ::operator delete(memory);
    return;
  }
  auto* item = static_cast<PoolItem*>(memory);
  item->next = lists->free[index];
  lists->free[index] = item;
  lists->kept_bytes += class_bytes(index);
}

std::size_t pool_capacity(std::size_t bytes) noexcept {
  return bytes <= kLargeMax ? class_bytes(class_of(bytes)) : bytes;
}

std::int64_t pool_live() noexcept {
  std::int64_t sum = live_of_ended_threads.load(std::memory_order_relaxed);
  for (const Lists* lists = first_lists.load(std::memory_order_acquire); lists != nullptr;
       lists = lists->next) {
    sum += lists->live.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace spanwire
