// Memory for short-lived objects: free lists per thread and size class, no lock on either path.
// Classes: every 64 bytes up to 1 KiB, then powers of two up to 256 KiB; larger goes to the heap.
// Safe from any thread: memory freed on another thread joins that thread's lists.  What a thread
// keeps is bounded by kPoolKeptBytesPerThreadMax and given back when the thread ends.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace spanwire {

inline constexpr std::size_t kPoolKeptBytesPerThreadMax = 8u << 20;

namespace detail {

inline constexpr std::size_t kPoolStep = 64;
inline constexpr std::size_t kPoolSmallMax = 1024;
inline constexpr std::size_t kPoolSmallClasses = kPoolSmallMax / kPoolStep + 1;  // 0 is not used
inline constexpr std::size_t kPoolClasses = kPoolSmallClasses + 8;  // 2, 4, ... 256 KiB

// Under the address sanitizer everything goes to the heap, where it sees each use after free.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kPoolKeeps = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kPoolKeeps = false;
#else
inline constexpr bool kPoolKeeps = true;
#endif
#else
inline constexpr bool kPoolKeeps = true;
#endif

struct PoolItem {
  PoolItem* next;
};

// A thread's lists.
struct PoolLists {
  std::array<PoolItem*, kPoolClasses> free{};
  std::size_t kept_bytes = 0;
  std::atomic<std::int64_t> live{0};
  std::atomic<bool> in_use{true};
  PoolLists* next = nullptr;

  void count(std::int64_t by) noexcept {
    live.store(live.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

// Null before a thread's first allocation and after its end.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local PoolLists* pool_lists;

void* pool_allocate_slowly(std::size_t bytes);
void pool_free_slowly(void* memory, std::size_t bytes) noexcept;

}  // namespace detail

// Memory of at least `bytes` bytes, aligned for any type; never null (throws std::bad_alloc).
inline void* pool_allocate(std::size_t bytes) {
  using namespace detail;
  PoolLists* const lists = pool_lists;
  const std::size_t index = (bytes + kPoolStep - 1) / kPoolStep;
  if (lists != nullptr && index < kPoolSmallClasses) [[likely]] {
    if (PoolItem* const item = lists->free[index]; item != nullptr) [[likely]] {
      lists->free[index] = item->next;
      lists->kept_bytes -= index * kPoolStep;
      lists->count(1);
      return item;
    }
  }
  return pool_allocate_slowly(bytes);
}

// `bytes` is what was asked for at allocation.
inline void pool_free(void* memory, std::size_t bytes) noexcept {
  using namespace detail;
  PoolLists* const lists = pool_lists;
  const std::size_t index = (bytes + kPoolStep - 1) / kPoolStep;
  if (kPoolKeeps && lists != nullptr && memory != nullptr && index - 1 < kPoolSmallClasses - 1 &&
      lists->kept_bytes < kPoolKeptBytesPerThreadMax - kPoolSmallMax) [[likely]] {
    auto* const item = static_cast<PoolItem*>(memory);
    item->next = lists->free[index];
    lists->free[index] = item;
    lists->kept_bytes += index * kPoolStep;
    lists->count(-1);
    return;
  }
  pool_free_slowly(memory, bytes);
}

// The room that an allocation of `bytes` really has.
std::size_t pool_capacity(std::size_t bytes) noexcept;

// Allocations that are alive in the process, for leak checks in tests.  Approximate while threads
// run.
std::int64_t pool_live() noexcept;

// Base that gives a class operator new and delete from the pool.
struct Pooled {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept {
    pool_free(memory, bytes);
  }
};

}  // namespace spanwire
