// Sending a call a second time: elsewhere because it did not start, or again because it may.
#include "lib/rpc/client_core.hpp"
#include "lib/rpc/metrics.hpp"
#include "spanwire/rpc/outgoing_call.hpp"

namespace spanwire::rpc {

bool OutgoingCall::may_repeat() noexcept {
  if (!idempotent_ || core_->closed()) return false;
  const bool within_budget = home_->retry_budget().failed();
  if (repeats_ + 1u >= core_->options().attempts_max) return false;
  if (!within_budget) {
    count_retry_refused();
    return false;
  }
  ++repeats_;
  return true;
}

void OutgoingCall::send_again(std::string_view event) noexcept {
  ++attempt_;
  count_retry();
  if (span_.recording()) span_.add_event(event);
  Connection* avoid = connection_;
  connection_ = nullptr;
  stage_ = Stage::starting;
  home_->submit(*this, avoid);
}

}  // namespace spanwire::rpc
