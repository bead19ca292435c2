// PortWait: a task that waits for something on a port's loop: room, a message, a peer.
#pragma once

#include "spanwire/base/result.hpp"
#include "spanwire/base/waiter_list.hpp"
#include "spanwire/trace/context.hpp"

namespace spanwire::rpc {

class PortWait;

// Who waits, oldest first.  Empty when it is destroyed.
class PortWaiters {
 public:
  bool empty() const noexcept { return list_.empty(); }
  // The oldest, or null.
  PortWait* first() const noexcept;
  // All of them, also those that begin to wait meanwhile, end with `cause`.
  void end_all(const Error& cause) noexcept;

 private:
  friend class PortWait;
  detail::WaiterList list_;
};

// co_await: Result<void>.  Ends by end(), with cancelled, or with deadline_exceeded.
class [[nodiscard]] PortWait : private detail::Waiter, private Timer {
 public:
  PortWait(PortWaiters& waiters, MonotonicTime deadline, void* what = nullptr) noexcept
      : Timer(&PortWait::on_deadline), waiters_(waiters), deadline_(deadline), what_(what) {}
  PortWait(const PortWait&) = delete;
  PortWait& operator=(const PortWait&) = delete;

  // Whatever its owner needs to know of it.
  void* what() const noexcept { return what_; }
  // Takes it out of its list and resumes its task: the last use of it.
  void end(Error error = {}) noexcept {
    leave(std::move(error));
    resume();
  }
  // The same, but the task runs later.
  void end_later(Error error) noexcept {
    leave(std::move(error));
    resume_later();
  }

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &PortWait::on_cancel)) {
      error_ = Errc::cancelled;
      return false;
    }
    if (deadline_ != MonotonicTime{}) home().timers().add(*this, deadline_);
    waiters_.list_.push(*this);
    return true;
  }
  Result<void> await_resume() {
    if (error_.code() != Errc::ok) return fail(std::move(error_));
    return {};
  }

 private:
  friend class PortWaiters;
  void leave(Error error) noexcept {
    waiters_.list_.remove(*this);
    home().timers().remove(*this);
    error_ = std::move(error);
  }
  static void on_cancel(Suspension* wait) noexcept {
    static_cast<PortWait*>(static_cast<detail::Waiter*>(wait))->end(Errc::cancelled);
  }
  static void on_deadline(Timer* timer) noexcept {
    static_cast<PortWait*>(timer)->end(Errc::deadline_exceeded);
  }

  PortWaiters& waiters_;
  MonotonicTime deadline_;
  void* what_;
  Error error_;
};

inline PortWait* PortWaiters::first() const noexcept {
  return static_cast<PortWait*>(list_.first());
}

inline void PortWaiters::end_all(const Error& cause) noexcept {
  while (PortWait* wait = first()) wait->end_later(cause);
}

}  // namespace spanwire::rpc
