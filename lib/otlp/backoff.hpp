// The pauses between attempts: exponential, bounded, with jitter, so that the processes that one
// outage stopped do not come back all at once.
#pragma once

#include <algorithm>
#include <chrono>

#include "spanwire/base/random.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"

namespace spanwire::otlp {

class Backoff {
 public:
  explicit Backoff(const RetryOptions& options) noexcept
      : options_(options), ms_(static_cast<double>(options.first.count())) {}

  std::chrono::nanoseconds next(Random& random) noexcept {
    const double bounded = std::min(ms_, static_cast<double>(options_.last.count()));
    ms_ = bounded * options_.factor;
    const double shaken = bounded * (1 + options_.jitter * (2 * random.unit() - 1));
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::max(shaken, 0.0) * 1e6));
  }

 private:
  const RetryOptions& options_;
  double ms_;
};

}  // namespace spanwire::otlp
