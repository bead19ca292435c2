#include <algorithm>

#include "lib/rpc/client_core.hpp"

namespace spanwire::rpc {

Connection::Connection(LoopClient& pool, Endpoint& endpoint,
                       std::unique_ptr<channel::ClientChannel> channel,
                       std::chrono::nanoseconds resolve, std::chrono::nanoseconds connect)
    : pool_(pool),
      endpoint_(endpoint),
      channel_(std::move(channel)),
      peer_(channel_->info()),
      is_v1_(channel_->info().protocol == "v1"),
      opened_at_(pool.loop().now()),
      resolved_at_(opened_at_ - connect),
      dialled_at_(resolved_at_ - resolve) {}

void Connection::on_ready() {
  was_ready_ = true;
  ready_at_ = pool_.loop().now();
  pool_.ready(*this);
}

void Connection::on_draining() { pool_.not_ready(*this); }

void Connection::on_free() { pool_.serve_waiting(); }

void Connection::on_closed(const Error& cause) {
  const Error kept = cause;
  pool_.closed(*this, kept);
}

void Connection::add_waiting(Phases& phases, MonotonicTime started,
                             MonotonicTime sent) const noexcept {
  // Of an interval, what lies behind the call's start.
  const auto shared = [started](MonotonicTime begin, MonotonicTime end) {
    return std::max(end - std::max(begin, started), std::chrono::nanoseconds::zero());
  };
  phases.resolve = shared(dialled_at_, resolved_at_);
  phases.connect = shared(resolved_at_, ready_at_);
  phases.pool_wait = sent - started - phases.resolve - phases.connect;
}

Endpoint::Endpoint(LoopClient& p, transport::Address a)
    : pool(p),
      address(std::move(a)),
      text(transport::to_string(address)),
      target(address),
      pause(p.core().options().reconnect_first, p.core().options().reconnect_last) {}

bool Endpoint::connecting() const noexcept {
  return dialing != 0 ||
         std::any_of(connections.begin(), connections.end(), [](const auto& connection) {
           return connection->channel().state() == channel::State::handshake;
         });
}

Endpoint::Backoff::Backoff(Endpoint* e) noexcept
    : Timer([](Timer* timer) noexcept {
        Endpoint& owner = *static_cast<Backoff*>(timer)->endpoint;
        owner.pool.dial(owner);
      }),
      endpoint(e) {}

}  // namespace spanwire::rpc
