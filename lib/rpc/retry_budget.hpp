// RetryBudget: how often idempotent calls may be tried again, so that retries never become the load
// that keeps a server down.  The rules of gRPC's retryThrottling.
#pragma once

#include <algorithm>
#include <cstdint>

namespace spanwire::rpc {

// One thread.
class RetryBudget {
 public:
  // Full at first.  The ratio counts to three decimals.
  RetryBudget(unsigned tokens_max, double token_ratio) noexcept
      : tokens_max_(std::int64_t{tokens_max} * kToken),
        refund_(static_cast<std::int64_t>(std::clamp(token_ratio, 0.0, 1.0) * kToken)),
        tokens_(tokens_max_) {}

  void succeeded() noexcept { tokens_ = std::min(tokens_max_, tokens_ + refund_); }
  // An attempt failed in a way that another one might mend; true if that may be made.
  bool failed() noexcept {
    tokens_ = std::max<std::int64_t>(0, tokens_ - kToken);
    return tokens_ > tokens_max_ / 2;
  }

 private:
  static constexpr std::int64_t kToken = 1000;

  std::int64_t tokens_max_;
  std::int64_t refund_;
  std::int64_t tokens_;
};

}  // namespace spanwire::rpc
