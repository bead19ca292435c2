#include "lib/journey/slot_lock.hpp"

#include <sched.h>

namespace spanwire::journey {
namespace {

constexpr unsigned kSpins = 64;

}  // namespace

void SlotLock::adopt() noexcept {
  if (foreign()) {
    // Whoever held it is a thread of the parent's.
    word_.store(word_.load(std::memory_order_relaxed) & ~kLocked, std::memory_order_relaxed);
    owner_.store(nullptr, std::memory_order_relaxed);
    first_owner_ = nullptr;
    inside_.store(false, std::memory_order_relaxed);
  }
  fork_.store(fork_generation(), std::memory_order_relaxed);
}

bool SlotLock::lock_shared(std::uint32_t generation) noexcept {
  if (!lock_word(generation)) return false;
  const void* const owner = owner_.load(std::memory_order_relaxed);
  if (owner != nullptr && owner != this_thread() && !end_bias(generation)) return false;
  as_owner_ = false;
  return true;
}

bool SlotLock::lock_word(std::uint32_t generation) noexcept {
  for (unsigned round = 1;; ++round) {
    if (foreign()) return false;
    std::uint32_t expected = generation << 1;
    if (word_.compare_exchange_weak(expected, generation << 1 | kLocked,
                                    std::memory_order_acquire)) {
      return true;
    }
    if (expected >> 1 != generation) return false;
    if (round % kSpins == 0) sched_yield();
  }
}

// The owner either sees the word locked and nobody's, or is seen inside.
bool SlotLock::end_bias(std::uint32_t generation) noexcept {
  owner_.store(nullptr, std::memory_order_relaxed);
  membarrier_all();
  for (unsigned round = 1; inside_.load(std::memory_order_acquire); ++round) {
    if (round % kSpins == 0) sched_yield();
  }
  if (this->generation() == generation) return true;
  // The owner has ended it meanwhile.
  word_.fetch_and(~kLocked, std::memory_order_release);
  return false;
}

}  // namespace spanwire::journey
