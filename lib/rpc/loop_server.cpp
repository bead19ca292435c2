#include <algorithm>

#include "lib/rpc/acceptor.hpp"
#include "lib/rpc/each_loop.hpp"
#include "lib/rpc/incoming_call.hpp"
#include "lib/rpc/server_core.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/channel/accept.hpp"

namespace spanwire::rpc {

// A task that waits until nothing of the server is left on this loop.
struct LoopServer::Idle final : detail::Waiter {
  explicit Idle(LoopServer* s) noexcept : server(s) {}
  bool await_ready() const noexcept { return server->idle(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &Idle::on_cancel)) {
      cancelled = true;
      return false;
    }
    server->idle_waiters_.push(*this);
    return true;
  }
  bool await_resume() const noexcept { return !cancelled; }

  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Idle*>(suspension);
    self->cancelled = true;
    if (self->linked()) self->server->idle_waiters_.remove(*self);
    self->resume_later();
  }
  LoopServer* server;
  bool cancelled = false;
};

LoopServer::LoopServer(ServerCore& core, transport::Loop& loop) : core_(core), loop_(loop) {}

LoopServer::~LoopServer() { SPANWIRE_ASSERT(idle_waiters_.empty()); }

Result<std::string> LoopServer::listen(const transport::Address& address,
                                       const ListenOptions& options) {
  auto acceptor = std::make_unique<Acceptor>(core_, *this, options);
  SPANWIRE_TRY(std::string bound, acceptor->listen(address));
  acceptors_.push_back(std::move(acceptor));
  return bound;
}

void LoopServer::accept(std::unique_ptr<transport::Link> link, const ListenOptions& options) {
  channel::AcceptOptions accepting(core_.options().limits);
  accepting.v1.served_max = core_.options().v1_served_max;
  accepting.v1.message_bytes_max = core_.options().v1_message_bytes_max;
  accepted(channel::accept_channel(std::move(link), loop_, accepting), options);
}

void LoopServer::accepted(std::unique_ptr<channel::ServerChannel> channel,
                          const ListenOptions& options) {
  connections_.push_back(std::make_unique<ServerConnection>(*this, std::move(channel), options));
  ServerConnection& connection = *connections_.back();
  connection.start();
  if (draining_) connection.channel().drain();
}

void LoopServer::remove_if_gone(ServerConnection& connection) noexcept {
  if (!connection.gone()) return;
  const auto at =
      std::find_if(connections_.begin(), connections_.end(),
                   [&](const auto& candidate) { return candidate.get() == &connection; });
  std::unique_ptr<ServerConnection> gone = std::move(*at);
  connections_.erase(at);
  gone.reset();
  tell_if_idle();
}

void LoopServer::call_began(IncomingCall& call) noexcept {
  count_running(running() + 1);
  call.previous_ = nullptr;
  call.next_ = first_call_;
  if (first_call_ != nullptr) first_call_->previous_ = &call;
  first_call_ = &call;
}

void LoopServer::call_ended(IncomingCall& call) noexcept {
  (call.previous_ != nullptr ? call.previous_->next_ : first_call_) = call.next_;
  if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
  count_running(running() - 1);
  ++ended_calls_;
  if (!idle_waiters_.empty()) tell_if_idle();
}

void LoopServer::tell_if_idle() noexcept {
  if (!idle()) return;
  while (detail::Waiter* waiter = idle_waiters_.pop()) waiter->resume_later();
}

Task<bool> LoopServer::until_idle() {
  Idle wait(this);
  const bool reached = co_await wait;
  co_return reached;
}

void LoopServer::stop_listening(MonotonicTime linger_until) noexcept {
  draining_ = true;
  for (const auto& acceptor : acceptors_) acceptor->close(linger_until);
}

Task<void> LoopServer::stop() {
  stop_listening();
  co_return;
}

Task<void> LoopServer::begin_drain(MonotonicTime deadline) {
  stop_listening(deadline + kCancelGrace);
  ended_at_drain_ = ended_calls_;
  std::vector<channel::ServerChannel*> channels;
  for (const auto& connection : connections_) {
    if (!connection->closed()) channels.push_back(&connection->channel());
  }
  for (channel::ServerChannel* channel : channels) channel->drain();
  co_return;
}

Task<DrainCounts> LoopServer::finish_drain(std::chrono::nanoseconds timeout) {
  DrainCounts counts;
  const std::size_t ended_before = ended_at_drain_;
  if (timeout.count() > 0) {
    auto outcome = co_await when_any(until_idle(), sleep_for(timeout));
    static_cast<void>(outcome);
  }
  counts.finished = ended_calls_ - ended_before;
  counts.abandoned = running();
  counts.idle = idle();
  if (counts.idle) co_return counts;
  cancel_calls(Errc::cancelled);
  close(Error(Errc::shutting_down, "the server's time to drain is over"));
  // Handlers that listen to cancellation end now; the others are left behind.
  auto outcome = co_await when_any(until_idle(), sleep_for(kCancelGrace));
  static_cast<void>(outcome);
  counts.idle = idle();
  co_return counts;
}

void LoopServer::cancel_calls(Errc reason) {
  // Whatever a cancelled call runs may end others.
  std::vector<IncomingCall*> calls;
  for (IncomingCall* call = first_call_; call != nullptr; call = call->next_) {
    call->retain();
    calls.push_back(call);
  }
  for (IncomingCall* call : calls) {
    call->give_up(reason);
    call->release();
  }
}

void LoopServer::close(const Error& cause) {
  stop_listening();
  std::vector<channel::ServerChannel*> channels;
  for (const auto& connection : connections_) {
    if (!connection->closed()) channels.push_back(&connection->channel());
  }
  for (channel::ServerChannel* channel : channels) channel->close(cause);
}

Task<bool> LoopServer::close_and_wait() {
  close(Error(Errc::shutting_down, "the server is being closed"));
  const bool reached = co_await until_idle();
  co_return reached;
}

}  // namespace spanwire::rpc
