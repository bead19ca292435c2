#include "lib/transport/zmq/monitor.hpp"

#include <zmq.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "lib/transport/socket_options.hpp"
#include "lib/transport/zmq/unfinished_watch.hpp"
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

// `peer` is empty where it is not known.
void handshake_has_failed(const ZmqEvent& event, const std::string& peer) {
  handshake_failed.add();
  log_warn("a ZeroMQ handshake failed", {{"at", event.endpoint},
                                         {"peer", peer.empty() ? std::string("unknown") : peer},
                                         {"cause", describe_handshake_failure(event)}});
}

// What libzmq's numbers mean for who has to mend it.
std::string protocol_text(int number) {
  switch (number) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return "one side wants CURVE and the other does not";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
    case ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE:
      return "what came cannot be decrypted: the peer has another key for this side";
    case ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED:
    case ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY:
    case ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID:
    case ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION:
    case ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE:
    case ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA:
      return "the authenticator's answer is not one (libzmq's number " + std::to_string(number) +
             ")";
    default:
      return "the peer broke ZMTP (libzmq's number " + std::to_string(number) + ")";
  }
}

// Of a failure without detail, or with a number.
std::string reason_text(const ZmqEvent& event) {
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) return protocol_text(event.value);
  return event.value != 0 ? zmq_text(event.value) : std::string("no reason is known");
}

}  // namespace

std::string describe_handshake_failure(const ZmqEvent& event) {
  switch (event.type) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return "refused by the authenticator with status " + std::to_string(event.value);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return protocol_text(event.value);
    case ZMQ_EVENT_DISCONNECTED:
      return "broken off, without a reason: is it another kind of ZeroMQ socket?";
    default:
      return "it hung up (" + reason_text(event) +
             "): is it another kind of ZeroMQ socket, or no ZeroMQ at all?";
  }
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
  if (event.type == ZMQ_EVENT_DISCONNECTED) {
    return {Errc::connect_failed, describe_handshake_failure(event)};
  }
  const std::string broken = "the peer broke off (" + reason_text(event) + "): ";
  // A listener to whom we speak with another's key cannot answer: it hangs up.  One that has no
  // keys may do so before libzmq has seen that.
  if (curve) {
    return {Errc::security_failed,
            broken + "is its key the one that is named here, and does it speak CURVE?"};
  }
  // One that wants keys of us may hang up before libzmq has seen what it wants.
  return {Errc::connect_failed, broken + "does it want CURVE, or speak something else?"};
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
  if (socket.message_bytes_max() != 0) {
    monitor->unfinished_ = Ref<ZmqUnfinishedWatch>(new ZmqUnfinishedWatch(socket, *monitor));
  }
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
    note(event);
    events_->on_zmq_event(event);
  }
}

void ZmqMonitor::note(ZmqEvent& event) {
  event.end = ZmqHandshakes::End::unknown;
  switch (event.type) {
    case ZMQ_EVENT_CONNECTED:
    case ZMQ_EVENT_ACCEPTED:
      (event.type == ZMQ_EVENT_CONNECTED ? connected : accepted).add();
      if (unfinished_) unfinished_->begun(event.value);
      return handshakes_.begun(event.value, endpoint_text(peer_address(event.value)));
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return handshakes_.succeeded();
    case ZMQ_EVENT_DISCONNECTED:
      disconnected.add();
      if (unfinished_) unfinished_->ended(event.value);
      event.end = handshakes_.ended(event.value);
      if (event.end == ZmqHandshakes::End::silent) handshake_has_failed(event, {});
      return;
    case ZMQ_EVENT_ACCEPT_FAILED:
      accept_failed.add();
      return log_warn("a ZeroMQ connection could not be accepted",
                      {{"at", event.endpoint}, {"cause", zmq_text(event.value)}});
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return handshake_has_failed(event, handshakes_.failed());
    default:
      return;
  }
}

void ZmqMonitor::close() noexcept {
  if (unfinished_) unfinished_->close();
  watched_->stop_monitor();
  pair_->close(std::chrono::milliseconds(0));
}

}  // namespace spanwire::transport
