#include "lib/trace/thread_state.hpp"

#include <new>

#include "lib/trace/core.hpp"

namespace spanwire::trace::detail {

constinit thread_local ThreadState* state_of_thread = nullptr;

namespace {

constinit thread_local bool thread_is_ending = false;

// Made with the thread's first state, so that the thread's end gives it back.
struct EndOfThread {
  ~EndOfThread() {
    thread_is_ending = true;
    if (state_of_thread != nullptr) release_state(*state_of_thread);
  }
  void touch() noexcept { asm volatile("" : : "r"(this) : "memory"); }
};
thread_local EndOfThread end_of_thread;

bool take_over(ThreadState& state) noexcept {
  bool in_use = state.in_use.load(std::memory_order_relaxed);
  return !in_use && state.in_use.compare_exchange_strong(in_use, true, std::memory_order_acquire);
}

// A state that an ended thread left behind, with room in its ring unless `any`.
ThreadState* take_abandoned(Core& core, bool any) noexcept {
  for (ThreadState* state = core.first_state(); state != nullptr; state = state->next) {
    if ((any || state->ring.at_most_half_full()) && take_over(*state)) return state;
  }
  return nullptr;
}

}  // namespace

void release_state(ThreadState& state) noexcept {
  state_of_thread = nullptr;
  state.borrowed = false;
  state.in_use.store(false, std::memory_order_release);
}

ThreadState* claim_state(Core& core) noexcept {
  if (state_of_thread != nullptr) release_state(*state_of_thread);
  ThreadState* state = take_abandoned(core, false);
  if (state == nullptr) state = core.add_state();
  if (state == nullptr) state = take_abandoned(core, true);
  if (state == nullptr) return nullptr;
  state->random = Random(Random::of_thread().next());
  state->borrowed = thread_is_ending;
  state_of_thread = state;
  if (!thread_is_ending) end_of_thread.touch();
  return state;
}

void forget_state() noexcept { state_of_thread = nullptr; }

}  // namespace spanwire::trace::detail
