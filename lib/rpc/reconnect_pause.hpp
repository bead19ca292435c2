// ReconnectPause: how long to wait before the next attempt to connect.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "spanwire/base/random.hpp"

namespace spanwire::rpc {

// Clients that lost the same server must not come back at the same moment.
inline constexpr double kReconnectJitter = 0.2;

class ReconnectPause {
 public:
  ReconnectPause(std::chrono::nanoseconds first, std::chrono::nanoseconds last) noexcept
      : first_(first), last_(last), next_(first) {}

  // Doubles from the first to the last, each up to 20 % shorter or longer.
  std::chrono::nanoseconds next(Random& random) noexcept {
    const double factor = 1.0 + kReconnectJitter * (2.0 * random.unit() - 1.0);
    const double pause = static_cast<double>(next_.count()) * factor;
    next_ = std::min(next_ * 2, last_);
    return std::chrono::nanoseconds(static_cast<std::int64_t>(pause));
  }
  void reset() noexcept { next_ = first_; }

 private:
  std::chrono::nanoseconds first_;
  std::chrono::nanoseconds last_;
  std::chrono::nanoseconds next_;
};

}  // namespace spanwire::rpc
