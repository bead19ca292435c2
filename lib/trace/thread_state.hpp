// What a thread needs to record spans without asking anybody: its ring, free places, counters.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lib/trace/ring.hpp"
#include "lib/trace/slab.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::trace::detail {

// A counter with one writer: no locked instruction.
class OwnCounter {
 public:
  void add(std::uint64_t by = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::uint32_t kSlotBatch = 32;

// Belongs to a core and, in turn, to threads; never freed before its core.  The ring of a thread
// that ended is drained like any other, and goes with the state to the next thread.
struct ThreadState {
  ThreadState(Core& owner, std::size_t ring_bytes) noexcept : core(&owner), ring(ring_bytes) {}

  OpenRecord* take_slot(Slab& slab) noexcept {
    if (free_count == 0) {
      free_count = slab.take(free_slots.data(), kSlotBatch);
      if (free_count == 0) return nullptr;
    }
    return slab.at(free_slots[--free_count]);
  }
  void give_slot(Slab& slab, const OpenRecord& record) noexcept {
    if (free_count == free_slots.size()) {
      free_count -= kSlotBatch;
      slab.give(free_slots.data() + free_count, kSlotBatch);
    }
    free_slots[free_count++] = record.index;
  }

  Core* const core;
  ThreadState* next = nullptr;  // in the core's list
  std::atomic<bool> in_use{true};
  bool borrowed = false;  // by a thread that is ending, for one operation

  Ring ring;
  std::uint32_t free_count = 0;
  std::array<std::uint32_t, 2 * kSlotBatch> free_slots{};
  // Seeded anew for each thread that takes the state over.
  Random random{0};

  // Since the beginning.
  OwnCounter unrecorded;  // spans that the sampler did not want
  OwnCounter recorded;
  OwnCounter kept;     // unsampled ones that ended so that they are exported
  OwnCounter queued;   // ended ones that went into the ring
  OwnCounter at_once;  // recorded and queued in one step; of neither of those
  std::array<OwnCounter, kLossReasons> lost;

  // The export thread's: how far it has taken entries for the batch at hand.
  std::uint64_t taken_to = 0;
};

[[gnu::tls_model("initial-exec")]] extern constinit thread_local ThreadState* state_of_thread;

// The calling thread's state in `core`, made or taken over as needed; null when kThreadsMax threads
// have one.  A thread that is ending gets one for the moment: hand it to release_if_ending().
ThreadState* claim_state(Core& core) noexcept;
inline ThreadState* state_in(Core& core) noexcept {
  ThreadState* state = state_of_thread;
  if (state != nullptr && state->core == &core) [[likely]]
    return state;
  return claim_state(core);
}
void release_state(ThreadState& state) noexcept;
inline void release_if_ending(ThreadState* state) noexcept {
  if (state != nullptr && state->borrowed) [[unlikely]]
    release_state(*state);
}

// In a forked child: the surviving thread lets go of its state without a trace.
void forget_state() noexcept;

}  // namespace spanwire::trace::detail
