#include "spanwire/transport/listen.hpp"

#include <utility>

#include "lib/transport/incoming.hpp"
#include "lib/transport/memory_link.hpp"
#include "lib/transport/socket_listener.hpp"
#include "lib/transport/zmq/options.hpp"
#include "lib/transport/zmq/router.hpp"
#include "spanwire/base/assert.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter connections_refused("spanwire.transport.connections_refused");

}  // namespace

bool LinkLimit::has_room(const Address& listener) {
  const bool room = open() < links_max_;
  if (!room && !told_) {
    log_warn("refused a connection: the listener has as many as it may have",
             {{"address", to_string(listener)}, {"connections_max", links_max_}});
  }
  told_ = !room;
  return room;
}

void count_refused(ListenStats& stats) noexcept {
  ++stats.refused;
  connections_refused.add();
}

Incoming::Incoming() noexcept = default;
Incoming::Incoming(std::unique_ptr<Connection> connection) noexcept
    : connection_(std::move(connection)) {}
Incoming::Incoming(Incoming&&) noexcept = default;
Incoming& Incoming::operator=(Incoming&&) noexcept = default;
Incoming::~Incoming() = default;

Loop* Incoming::home() const noexcept { return connection_->home(); }

Result<std::unique_ptr<Link>> Incoming::open(Loop& loop) {
  SPANWIRE_ASSERT(connection_ != nullptr);
  const std::unique_ptr<Connection> connection = std::move(connection_);
  return connection->open(loop);
}

Result<std::unique_ptr<Listener>> listen(Loop& loop, const Address& address,
                                         const ListenOptions& options, AcceptEvents& events) {
  SPANWIRE_TRY_VOID(check_encrypts(address, options.zmq.curve));
  if (address.scheme == Scheme::memory) return listen_in_memory(loop, address, options, events);
  if (address.zmq()) return listen_on_zmq(loop, address, options, events);
  return listen_on_socket(loop, address, options, events);
}

}  // namespace spanwire::transport
