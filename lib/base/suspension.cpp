#include "spanwire/base/suspension.hpp"

namespace spanwire {

void Suspension::run_posted(Job* job) noexcept {
  auto* self = static_cast<Suspension*>(job);
  self->CancelHook::detach();
  self->home_->label(self->label_);
  self->home_->resume_chain(self->handle_);
}

void Suspension::on_scope_cancel(CancelHook* hook) noexcept {
  auto* self = static_cast<Suspension*>(hook);
  self->on_cancel_(self);
}

}  // namespace spanwire
