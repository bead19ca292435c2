// Waiting until a client is connected, and what state it is in.
#include <algorithm>

#include "lib/rpc/client_core.hpp"
#include "lib/rpc/hop.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/rpc/client.hpp"

namespace spanwire::rpc {

// A task that waits until it is told to look again.
struct LoopClient::Wait final : detail::Waiter {
  explicit Wait(LoopClient* p) noexcept : pool(p) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &Wait::on_cancel)) {
      cancelled = true;
      return false;
    }
    pool->waiters_.push(*this);
    return true;
  }
  bool await_resume() const noexcept { return !cancelled; }

  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Wait*>(suspension);
    self->cancelled = true;
    if (self->linked()) self->pool->waiters_.remove(*self);
    self->resume_later();
  }
  LoopClient* pool;
  bool cancelled = false;
};

Task<void> LoopClient::until(bool (LoopClient::*holds)() const noexcept) {
  while (!(this->*holds)()) {
    Wait wait(this);
    const bool told = co_await wait;
    if (!told) co_return;
  }
}

Task<void> LoopClient::until_by(bool (LoopClient::*holds)() const noexcept,
                                MonotonicTime deadline) {
  const std::chrono::nanoseconds left = deadline - loop_.clock().monotonic();
  if ((this->*holds)() || left.count() <= 0) co_return;
  auto outcome = co_await when_any(until(holds), sleep_for(left));
  static_cast<void>(outcome);
}

void LoopClient::tell_waiters() noexcept {
  while (detail::Waiter* waiter = waiters_.pop()) waiter->resume_later();
}

Task<Result<void>> LoopClient::until_ready(MonotonicTime deadline) {
  if (!ready_or_refusing()) {
    connect_where_idle();
    note_state();
    co_await until_by(&LoopClient::ready_or_refusing, deadline);
  }
  if (refuses_new()) co_return fail(Errc::shutting_down, "the client is being closed");
  if (!ready_.empty()) co_return Result<void>();
  if (loop_.now() < deadline) co_return fail(Errc::cancelled);
  co_return fail(Errc::deadline_exceeded, "no connection yet: " + last_error().message());
}

std::string LoopClient::waited_for() const {
  if (!ready_.empty()) return "every connection has as many calls as it may have";
  if (const Error cause = last_error(); cause != Errc::not_connected) return cause.message();
  for (const auto& endpoint : endpoints_) {
    if (!endpoint->connections.empty()) {
      return endpoint->text + ": connected, and the peer has not answered the hello";
    }
    if (endpoint->connecting()) return endpoint->text + ": still connecting";
  }
  return "nothing is connected";
}

void LoopClient::note_state() noexcept {
  Connectivity state = Connectivity::idle;
  if (refuses_new()) {
    state = Connectivity::closed;
  } else if (!ready_.empty()) {
    state = Connectivity::ready;
  } else if (any_attempt_under_way()) {
    state = Connectivity::connecting;
  } else if (std::any_of(endpoints_.begin(), endpoints_.end(),
                         [](const auto& endpoint) { return endpoint->failed; })) {
    state = Connectivity::failing;
  }
  state_.store(state, std::memory_order_relaxed);
}

Connectivity ClientCore::connectivity() const noexcept {
  if (closed()) return Connectivity::closed;
  Connectivity best = Connectivity::idle;
  for (const auto& pool : loops_) best = std::max(best, pool->connectivity());
  return best;
}

Task<Result<void>> ClientCore::ready(std::shared_ptr<ClientCore> self,
                                     std::chrono::nanoseconds timeout) {
  if (self->runtime_.inherited_over_fork()) co_return fail(Errc::forked);
  if (self->bad_address_) co_return fail(*self->bad_address_);
  const MonotonicTime deadline = self->loops_.front()->loop().clock().monotonic() + timeout;
  for (const auto& pool : self->loops_) {
    Result<void> ready = co_await run_on(pool->loop(), pool->until_ready(deadline));
    if (!ready) co_return ready;
  }
  co_return Result<void>();
}

Task<Result<void>> Client::ready(std::chrono::nanoseconds timeout) {
  return ClientCore::ready(core_, timeout);
}

Result<void> Client::ready_blocking(std::chrono::nanoseconds timeout) {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "ready_blocking on a loop's thread");
  if (core_->runtime().inherited_over_fork()) return fail(Errc::forked);
  return block_on(core_->home().loop(), ready(timeout));
}

Connectivity Client::connectivity() const noexcept { return core_->connectivity(); }

}  // namespace spanwire::rpc
