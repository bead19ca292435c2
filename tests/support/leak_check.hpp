// LeakCheck: what a test began is over at its end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanwire::testing {

// Fails the test if, at its end, there is more than at its beginning of: memory of the pool (calls,
// streams, tasks, slices and blocks live there), threads, descriptors.  Timers are what TestLoop,
// ManualExecutor and expect_no_timers() look at.  Make it the first member of a fixture, or the
// first line of a test.
class LeakCheck {
 public:
  LeakCheck();
  ~LeakCheck();
  LeakCheck(const LeakCheck&) = delete;
  LeakCheck& operator=(const LeakCheck&) = delete;

 private:
  std::int64_t live_ = 0;
  std::size_t threads_ = 0;
  std::size_t descriptors_ = 0;
};

}  // namespace spanwire::testing
