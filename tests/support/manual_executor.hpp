// ManualExecutor: a loop that turns only when told to, over a clock that stands still.
#pragma once

#include <chrono>
#include <utility>

#include "spanwire/base/executor.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire::testing {

namespace detail {
// A base, so that the clock exists before the executor reads it.
struct OwnsClock {
  ManualClock manual_clock;
};
}  // namespace detail

// post() is safe from any thread, the rest for the thread that made it.
class ManualExecutor final : private detail::OwnsClock, public Executor {
 public:
  ManualExecutor() noexcept : Executor(manual_clock) {}
  // Runs what is still posted, so that dropped tasks can end; then no timer may be armed.
  ~ManualExecutor() override;

  void post(Job& job) noexcept override;

  ManualClock& manual() noexcept { return manual_clock; }

  // One turn: timers that are due, then the jobs posted so far.  False if there was nothing to do.
  bool run_one_turn();
  // Turns until nothing is posted or due.
  void run_until_idle();
  // Moves the time on, stopping wherever a timer falls due, and runs until idle at each stop.
  void advance(std::chrono::nanoseconds by);

  // Runs `function` inside a turn, as code on the executor does.
  template <class Function>
  decltype(auto) in_turn(Function&& function) {
    const Turn turn(*this);
    return std::forward<Function>(function)();
  }

  // Runs `task` until idle; it must have ended by then.
  template <class T>
  T run(Task<T> task) {
    TaskHook hook{[](TaskHook*) noexcept {}};
    in_turn([&] { task.start(*this, hook); });
    run_until_idle();
    return task.take_result();
  }

 private:
  JobList local_;
  JobQueue remote_;
};

}  // namespace spanwire::testing
