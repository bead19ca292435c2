// Memory for one Asio operation inside the object that starts it, so that waiting allocates
// nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

namespace spanwire::transport {

// Room for one operation at a time; a second one, or a larger one, falls back to the heap.
// Safe from any thread: an operation may be made on one thread and freed on another.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* allocate(std::size_t bytes) {
    if (bytes <= sizeof(room_) && !used_.load(std::memory_order_acquire)) {
      used_.store(true, std::memory_order_relaxed);
      return room_;
    }
    return ::operator new(bytes);
  }
  void free(void* memory) noexcept {
    if (memory == room_) {
      used_.store(false, std::memory_order_release);
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::byte room_[208];
  // Never two allocations at once: whoever starts the operation owns it until it has run.
  std::atomic<bool> used_{false};
};

// The allocator that Asio asks a handler for.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(HandlerMemory& memory) noexcept : memory_(&memory) {}
  template <class U>
  HandlerAllocator(const HandlerAllocator<U>& other) noexcept
      : memory_(other.memory()) {}  // NOLINT

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { memory_->free(memory); }
  HandlerMemory* memory() const noexcept { return memory_; }

  template <class U>
  bool operator==(const HandlerAllocator<U>& other) const noexcept {
    return memory_ == other.memory();
  }

 private:
  HandlerMemory* memory_;
};

}  // namespace spanwire::transport
