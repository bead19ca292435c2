// Whether a backend still takes in spans: asked again until the answers are equal.  Internal to
// inspect.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "spanwire/base/clock.hpp"

namespace spanwire::inspect {

class Settling {
 public:
  // Over after `equal_max` answers in a row with as many spans, or once `time` is up; 0: after the
  // first one.
  Settling(std::size_t equal_max, std::chrono::nanoseconds time, std::chrono::nanoseconds pause)
      : equal_max_(equal_max),
        waits_(time.count() != 0),
        pause_(pause),
        deadline_(Clock::system().monotonic() + time) {}

  // After each answer: true, after a pause, if it is to be asked again.
  bool again(std::uint64_t spans) {
    equal_ = spans == before_ ? equal_ + 1 : 1;
    before_ = spans;
    // Nothing at all is no sign of being settled: the first spans may still be on their way.
    settled_ = spans > 0 && equal_ >= equal_max_;
    if (settled_ || Clock::system().monotonic() >= deadline_) return false;
    std::this_thread::sleep_for(pause_);
    return true;
  }
  // Of the last answer: no more is known to come.
  bool stable() const noexcept { return settled_ || before_ == 0 || !waits_; }

 private:
  const std::size_t equal_max_;
  const bool waits_;
  const std::chrono::nanoseconds pause_;
  const MonotonicTime deadline_;
  std::uint64_t before_ = 0;
  std::size_t equal_ = 0;
  bool settled_ = false;
};

}  // namespace spanwire::inspect
