#include "lib/transport/zmq/router_core.hpp"

#include <zmq.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lib/transport/socket_options.hpp"
#include "lib/transport/zmq/options.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter late_messages("spanwire.zmq.late_messages");
constinit NamedCounter mute_connections("spanwire.zmq.mute_connections");

// Messages of one readiness before other sockets get their turn.
constexpr int kMessagesPerTurn = 512;
constexpr std::chrono::nanoseconds kRetryAfter = std::chrono::milliseconds(5);
// A peer that has gone is given up at the latest so much later, also while others keep us reading.
constexpr std::chrono::nanoseconds kLeaveAfter = std::chrono::seconds(1);

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return text;
}

}  // namespace

ZmqRouter::ZmqRouter(Loop& loop, const Address& address, const ListenOptions& options,
                     AcceptEvents& events)
    : Timer(&ZmqRouter::mute_timer_fired),
      loop_(loop),
      address_(address),
      options_(options),
      events_(&events),
      limit_(options.connections_max),
      retry_timer_(&ZmqRouter::retry_timer_fired, *this) {}

Result<void> ZmqRouter::listen() {
  if (!address_.protocol.empty()) {
    return fail(Errc::bad_address, to_string(address_) + " can be dialled, not listened on");
  }
  SPANWIRE_TRY(socket_, ZmqSocket::open(loop_, ZMQ_ROUTER, link_socket_options(options_.zmq)));
  // Not to drop silently what cannot be delivered.
  SPANWIRE_TRY_VOID(socket_->set(ZMQ_ROUTER_MANDATORY, 1));
  SPANWIRE_TRY_VOID(socket_->set(ZMQ_BACKLOG, options_.backlog));
  SPANWIRE_TRY_VOID(set_heartbeat(*socket_, options_.zmq));
  if (!options_.zmq.curve.empty()) {
    SPANWIRE_TRY_VOID(security_.listen(*socket_, options_.zmq.curve));
  }
  SPANWIRE_TRY_VOID(set_handshake_timeout(*socket_, wire::kHandshakeTimeout));
  SPANWIRE_TRY(monitor_, ZmqMonitor::watch(*socket_, *this));
  SPANWIRE_TRY_VOID(bind());
  socket_->start(*this);
  return {};
}

Result<void> ZmqRouter::bind() {
  if (address_.scheme == Scheme::zmq_inproc) {
    if (!add_inproc_name(address_.host)) {
      return fail(Errc::already_exists, to_string(address_) + ": somebody listens there");
    }
    return socket_->bind("inproc://" + address_.host);
  }
  if (address_.scheme == Scheme::zmq_ipc) return bind_ipc(*socket_, address_, options_.zmq);
  SPANWIRE_TRY(address_.port, bind_tcp(*socket_, address_));
  return {};
}

void ZmqRouter::close_listening() {
  if (events_ == nullptr) return;
  events_ = nullptr;
  if (address_.scheme == Scheme::zmq_inproc && socket_) remove_inproc_name(address_.host);
  shut_if_done();
}

void ZmqRouter::shut_if_done() {
  if (events_ != nullptr || connections() != 0) return;
  loop_.timers().remove(*this);
  loop_.timers().remove(retry_timer_);
  last_ = Ref<RouterLink>();
  peers_.clear();
  // Links hold this object: those that waited for room or for their last messages too.
  blocked_.clear();
  leaving_.clear();
  if (socket_) {
    socket_->close(linger_by(options_.zmq.linger, linger_until_, loop_.clock().monotonic()));
  }
  monitor_.reset();
}

void ZmqRouter::on_zmq_ready() {
  const Ref<ZmqRouter> self(this);
  ZmqMessage message;
  int left = kMessagesPerTurn;
  while (left != 0 && socket_->receive(message)) {
    --left;
    // A message of nothing but an identity is none.
    if (message.parts().size() > 1) on_message(message.parts());
  }
  if (left == 0) socket_->look_again();
  // Behind the last receive(): that makes libzmq hear of all the room that there is.
  retry_blocked();
  if (!leaving_.empty() && (left != 0 || loop_.now() - leaving_since_ > kLeaveAfter)) end_leaving();
}

void ZmqRouter::on_message(std::span<ZmqPart> parts) {
  const std::string_view identity = text_of(part_bytes(parts[0]));
  const bool delimited = parts.size() > 2 && parts[1].size() == 0;
  const std::size_t envelope = delimited ? 2 : 1;
  if (!last_ || last_->identity() != identity || last_->ended()) {
    const auto peer = peers_.find(identity);
    if (peer != peers_.end() && !peer->second.link) {
      return drop_late(peer, parts.subspan(envelope));
    }
    RouterLink* link = peer != peers_.end() ? peer->second.link.get() : admit(parts, envelope);
    if (link == nullptr) return;
    last_ = Ref<RouterLink>(link);
  }
  const Ref<RouterLink> link = last_;
  link->set_delimited(delimited);
  link->deliver(parts.subspan(envelope));
}

void ZmqRouter::drop_late(Peers::iterator peer, std::span<ZmqPart> parts) {
  late_messages.add();
  if (parts.size() == 1 && wire::is_farewell(part_bytes(parts[0]))) peers_.erase(peer);
}

// The link of an identity that is new; null if it is not let in.
RouterLink* ZmqRouter::admit(std::span<ZmqPart> parts, std::size_t envelope) {
  if (wire::is_farewell(part_bytes(parts[envelope]))) {
    late_messages.add();
    return nullptr;
  }
  if (events_ == nullptr || !limit_.has_room(address_)) {
    count_refused(stats_);
    refuse(parts, envelope);
    return nullptr;
  }
  // The descriptor may have been another's: whose end has been told, if not heard.
  monitor_->drain();
  if (events_ == nullptr) return nullptr;
  return accept(text_of(part_bytes(parts[0])), descriptor_of(parts[0]));
}

RouterLink* ZmqRouter::accept(std::string_view identity, int fd) {
  ++stats_.accepted;
  const Ref<RouterLink> link(new RouterLink(*this, std::string(identity), fd, info_of(identity, fd),
                                            options_, limit_.take()));
  peers_[link->identity()] = Peer{link, fd};
  if (fd >= 0) identities_[fd] = link->identity();
  mute_.erase(fd);
  events_->on_accept(incoming_of(*link));
  return link->ended() ? nullptr : link.get();
}

// Names are not remembered: a refused peer hears it for each message.
void ZmqRouter::refuse(std::span<ZmqPart> parts, std::size_t envelope) {
  ZmqOut message;
  message.add_envelope(part_bytes(parts[0]));
  if (envelope == 2) message.add_empty();
  message.add_copy(wire::encode_farewell());
  static_cast<void>(socket_->send(message.parts()));
}

LinkInfo ZmqRouter::info_of(std::string_view identity, int fd) const {
  LinkInfo info;
  info.mode = LinkMode::multipart;
  info.scheme = zmq_scheme(address_.scheme);
  info.local = to_string(address_);
  if (address_.scheme == Scheme::zmq_tcp) {
    info.local = host_and_port(address_.host, address_.port);
    info.peer = endpoint_text(peer_address(fd));
  }
  if (info.peer.empty()) info.peer = "identity " + hex(identity);
  return info;
}

void ZmqRouter::on_zmq_event(const ZmqEvent& event) {
  if (event.type == ZMQ_EVENT_ACCEPTED) return watch_mute(event.value);
  if (event.type != ZMQ_EVENT_DISCONNECTED) return;
  mute_.erase(event.value);
  const auto known = identities_.find(event.value);
  if (known == identities_.end()) return;
  const auto peer = peers_.find(known->second);
  identities_.erase(known);
  if (peer == peers_.end()) return;
  if (!peer->second.link) {
    peers_.erase(peer);
    return;
  }
  if (leaving_.empty()) leaving_since_ = loop_.now();
  leaving_.push_back(peer->second.link);
  socket_->look_again();
}

void ZmqRouter::end_leaving() {
  const std::vector<Ref<RouterLink>> leaving = std::move(leaving_);
  leaving_.clear();
  for (const Ref<RouterLink>& link : leaving) link->gone();
}

// What this call made libzmq hear of room for others it tells nobody else.
ZmqSent ZmqRouter::send(std::span<ZmqPart> message) {
  if (!blocked_.empty() && !retrying_) socket_->look_again();
  return socket_->send(message);
}

// libzmq tells of room once, to whichever call on the socket comes next, and not of whom; what a
// call hears in the middle of retry_blocked() may be of a link that has just been tried.  There is
// no asking either: whether a ROUTER is ready to write says that some peer has room, and the one
// function that asks for a peer (zmq_socket_get_peer_state) is a draft that Debian's libzmq lacks.
// So a timer stands behind the events, for what slips through.
void ZmqRouter::add_blocked(RouterLink& link) {
  blocked_.emplace_back(&link);
  if (!retry_timer_.armed()) loop_.timers().add(retry_timer_, loop_.now() + kRetryAfter);
}

void ZmqRouter::retry_timer_fired(Timer* timer) noexcept {
  ZmqRouter& router = static_cast<RetryTimer*>(timer)->router;
  const Ref<ZmqRouter> self(&router);
  router.retry_blocked();
}

void ZmqRouter::retry_blocked() {
  if (blocked_.empty()) return;
  retrying_ = true;
  const std::vector<Ref<RouterLink>> blocked = std::move(blocked_);
  blocked_.clear();
  // Those that find no room come back into the list.
  for (const Ref<RouterLink>& link : blocked) link->try_again();
  retrying_ = false;
}

// A link has ended.  Its identity stays known while its connection may still send.
void ZmqRouter::forget(RouterLink& link, const Error& cause) {
  const auto peer = peers_.find(link.identity());
  if (peer != peers_.end() && peer->second.link.get() == &link) {
    const bool may_come_back = link.is_naive() && !is_protocol_error(cause.code());
    if (link.is_gone() || may_come_back) {
      if (const auto known = identities_.find(link.fd());
          known != identities_.end() && known->second == link.identity()) {
        identities_.erase(known);
      }
      peers_.erase(peer);
    } else {
      peer->second.link = Ref<RouterLink>();
    }
  }
  if (last_.get() == &link) last_ = Ref<RouterLink>();
  shut_if_done();
}

// What is connected and never heard is silent, or libzmq keeps it away from us.
void ZmqRouter::watch_mute(int fd) {
  mute_[fd] = loop_.now();
  if (!Timer::armed()) loop_.timers().add(*this, loop_.now() + wire::kHandshakeTimeout);
}

void ZmqRouter::mute_timer_fired(Timer* timer) noexcept {
  auto* self = static_cast<ZmqRouter*>(timer);
  const MonotonicTime now = self->loop_.now();
  for (auto mute = self->mute_.begin(); mute != self->mute_.end();) {
    if (now - mute->second < wire::kHandshakeTimeout) {
      ++mute;
      continue;
    }
    mute_connections.add();
    log_warn(
        "a ZeroMQ peer is connected and nothing of it arrives: it is silent, or another "
        "connection has its identity",
        {{"at", to_string(self->address_)}, {"peer", endpoint_text(peer_address(mute->first))}});
    mute = self->mute_.erase(mute);
  }
  if (!self->mute_.empty()) self->loop_.timers().add(*self, now + wire::kHandshakeTimeout);
}

}  // namespace spanwire::transport
