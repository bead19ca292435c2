// Memory for short-lived objects: free lists per thread and size class, no lock on either path.
// Classes: every 64 bytes up to 1 KiB, then powers of two up to 256 KiB; larger goes to the heap.
// Safe from any thread: memory freed on another thread joins that thread's lists.  What a thread
// keeps is bounded by kPoolKeptBytesPerThreadMax and given back when the thread ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanwire {

inline constexpr std::size_t kPoolKeptBytesPerThreadMax = 8u << 20;

// Memory of at least `bytes` bytes, aligned for any type; never null (throws std::bad_alloc).
void* pool_allocate(std::size_t bytes);
// `bytes` is what was asked for at allocation.
void pool_free(void* memory, std::size_t bytes) noexcept;

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
