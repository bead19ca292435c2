// RateLimit: so many a second, with a burst of as many.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "spanwire/base/clock.hpp"

namespace spanwire::trace::detail {

// A bucket that is full after a second of rest.  Kept as the time up to which what was taken is
// paid for: one word, so that threads need no lock.  Safe from any thread.
class RateLimit {
 public:
  // At most 0: never.  `clock` outlives it.
  RateLimit(double per_second, const Clock& clock)
      : each_ns_(per_second > 0 ? std::max(1e9 / per_second, 1.0) : 0), clock_(clock) {}

  bool take() noexcept {
    if (!(each_ns_ > 0)) return false;
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t now = clock_.monotonic().time_since_epoch().count();
    const auto each = static_cast<std::int64_t>(std::min(each_ns_, 9e18));
    // A rate below one a second has a burst of one all the same.
    const std::int64_t burst = std::max(kSecond, each);
    std::int64_t paid = paid_until_ns_.load(std::memory_order_relaxed);
    for (;;) {
      const std::int64_t from = std::max(paid, now - burst);
      if (each > now - from) return false;
      if (paid_until_ns_.compare_exchange_weak(paid, from + each, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

 private:
  const double each_ns_;
  const Clock& clock_;
  std::atomic<std::int64_t> paid_until_ns_{std::numeric_limits<std::int64_t>::min()};
};

}  // namespace spanwire::trace::detail
