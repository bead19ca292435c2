// Memory for records that outgrow their place: bounded, and used again.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "lib/base/spin_lock.hpp"

namespace spanwire::trace::detail {

// Blocks are taken on the threads that record and given back on the one that exports: with lists
// for each thread those of the one would always be empty, and those of the other full.  Safe from
// any thread.
class Arena {
 public:
  explicit Arena(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Null when `bytes_max` is taken, or without memory.
  std::byte* take(std::size_t bytes) noexcept;
  // `bytes` is what was asked for.
  void give(std::byte* block, std::size_t bytes) noexcept;

 private:
  // Of 2, 4, 8 and 16 KiB; larger ones go to the heap.
  static constexpr std::size_t kSmallest = 2048;
  static constexpr std::size_t kClasses = 4;
  static constexpr std::size_t kKeptBytesMax = 4u << 20;  // of each class
  struct Free {
    Free* next;
  };
  struct alignas(64) Class {
    SpinLock mutex;
    Free* first = nullptr;
    std::size_t kept_bytes = 0;
  };
  static std::size_t class_of(std::size_t bytes) noexcept;  // kClasses: none
  std::byte* take_kept(std::size_t index) noexcept;
  bool keep(std::size_t index, std::byte* block) noexcept;

  const std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_{0};
  std::array<Class, kClasses> classes_;
};

}  // namespace spanwire::trace::detail
