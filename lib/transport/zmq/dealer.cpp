#include "lib/transport/zmq/dealer.hpp"

#include <zmq.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lib/transport/socket_options.hpp"
#include "lib/transport/zmq/link.hpp"
#include "lib/transport/zmq/monitor.hpp"
#include "lib/transport/zmq/options.hpp"
#include "lib/transport/zmq/security.hpp"
#include "spanwire/base/suspension.hpp"

namespace spanwire::transport {
namespace {

// Messages of one readiness before other sockets get their turn.
constexpr int kMessagesPerTurn = 512;

class DealerCore;

// Waits until a connection is made or has failed.
class HandshakeWait final : private Suspension, private Timer {
 public:
  HandshakeWait(DealerCore& dealer, MonotonicTime deadline)
      : Timer(&HandshakeWait::on_deadline), dealer_(dealer), deadline_(deadline) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle);
  Result<void> await_resume() {
    if (error_.code() != Errc::ok) return fail(std::move(error_));
    return {};
  }
  void end(Error error);

 private:
  static void on_deadline(Timer* timer) noexcept {
    static_cast<HandshakeWait*>(timer)->end(Errc::connect_timeout);
  }
  static void on_cancel(Suspension* wait) noexcept {
    static_cast<HandshakeWait*>(wait)->end(Errc::cancelled);
  }

  DealerCore& dealer_;
  MonotonicTime deadline_;
  Error error_;
};

class DealerCore final : public ZmqCore, private ZmqSocketEvents, private ZmqMonitorEvents {
 public:
  DealerCore(Loop& loop, LinkInfo info, const DialOptions& options, bool naive)
      : ZmqCore(loop, std::move(info), options.zmq, options.write_timeout, LinkLease()) {
    if (naive) set_naive();
  }

  ~DealerCore() override { drop(); }

  Result<void> connect(const std::string& endpoint, std::chrono::nanoseconds timeout) {
    SPANWIRE_TRY(socket_, ZmqSocket::open(loop(), ZMQ_DEALER, link_socket_options(options())));
    SPANWIRE_TRY_VOID(set_heartbeat(*socket_, options()));
    SPANWIRE_TRY_VOID(set_connecting(*socket_, timeout));
    if (!options().curve.empty()) {
      SPANWIRE_TRY_VOID(security_.connect(*socket_, options().curve));
    }
    if (!naive()) SPANWIRE_TRY_VOID(socket_->set(ZMQ_PROBE_ROUTER, 1));
    SPANWIRE_TRY(monitor_, ZmqMonitor::watch(*socket_, *this));
    return socket_->connect(endpoint);
  }

  void wait(HandshakeWait& waiting) noexcept { waiting_ = &waiting; }
  void stop_waiting() noexcept { waiting_ = nullptr; }
  void drop() noexcept { shut(std::chrono::milliseconds(0)); }

 private:
  void add_envelope(ZmqOut& message) override {
    // REP wants it and ROUTER does not mind.
    if (naive()) message.add_empty();
  }
  ZmqSent hand_over(std::span<ZmqPart> message) override { return socket_->send(message); }
  void on_resumed() override {
    if (!told_) {
      told_ = true;
      return socket_->start(*this);
    }
    socket_->look_again();
  }

  void on_zmq_ready() override {
    const Ref<DealerCore> self(this);
    retry();
    ZmqMessage message;
    int left = kMessagesPerTurn;
    while (listening() && left != 0 && socket_->receive(message)) {
      --left;
      std::span<ZmqPart> parts = message.parts();
      if (parts.size() > 1 && parts[0].size() == 0) parts = parts.subspan(1);
      deliver(parts);
    }
    if (ended()) return;
    if (left == 0) return socket_->look_again();
    if (!listening()) return socket_->rest();
    if (lost_) gone();
  }

  void on_zmq_event(const ZmqEvent& event) override {
    switch (event.type) {
      case ZMQ_EVENT_CONNECTED:
        note_local(event.value);
        return;
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return answer(Errc::ok);
      case ZMQ_EVENT_CLOSED:
      case ZMQ_EVENT_CONNECT_RETRIED:
        return answer(Error(Errc::connect_failed, "refused or unreachable"));
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return answer(handshake_error(event, !options().curve.empty()));
      case ZMQ_EVENT_DISCONNECTED:
        if (waiting_ != nullptr) {
          return answer(handshake_error(event, !options().curve.empty()));
        }
        // What came before is read first.
        lost_ = true;
        socket_->look_again();
        return;
      default:
        return;
    }
  }

  // A socket of ipc has no address of its own.
  void note_local(int fd) {
    std::string local = endpoint_text(local_address(fd));
    if (!local.empty()) own_info().local = std::move(local);
  }
  void answer(Error error) {
    if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->end(std::move(error));
  }

  void on_finished(const Error&) override {
    shut(connection_is_gone()
             ? std::chrono::milliseconds(0)
             : linger_by(options().linger, linger_until(), loop().clock().monotonic()));
  }
  bool connection_is_gone() const noexcept { return lost_ || peer_left(); }

  void shut(std::chrono::milliseconds linger) noexcept {
    if (socket_) socket_->close(linger);
    monitor_.reset();
  }

  ZmqSecurity security_;
  Ref<ZmqSocket> socket_;
  std::unique_ptr<ZmqMonitor> monitor_;
  HandshakeWait* waiting_ = nullptr;
  bool told_ = false;  // the socket tells us
  bool lost_ = false;
};

template <class Promise>
bool HandshakeWait::await_suspend(std::coroutine_handle<Promise> handle) {
  if (!suspend(handle, &HandshakeWait::on_cancel)) {
    error_ = Errc::cancelled;
    return false;
  }
  home().timers().add(*this, deadline_);
  dealer_.wait(*this);
  return true;
}

void HandshakeWait::end(Error error) {
  dealer_.stop_waiting();
  home().timers().remove(*this);
  error_ = std::move(error);
  resume();
}

LinkInfo info_of(const Address& address, const std::string& endpoint) {
  LinkInfo info;
  info.mode = LinkMode::multipart;
  info.scheme = zmq_scheme(address.scheme);
  info.peer =
      address.scheme == Scheme::zmq_tcp ? endpoint.substr(endpoint.find("//") + 2) : address.host;
  info.local = to_string(address);
  return info;
}

Task<Result<Ref<DealerCore>>> connect_one(Loop& loop, Address address, std::string endpoint,
                                          DialOptions options, MonotonicTime deadline) {
  const bool naive = address.protocol == "naive";
  Ref<DealerCore> dealer(new DealerCore(loop, info_of(address, endpoint), options, naive));
  const std::chrono::nanoseconds left = deadline - loop.clock().monotonic();
  if (address.scheme == Scheme::zmq_inproc && !has_inproc_name(address.host)) {
    co_return fail(Errc::connect_failed, "nobody listens there");
  }
  Result<void> connected = dealer->connect(endpoint, left);
  // Inside one process there is no handshake to wait for.
  if (connected && address.scheme != Scheme::zmq_inproc) {
    HandshakeWait wait(*dealer, deadline);
    connected = co_await wait;
  }
  if (!connected) {
    dealer->drop();
    co_return fail(std::move(connected).error());
  }
  co_return dealer;
}

}  // namespace

Task<Result<Dialled>> dial_zmq(Loop& loop, Address address, std::vector<std::string> endpoints,
                               DialOptions options, MonotonicTime deadline) {
  std::string reasons;
  Errc last = Errc::connect_failed;
  Dialled dialled;
  const MonotonicTime begin = loop.clock().monotonic();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const MonotonicTime now = loop.clock().monotonic();
    if (now >= deadline) {
      last = Errc::connect_timeout;
      break;
    }
    ++dialled.attempts;
    const auto left = static_cast<std::int64_t>(endpoints.size() - i);
    const std::string endpoint = endpoints[i];
    Result<Ref<DealerCore>> dealer =
        co_await connect_one(loop, address, endpoint, options, now + (deadline - now) / left);
    if (dealer) {
      dialled.connect = loop.clock().monotonic() - begin;
      dialled.link = make_zmq_link(Ref<ZmqCore>(dealer->get()));
      co_return dialled;
    }
    last = dealer.error().code();
    if (last == Errc::cancelled) co_return fail(last);
    reasons.append(reasons.empty() ? "" : "; ").append(endpoint).append(": ");
    reasons.append(dealer.error().detail().empty() ? describe(last) : dealer.error().detail());
  }
  co_return fail(last, std::move(reasons));
}

}  // namespace spanwire::transport
