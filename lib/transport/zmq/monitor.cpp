#include "lib/transport/zmq/monitor.hpp"

#include <zmq.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter connected("spanwire.zmq.connected");
constinit NamedCounter accepted("spanwire.zmq.accepted");
constinit NamedCounter disconnected("spanwire.zmq.disconnected");
constinit NamedCounter accept_failed("spanwire.zmq.accept_failed");
constinit NamedCounter handshake_failed("spanwire.zmq.handshake_failed");

std::string next_endpoint() {
  static std::atomic<std::uint64_t> last{0};
  return "inproc://spanwire.monitor." + std::to_string(++last);
}

// The first part is a number of 16 bits and one of 32, in the order of this machine; the second
// the endpoint.
bool read_event(ZmqMessage& message, ZmqEvent& event) {
  const std::span<ZmqPart> parts = message.parts();
  if (parts.size() != 2 || parts[0].size() != 6) return false;
  std::uint16_t type = 0;
  std::memcpy(&type, parts[0].data(), sizeof(type));
  std::int32_t value = 0;
  std::memcpy(&value, part_bytes(parts[0]).data() + sizeof(type), sizeof(value));
  event.type = type;
  event.value = value;
  event.endpoint = text_of(part_bytes(parts[1]));
  return true;
}

void count(const ZmqEvent& event) {
  switch (event.type) {
    case ZMQ_EVENT_CONNECTED:
      return connected.add();
    case ZMQ_EVENT_ACCEPTED:
      return accepted.add();
    case ZMQ_EVENT_DISCONNECTED:
      return disconnected.add();
    case ZMQ_EVENT_ACCEPT_FAILED:
      accept_failed.add();
      return log_warn("a ZeroMQ connection could not be accepted",
                      {{"at", event.endpoint}, {"cause", zmq_text(event.value)}});
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      handshake_failed.add();
      return log_warn("a ZeroMQ handshake failed",
                      {{"at", event.endpoint}, {"cause", describe_handshake_failure(event)}});
    default:
      return;
  }
}

}  // namespace

std::string describe_handshake_failure(const ZmqEvent& event) {
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
    return "refused by the authenticator with status " + std::to_string(event.value);
  }
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
    return "the peer broke ZMTP (libzmq's number " + std::to_string(event.value) + ")";
  }
  return event.value != 0 ? zmq_text(event.value) : "the peer does not speak ZMTP";
}

Error handshake_error(const ZmqEvent& event, bool curve) {
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
    return {Errc::security_refused, describe_handshake_failure(event)};
  }
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
      event.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
    return {Errc::security_mismatch,
            curve ? "the peer does not speak CURVE" : "the peer wants CURVE, and we have no keys"};
  }
  // A listener to whom we speak with another's key cannot answer: it hangs up.
  if (curve) {
    return {Errc::security_failed, "the peer broke off (" + describe_handshake_failure(event) +
                                       "): is its key the one that is named here?"};
  }
  // One that wants keys of us may hang up before libzmq has seen what it wants.
  return {Errc::connect_failed, "the peer broke off (" + describe_handshake_failure(event) +
                                    "): does it want CURVE, or speak something else?"};
}

ZmqMonitor::ZmqMonitor(ZmqSocket& watched, Ref<ZmqSocket> pair, ZmqMonitorEvents& events) noexcept
    : watched_(&watched), pair_(std::move(pair)), events_(&events) {}

ZmqMonitor::~ZmqMonitor() { close(); }

Result<std::unique_ptr<ZmqMonitor>> ZmqMonitor::watch(ZmqSocket& socket, ZmqMonitorEvents& events) {
  ZmqSocketOptions options;
  // Without a bound: at one, libzmq's own thread would wait for us.
  options.receive_messages_max = 0;
  SPANWIRE_TRY(Ref<ZmqSocket> pair, ZmqSocket::open(socket.loop(), ZMQ_PAIR, options));
  const std::string endpoint = next_endpoint();
  SPANWIRE_TRY_VOID(socket.monitor(endpoint));
  SPANWIRE_TRY_VOID(pair->connect(endpoint));
  std::unique_ptr<ZmqMonitor> monitor(new ZmqMonitor(socket, std::move(pair), events));
  monitor->pair_->start(*monitor);
  return monitor;
}

// Events may close the monitor, and destroy it.
void ZmqMonitor::drain() {
  const Ref<ZmqSocket> pair = pair_;
  ZmqMessage message;
  ZmqEvent event;
  while (!pair->closed() && pair->receive(message)) {
    if (!read_event(message, event)) continue;
    count(event);
    events_->on_zmq_event(event);
  }
}

void ZmqMonitor::close() noexcept {
  watched_->stop_monitor();
  pair_->close(std::chrono::milliseconds(0));
}

}  // namespace spanwire::transport
