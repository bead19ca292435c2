#include "lib/rpc/client_core.hpp"

namespace spanwire::rpc {

Connection::Connection(LoopClient& pool, Endpoint& endpoint,
                       std::unique_ptr<channel::ClientChannel> channel)
    : pool_(pool),
      endpoint_(endpoint),
      channel_(std::move(channel)),
      peer_(channel_->info()),
      is_v1_(channel_->info().protocol == "v1"),
      opened_at_(pool.loop().now()) {}

void Connection::on_ready() {
  was_ready_ = true;
  pool_.ready(*this);
}

void Connection::on_draining() { pool_.not_ready(*this); }

void Connection::on_free() { pool_.serve_waiting(); }

void Connection::on_closed(const Error& cause) {
  const Error kept = cause;
  pool_.closed(*this, kept);
}

Endpoint::Endpoint(LoopClient& p, transport::Address a)
    : pool(p), address(std::move(a)), text(transport::to_string(address)) {}

Endpoint::Backoff::Backoff(Endpoint* e) noexcept
    : Timer([](Timer* timer) noexcept {
        Endpoint& owner = *static_cast<Backoff*>(timer)->endpoint;
        owner.pool.dial(owner);
      }),
      endpoint(e) {}

}  // namespace spanwire::rpc
