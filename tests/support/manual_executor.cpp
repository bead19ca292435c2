#include "tests/support/manual_executor.hpp"

#include <gtest/gtest.h>

namespace spanwire::testing {

ManualExecutor::~ManualExecutor() {
  run_until_idle();
  EXPECT_EQ(timers().armed(), 0u) << "a timer is still armed";
}

void ManualExecutor::post(Job& job) noexcept {
  if (runs_here()) {
    local_.push(job);
  } else {
    remote_.push(job);
  }
}

bool ManualExecutor::run_one_turn() {
  const Turn turn(*this);
  const std::size_t armed = timers().armed();
  timers().advance(now());
  bool worked = timers().armed() != armed;
  remote_.take_all(local_);
  // A marker keeps a job that posts itself again from making the turn endless.
  Job marker;
  local_.push(marker);
  for (Job* job = local_.pop(); job != &marker; job = local_.pop()) {
    worked = true;
    job->run(job);
  }
  return worked || !local_.empty();
}

void ManualExecutor::run_until_idle() {
  while (run_one_turn()) {
  }
}

void ManualExecutor::advance(std::chrono::nanoseconds by) {
  const MonotonicTime target = manual_clock.monotonic() + by;
  run_until_idle();
  for (;;) {
    const MonotonicTime next = timers().next_expiry();
    if (next > target) break;
    manual_clock.advance(next - manual_clock.monotonic());
    run_until_idle();
  }
  manual_clock.advance(target - manual_clock.monotonic());
  run_until_idle();
}

}  // namespace spanwire::testing
