#include "spanwire/rpc/outgoing_call.hpp"

namespace spanwire::rpc {

Task<Result<Reply>> UnaryCall::as_task() && { return await_call(std::move(*this)); }

Task<Result<Reply>> UnaryCall::await_call(UnaryCall call) {
  Result<Reply> reply = co_await std::move(call);
  co_return reply;
}

bool UnaryCall::run() noexcept {
  if (!prepare()) {
    stop_waiting();
    return false;
  }
  if (!on_own_loop()) {
    wait_ = Wait::waiting;
    start();  // the last use of this object here
    return true;
  }
  wait_ = Wait::starting;
  start();
  if (wait_ == Wait::done) {
    stop_waiting();
    return false;
  }
  wait_ = Wait::waiting;
  return true;
}

void UnaryCall::on_cancel(Suspension* suspension) noexcept {
  static_cast<UnaryCall*>(suspension)->cancel(Errc::cancelled);
}

void UnaryCall::finished() noexcept {
  if (wait_ == Wait::starting) {
    wait_ = Wait::done;
    return;
  }
  resume();
}

}  // namespace spanwire::rpc
