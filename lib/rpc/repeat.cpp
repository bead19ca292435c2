// A call that was lost: sent elsewhere because it did not start, again because it may, or failed.
#include "lib/rpc/client_core.hpp"
#include "lib/rpc/metrics.hpp"
#include "spanwire/rpc/outgoing_call.hpp"

namespace spanwire::rpc {
namespace {

Reached reached_by(channel::Progress progress) noexcept {
  switch (progress) {
    case channel::Progress::not_sent:
      return Reached::not_sent;
    case channel::Progress::not_started:
      return Reached::not_started;
    case channel::Progress::sent:
      return Reached::sent;
    case channel::Progress::started:
      return Reached::started;
  }
  return Reached::sent;
}

}  // namespace

void OutgoingCall::on_lost(const Error& cause, channel::Progress progress) {
  const Reached reached = saw_first_byte_ ? Reached::first_byte : reached_by(progress);
  if (connection_lives()) {
    // It would be lost again: too long for this side's limits, or not understood.
    fail_with(cause.code(), std::string(cause.detail()), reached);
    return;
  }
  if (reached <= Reached::not_started && !went_elsewhere_ && !core_->closed()) {
    went_elsewhere_ = true;
    send_again("rpc.elsewhere");
    return;
  }
  if (reached < Reached::first_byte && may_repeat()) {
    send_again("rpc.retry");
    return;
  }
  const Errc code = core_->closed() ? Errc::shutting_down : Errc::connection_lost;
  fail_with(code, cause.message(), reached, cause.code());
}

bool OutgoingCall::connection_lives() const noexcept {
  const channel::State state = connection_->channel().state();
  return state == channel::State::ready || state == channel::State::draining;
}

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
  home_->in_flight_.remove(*this);
  stage_ = Stage::starting;
  home_->submit(*this, avoid);
}

}  // namespace spanwire::rpc
