// By when work has to end, which can be moved forward while it goes on.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

#include "spanwire/base/clock.hpp"

namespace spanwire::otlp {

// When a piece of work, such as a batch with all of its attempts, began, and by when it has to end.
struct WorkTime {
  MonotonicTime begin;
  MonotonicTime deadline;
};

// Safe from any thread.
class WorkLimit {
 public:
  // What is under way now ends by `deadline`.
  void hasten(MonotonicTime deadline) noexcept {
    urgent_ns_.store(deadline.time_since_epoch().count(), std::memory_order_release);
  }
  // The haste for `deadline` is over.
  void relax(MonotonicTime deadline) noexcept {
    std::int64_t expected = deadline.time_since_epoch().count();
    urgent_ns_.compare_exchange_strong(expected, kNoHaste, std::memory_order_acq_rel);
  }
  // The earlier of the work's deadline and what hasten() said; haste whose time had come before the
  // work began was for earlier work.
  MonotonicTime of(const WorkTime& time) const noexcept {
    const MonotonicTime urgent{
        std::chrono::nanoseconds(urgent_ns_.load(std::memory_order_acquire))};
    return urgent > time.begin ? std::min(urgent, time.deadline) : time.deadline;
  }

 private:
  static constexpr std::int64_t kNoHaste = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> urgent_ns_{kNoHaste};
};

}  // namespace spanwire::otlp
