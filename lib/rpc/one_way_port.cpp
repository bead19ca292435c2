#include "lib/rpc/one_way_port.hpp"

#include <algorithm>
#include <utility>

#include "lib/transport/zmq/options.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::rpc {
namespace {

std::string endpoint_of(const transport::Address& address) {
  return to_string(address).substr(std::string_view("zmq+").size());
}

Result<transport::Address> parse_one_way(const std::string& text) {
  SPANWIRE_TRY(transport::Address address, transport::parse_address(text));
  if (address.zmq() && address.protocol.empty()) return address;
  return fail(Errc::bad_address, text + ": one-way messages need zmq+tcp, zmq+ipc or zmq+inproc");
}

}  // namespace

OneWayPort::OneWayPort(Runtime& runtime, OneWayOptions options, transport::OneWayType type)
    : runtime_(runtime),
      loop_(runtime.any_loop()),
      options_(std::move(options)),
      type_(type),
      linger_(options_.zmq.linger) {}

Result<void> OneWayPort::start() {
  if (forked()) return fail(Errc::forked);
  if (on_loop()) return open_socket();
  return block_on(loop_, open_task(shared_from_this()));
}

Task<Result<void>> OneWayPort::open_task(std::shared_ptr<OneWayPort> self) {
  co_return self->open_socket();
}

Result<void> OneWayPort::open_socket() {
  if (options_.listens.empty() && options_.connects.empty()) {
    return fail(Errc::invalid_argument, "no address to listen on or to connect to");
  }
  if (open_) return fail(Errc::already_exists, "it has been started");
  transport::ZmqSocketOptions options;
  options.send_messages_max = options_.zmq.send_messages_max;
  options.receive_messages_max = options_.zmq.receive_messages_max;
  // What is larger than our own limit is told by name; this bounds what libzmq stores for it.
  options.part_bytes_max =
      type_ == transport::OneWayType::publish
          ? transport::subscription_part_max(options_.limits.path_bytes_max)
          : static_cast<std::int64_t>(std::max<std::size_t>(wire::kMultipartBodyBytesMax,
                                                            options_.limits.payload_bytes_max));
  options.message_bytes_max = transport::unfinished_bytes_max(
      options_.zmq, options_.limits.path_bytes_max + options_.limits.header_block_bytes_max +
                        options_.limits.payload_bytes_max);
  options.configure = [this](transport::ZmqSocket& socket) { return configure(socket); };
  SPANWIRE_TRY(socket_, transport::ZmqSocket::open(loop_, socket_type(type_), options));
  Result<void> opened;
  for (const std::string& text : options_.listens) {
    Result<transport::Address> address = parse_one_way(text);
    opened = address ? listen_on(*address) : fail(address.error());
    if (!opened) break;
  }
  for (const std::string& text : options_.connects) {
    if (!opened) break;
    Result<transport::Address> address = parse_one_way(text);
    opened = address ? connect_to(*address) : fail(address.error());
  }
  open_ = opened.has_value();
  if (open_) {
    on_opened();
    socket_->start(*this);
  } else {
    close_socket();
  }
  return opened;
}

Result<void> OneWayPort::configure(transport::ZmqSocket& socket) {
  SPANWIRE_TRY_VOID(
      set_one_way(socket, type_,
                  {options_.reconnect_first, options_.reconnect_last, options_.handshake_timeout}));
  SPANWIRE_TRY_VOID(set_heartbeat(socket, options_.zmq));
  if (!options_.zmq.curve.empty()) {
    if (!options_.listens.empty() && !options_.connects.empty()) {
      return fail(Errc::invalid_argument, "with CURVE a socket either listens or connects");
    }
    SPANWIRE_TRY_VOID(options_.listens.empty() ? security_.connect(socket, options_.zmq.curve)
                                               : security_.listen(socket, options_.zmq.curve));
  }
  SPANWIRE_TRY_VOID(prepare(socket));
  SPANWIRE_TRY(monitor_, transport::ZmqMonitor::watch(socket, *this));
  return {};
}

Result<void> OneWayPort::connect_to(const transport::Address& address) {
  if (address.scheme == transport::Scheme::zmq_inproc) inside_names_.push_back(address.host);
  return socket_->connect(endpoint_of(address));
}

Result<void> OneWayPort::listen_on(const transport::Address& address) {
  transport::Address bound = address;
  switch (address.scheme) {
    case transport::Scheme::zmq_inproc:
      if (!transport::add_inproc_name(address.host)) {
        return fail(Errc::already_exists, to_string(address) + ": somebody listens there");
      }
      inproc_names_.push_back(address.host);
      inside_names_.push_back(address.host);
      SPANWIRE_TRY_VOID(socket_->bind(endpoint_of(address)));
      break;
    case transport::Scheme::zmq_ipc:
      SPANWIRE_TRY_VOID(transport::bind_ipc(*socket_, address, options_.zmq));
      break;
    default:
      SPANWIRE_TRY(bound.port, transport::bind_tcp(*socket_, address));
      break;
  }
  addresses_.push_back(to_string(bound));
  return {};
}

void OneWayPort::close_socket() {
  for (const std::string& name : inproc_names_) transport::remove_inproc_name(name);
  inproc_names_.clear();
  if (socket_) socket_->close(linger_);
  monitor_.reset();
  // Here, and not where the user's object ends: what the loop still does with it counts too.
  socket_ = transport::Ref<transport::ZmqSocket>();
}

void OneWayPort::close(std::chrono::milliseconds linger) {
  if (closed_.exchange(true) || forked()) return;
  linger_ = linger;
  Task<void> task = close_task(shared_from_this());
  if (Executor::current() == nullptr) {
    static_cast<void>(block_on(loop_, std::move(task)));
  } else {
    spawn(loop_, std::move(task));
  }
}

Task<void> OneWayPort::close_task(std::shared_ptr<OneWayPort> self) {
  const Error cause(Errc::shutting_down, "the socket is being closed");
  self->waiting_.end_all(cause);
  self->on_closing(cause);
  self->open_ = false;
  self->close_socket();
  co_return;
}

Result<void> OneWayPort::check_open() const {
  if (open_) return {};
  return closed_ ? fail(Errc::shutting_down) : fail(Errc::not_connected, "it was not started");
}

Task<Result<void>> OneWayPort::connected(trace::Context context) {
  const std::shared_ptr<OneWayPort> keep = shared_from_this();
  SPANWIRE_CO_TRY_VOID(check_open());
  if (connections_ != 0 || !inside_names_.empty()) co_return Result<void>();
  if (cannot_succeed()) co_return fail(last_failure_);
  PortWait wait(waiting_, context.deadline());
  Result<void> waited = co_await wait;
  if (waited || waited.error() != Errc::deadline_exceeded) co_return waited;
  co_return fail(Errc::deadline_exceeded, last_failure_.code() == Errc::ok
                                              ? std::string("no peer has connected")
                                              : last_failure_.message());
}

void OneWayPort::on_zmq_event(const transport::ZmqEvent& event) {
  if (const std::optional<int> fd = ended_descriptor(event)) on_descriptor_ended(*fd);
  switch (transport::change_of(event)) {
    case transport::ConnectionChange::up:
      return connection_up();
    case transport::ConnectionChange::down:
      return connection_down();
    case transport::ConnectionChange::refused:
      last_failure_ = transport::handshake_error(event, !options_.zmq.curve.empty());
      failed_handshakes_ =
          last_failure_.code() == Errc::security_failed ? failed_handshakes_ + 1 : 0;
      if (cannot_succeed()) waiting_.end_all(last_failure_);
      return;
    case transport::ConnectionChange::unreachable:
      last_failure_ = Error(Errc::connect_failed, event.endpoint + ": refused or unreachable");
      return;
    case transport::ConnectionChange::none:
      return;
  }
}

// What has ended is told first: its descriptor may be another's already.
std::set<int> OneWayPort::standing() {
  if (!monitor_) return {};
  monitor_->drain();
  return monitor_ ? monitor_->standing() : std::set<int>();
}

void OneWayPort::connection_up() {
  ++connections_;
  last_failure_ = Error();
  failed_handshakes_ = 0;
  while (PortWait* wait = waiting_.first()) wait->end_later({});
}

void OneWayPort::connection_down() {
  if (connections_ != 0) --connections_;
  on_connection_lost();
}

bool OneWayPort::cannot_succeed() const noexcept {
  // A listener goes on: somebody else may connect.
  if (!options_.listens.empty()) return false;
  const Errc code = last_failure_.code();
  // A peer that has no keys at all may hang up before libzmq has seen that, as one with another key
  // does: the second attempt tells.
  return code == Errc::security_mismatch || code == Errc::security_refused ||
         failed_handshakes_ > 1;
}

}  // namespace spanwire::rpc
