// When libzmq's thread should not interrupt the loop: while messages are exchanged in numbers, and
// nothing but the two wants their core.  docs/decisions/0017.
#pragma once

#include <algorithm>
#include <chrono>

#include "spanwire/base/clock.hpp"

namespace spanwire::transport {

// Of a loop.  The decision alone: times are given, and the caller does what it says.
class Burst {
 public:
  // Between two looks.
  static constexpr unsigned kMessages = 32;
  // So many within this time are a burst.  Whatever else wants the core has it for longer.
  static constexpr std::chrono::nanoseconds kDense = std::chrono::milliseconds(1);
  // One that brought nothing for so long is over.
  static constexpr std::chrono::nanoseconds kQuiet = std::chrono::milliseconds(10);
  // One that was over sooner was in vain.
  static constexpr std::chrono::nanoseconds kWorthwhile = std::chrono::milliseconds(20);
  // Then, how long until the next try; twice as long each time.
  static constexpr std::chrono::nanoseconds kRetryFirst = std::chrono::milliseconds(50);
  static constexpr std::chrono::nanoseconds kRetryMax = std::chrono::minutes(1);

  // A message has come, and one was sent since the last: those that go one way are no burst.  True
  // for each kMessages of them: call look().
  bool count() noexcept { return ++messages_ % kMessages == 0; }
  // Whether there is a burst.
  bool look(MonotonicTime now) noexcept {
    const bool dense = now - looked_at_ < kDense;
    looked_at_ = now;
    if (!dense) {
      end_at(now);
    } else if (!on_ && now >= retry_at_) {
      on_ = true;
      began_at_ = now;
    }
    return on_;
  }
  // Nothing to be done for it here.
  void refuse(MonotonicTime now) noexcept {
    on_ = false;
    retry_at_ = now + retry_after_;
    retry_after_ = std::min(2 * retry_after_, kRetryMax);
  }
  // When it is over if nothing comes; then it ended with the last look.
  MonotonicTime over_at() const noexcept { return looked_at_ + kQuiet; }
  void end() noexcept { end_at(looked_at_); }

 private:
  void end_at(MonotonicTime now) noexcept {
    if (!on_) return;
    if (now - began_at_ < kWorthwhile) return refuse(now);
    on_ = false;
    retry_after_ = kRetryFirst;
  }

  unsigned messages_ = 0;
  bool on_ = false;
  MonotonicTime began_at_{};
  MonotonicTime looked_at_{};
  MonotonicTime retry_at_{};
  std::chrono::nanoseconds retry_after_ = kRetryFirst;
};

}  // namespace spanwire::transport
