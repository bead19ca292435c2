#include "spanwire/base/cancel_scope.hpp"

#include "spanwire/base/executor.hpp"

namespace spanwire {

void CancelScope::request_cancel(Errc reason) noexcept {
  if (requested()) return;
  SPANWIRE_ASSERT(reason != Errc::ok);
  reason_ = reason;
  // At the depth limit every resumption is posted: only the awaitables' own code runs in here.
  Executor* executor = Executor::current();
  if (executor != nullptr) executor->depth_ += Executor::kResumeDepthMax;
  while (!idle()) {
    auto& hook = static_cast<CancelHook&>(*hooks_.next);
    hook.detach();
    hook.on_cancel_(&hook);
  }
  if (executor != nullptr) executor->depth_ -= Executor::kResumeDepthMax;
}

void CancelScope::on_parent_cancel(CancelHook* hook) noexcept {
  auto* scope = static_cast<CancelScope*>(hook);
  scope->request_cancel(scope->parent_->reason_);
}

}  // namespace spanwire
