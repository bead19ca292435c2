#include "lib/transport/zmq/router.hpp"

#include <unistd.h>

#include <string>
#include <utility>

#include "lib/transport/incoming.hpp"
#include "lib/transport/zmq/router_core.hpp"

namespace spanwire::transport {
namespace {

// An accepted link, until its owner opens it.
struct ZmqConnection final : Incoming::Connection {
  explicit ZmqConnection(RouterLink& accepted) : link(&accepted) {}
  ~ZmqConnection() override {
    if (link) link->abandon();
  }
  Loop* home() const noexcept override { return &link->home(); }
  Result<std::unique_ptr<Link>> open(Loop&) override {
    Ref<ZmqCore> core(link.get());
    link = Ref<RouterLink>();
    return make_zmq_link(std::move(core));
  }
  Ref<RouterLink> link;
};

class ZmqListener final : public Listener {
 public:
  explicit ZmqListener(Ref<ZmqRouter> router) : router_(std::move(router)) {}
  ~ZmqListener() override { close(); }

  const Address& address() const noexcept override { return router_->address(); }
  void close() override { router_->close_listening(); }
  void close_by(MonotonicTime deadline) override {
    router_->linger_until(deadline);
    close();
  }
  const ListenStats& stats() const noexcept override { return router_->stats(); }
  std::size_t connections() const noexcept override { return router_->connections(); }

 private:
  Ref<ZmqRouter> router_;
};

}  // namespace

Incoming incoming_of(RouterLink& link) { return Incoming(std::make_unique<ZmqConnection>(link)); }

Result<std::unique_ptr<Listener>> listen_on_zmq(Loop& loop, const Address& address,
                                                const ListenOptions& options,
                                                AcceptEvents& events) {
  const Ref<ZmqRouter> router(new ZmqRouter(loop, address, options, events));
  Result<void> listening = router->listen();
  if (!listening) {
    router->close_listening();
    return fail(std::move(listening).error());
  }
  return std::make_unique<ZmqListener>(router);
}

RouterLink::RouterLink(ZmqRouter& router, std::string identity, int fd, LinkInfo info,
                       const ListenOptions& options, LinkLease lease)
    : ZmqCore(router.loop(), std::move(info), options.zmq, options.write_timeout, std::move(lease)),
      router_(&router),
      identity_(std::move(identity)),
      fd_(fd) {}

void RouterLink::add_envelope(ZmqOut& message) {
  message.add_envelope(spanwire::bytes_of(identity_));
  if (delimited_) message.add_empty();
}

ZmqSent RouterLink::hand_over(std::span<ZmqPart> message) { return router_->send(message); }

void RouterLink::on_blocked() {
  if (!std::exchange(in_blocked_, true)) router_->add_blocked(*this);
}

void RouterLink::on_finished(const Error& cause) { router_->forget(*this, cause); }

}  // namespace spanwire::transport
