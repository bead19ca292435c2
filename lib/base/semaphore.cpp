#include "spanwire/base/semaphore.hpp"

namespace spanwire {

Semaphore::~Semaphore() { SPANWIRE_ASSERT(waiters_.empty()); }

bool Semaphore::take(std::size_t count) noexcept {
  if (!waiters_.empty() || free_ < count) return false;
  free_ -= count;
  return true;
}

std::optional<Permit> Semaphore::try_acquire(std::size_t count) noexcept {
  const std::lock_guard lock(mutex_);
  if (!take(count)) return std::nullopt;
  return Permit(this, count);
}

void Semaphore::release(std::size_t count) noexcept {
  const std::lock_guard lock(mutex_);
  free_ += count;
  while (!waiters_.empty()) {
    auto& oldest = static_cast<Acquire&>(*waiters_.first());
    if (oldest.count_ > free_) return;
    free_ -= oldest.count_;
    waiters_.remove(oldest);
    oldest.granted_ = true;
    // Posted, so no task runs under the lock.
    oldest.resume_later();
  }
}

std::size_t Semaphore::free() const noexcept {
  const std::lock_guard lock(mutex_);
  return free_;
}

std::size_t Semaphore::waiting() const noexcept {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

void Semaphore::Acquire::on_cancel(Suspension* suspension) noexcept {
  auto* self = static_cast<Acquire*>(suspension);
  Semaphore& semaphore = self->semaphore_;
  {
    const std::lock_guard lock(semaphore.mutex_);
    // Granted meanwhile: the permit arrives, and goes back when the task drops it.
    if (!self->linked()) return;
    semaphore.waiters_.remove(*self);
  }
  // Whoever stood behind a large request may have room now.
  semaphore.release(0);
  self->resume();
}

}  // namespace spanwire
