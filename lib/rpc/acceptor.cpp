#include "lib/rpc/acceptor.hpp"

#include "spanwire/base/log.hpp"
#include "spanwire/base/spawn.hpp"

namespace spanwire::rpc {
namespace {

Task<void> open_on(LoopServer* server, transport::Incoming incoming, trace::TrustRemote trust) {
  Result<std::unique_ptr<transport::Link>> link = incoming.open(server->loop());
  if (!link) {
    log_warn("an accepted connection could not be used", {{"error", link.error().message()}});
    co_return;
  }
  ListenOptions options;
  options.trust = trust;
  server->accept(std::move(*link), options);
}

}  // namespace

Result<std::string> Acceptor::listen(const transport::Address& address) {
  transport::ListenOptions options;
  options.connections_max = core_.options().connections_max;
  options.write_timeout = core_.options().limits.write_timeout;
  options.zmq = core_.options().zmq;
  SPANWIRE_TRY(listener_, transport::listen(home_.loop(), address, options, *this));
  return transport::to_string(listener_->address());
}

// Gone with it: the server may be destroyed on a thread that is not the listener's.
void Acceptor::close(MonotonicTime linger_until) noexcept {
  if (listener_ != nullptr && linger_until != MonotonicTime{}) listener_->close_by(linger_until);
  listener_.reset();
}

void Acceptor::on_accept(transport::Incoming incoming) {
  LoopServer& server = incoming.home() != nullptr ? home_ : core_.next_loop();
  Task<void> task = open_on(&server, std::move(incoming), options_.trust);
  spawn(server.loop(), std::move(task));
}

// The listener has logged it.
void Acceptor::on_shortage(const Error& /*error*/) {}

}  // namespace spanwire::rpc
