// The lock of a slot.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "lib/base/membarrier.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::journey {

// A lock that is taken for one generation of what it guards: taking it finds out whether a handle
// is still good and keeps others away.  Held for nanoseconds.
//
// It can be biased to the thread that is expected to take it nearly always.  That thread takes it
// with plain stores, where a compare-and-swap would wait until everything that was written before
// it, spans among it, has left the core.  The first other thread that comes pays for a fence on all
// cores and ends the bias.  In all of its generations it is biased to one and the same thread or to
// none: a second one's stores could meet those of the first, which comes late with an old handle.
class SlotLock {
 public:
  std::uint32_t generation() const noexcept { return word_.load(std::memory_order_acquire) >> 1; }

  // Of a slot that was just taken: nobody else comes before it is alive.
  void lock_new() noexcept {
    as_owner_ = false;
    word_.store(word_.load(std::memory_order_relaxed) | kLocked, std::memory_order_relaxed);
  }
  // False if the generation is over, or the slot is a forked child's copy of its parent's.
  bool lock(std::uint32_t generation) noexcept {
    if (owner_.load(std::memory_order_relaxed) == this_thread() && lock_as_owner(generation))
        [[likely]] {
      return true;
    }
    return lock_shared(generation);
  }
  void unlock() noexcept {
    if (as_owner_) [[likely]] {
      inside_.store(false, std::memory_order_release);
    } else {
      word_.store(word_.load(std::memory_order_relaxed) & ~kLocked, std::memory_order_release);
    }
  }
  // Ends the generation.
  void unlock_and_retire() noexcept {
    if (!std::exchange(as_owner_, false)) {
      word_.store((word_.load(std::memory_order_relaxed) | kLocked) + 1, std::memory_order_release);
      return;
    }
    // Another thread may have locked the word and be waiting for this one to come out.
    word_.fetch_add(kGeneration, std::memory_order_release);
    inside_.store(false, std::memory_order_release);
  }
  // From here on this thread is the one that takes it, if it is the first that ever was.  Under the
  // lock, or before anybody else knows of the generation.
  void bias() noexcept {
    if (as_owner_ || !has_membarrier()) return;
    if (first_owner_ == nullptr) first_owner_ = this_thread();
    if (first_owner_ == this_thread()) owner_.store(first_owner_, std::memory_order_relaxed);
  }
  // Of a forked child's parent.
  bool foreign() const noexcept {
    return fork_.load(std::memory_order_relaxed) != fork_generation();
  }
  // Of a slot that was just taken, before anybody else knows it.
  void adopt() noexcept;

 private:
  static constexpr std::uint32_t kLocked = 1;
  static constexpr std::uint32_t kGeneration = 2;

  static const void* this_thread() noexcept {
    [[gnu::tls_model("initial-exec")]] static thread_local constinit char thread = 0;
    return &thread;
  }
  bool lock_as_owner(std::uint32_t generation) noexcept {
    inside_.store(true, std::memory_order_relaxed);
    light_fence();
    if (owner_.load(std::memory_order_acquire) == this_thread() &&
        word_.load(std::memory_order_acquire) == generation << 1 && !foreign()) [[likely]] {
      as_owner_ = true;
      return true;
    }
    inside_.store(false, std::memory_order_release);
    return false;
  }
  bool lock_shared(std::uint32_t generation) noexcept;
  bool lock_word(std::uint32_t generation) noexcept;
  bool end_bias(std::uint32_t generation) noexcept;

  // The generation, and whether it is locked by other means than the owner's.
  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> fork_{0};
  std::atomic<const void*> owner_{nullptr};  // null: not biased
  const void* first_owner_ = nullptr;        // whom alone it is biased to
  std::atomic<bool> inside_{false};          // the owner is, or is looking whether it can be
  bool as_owner_ = false;                    // how it was locked; of whoever holds it
};

}  // namespace spanwire::journey
