// Waiting until a client is connected, and what state it is in.
#include <algorithm>

#include "lib/rpc/client_core.hpp"
#include "lib/rpc/hop.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/rpc/client.hpp"

namespace spanwire::rpc {

// Resumed by the first connection that is ready, and by the pool's end.
struct LoopClient::ReadyWait final : detail::Waiter {
  explicit ReadyWait(LoopClient* p) noexcept : pool(p) {}
  bool await_ready() const noexcept { return pool->closed_ || !pool->ready_.empty(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &ReadyWait::on_cancel)) return false;
    pool->ready_waiters_.push(*this);
    return true;
  }
  void await_resume() const noexcept {}

  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<ReadyWait*>(suspension);
    if (self->linked()) self->pool->ready_waiters_.remove(*self);
    self->resume_later();
  }
  LoopClient* pool;
};

Task<void> LoopClient::wait_ready() {
  ReadyWait wait(this);
  co_await wait;
}

Task<Result<void>> LoopClient::until_ready(MonotonicTime deadline) {
  if (!closed_ && ready_.empty()) {
    connect_where_idle();
    note_state();
    auto outcome = co_await when_any(wait_ready(), sleep_for(deadline - loop_.now()));
    static_cast<void>(outcome);
  }
  if (closed_) co_return fail(Errc::shutting_down, "the client is being closed");
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

void LoopClient::tell_ready_waiters() noexcept {
  while (detail::Waiter* waiter = ready_waiters_.pop()) waiter->resume_later();
}

void LoopClient::note_state() noexcept {
  Connectivity state = Connectivity::idle;
  if (closed_) {
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
