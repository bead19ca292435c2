#include "spanwire/base/cancellation.hpp"

#include <thread>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/pool.hpp"

namespace spanwire {
namespace {

class OwnState final : public CancelState, public Pooled {};

}  // namespace

// On the stack of the thread that cancels; detach() reads it under the lock.
struct CancelState::Calling {
  CancelListener* listener = nullptr;
  std::thread::id thread = std::this_thread::get_id();
};

CancelState::~CancelState() { SPANWIRE_ASSERT(first_ == nullptr); }

bool CancelState::cancel(Errc reason) noexcept {
  SPANWIRE_ASSERT(reason != Errc::ok);
  // A listener may drop the last other reference.
  retain();
  Calling calling;
  std::unique_lock lock(mutex_);
  const bool first = !cancelled();
  if (first) {
    reason_.store(reason, std::memory_order_release);
    calling_ = &calling;
    while (first_ != nullptr) {
      CancelListener* listener = first_;
      first_ = listener->next_;
      if (first_ != nullptr) first_->previous_ = nullptr;
      listener->next_ = nullptr;
      calling.listener = listener;
      lock.unlock();
      listener->on_cancel_(listener, reason);
      lock.lock();
    }
    calling_ = nullptr;
  }
  lock.unlock();
  release();
  return first;
}

bool CancelState::attach(CancelListener& listener) noexcept {
  const std::lock_guard lock(mutex_);
  if (cancelled()) return false;
  listener.previous_ = nullptr;
  listener.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &listener;
  first_ = &listener;
  return true;
}

void CancelState::detach(CancelListener& listener) noexcept {
  std::unique_lock lock(mutex_);
  if (first_ == &listener || listener.previous_ != nullptr) {
    if (listener.previous_ != nullptr) {
      listener.previous_->next_ = listener.next_;
    } else {
      first_ = listener.next_;
    }
    if (listener.next_ != nullptr) listener.next_->previous_ = listener.previous_;
    listener.previous_ = listener.next_ = nullptr;
    return;
  }
  // Rare and short: the callback must not block.
  while (calling_ != nullptr && calling_->listener == &listener &&
         calling_->thread != std::this_thread::get_id()) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
}

Cancellation Cancellation::make() { return adopt(*new OwnState); }

}  // namespace spanwire
