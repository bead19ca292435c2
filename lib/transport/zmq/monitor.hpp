// ZmqMonitor: what libzmq says about a socket's connections, as events on the socket's loop, as
// counters ("spanwire.zmq.*") and in the log.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "lib/transport/zmq/handshakes.hpp"
#include "lib/transport/zmq/socket.hpp"

namespace spanwire::transport {

struct ZmqEvent {
  int type = 0;   // ZMQ_EVENT_CONNECTED and so on
  int value = 0;  // by type: descriptor, errno or libzmq's protocol error
  // Of a connection that ended: how it was then.
  ZmqHandshakes::End end = ZmqHandshakes::End::unknown;
  std::string endpoint;
};

class ZmqUnfinishedWatch;

class ZmqMonitorEvents {
 public:
  virtual void on_zmq_event(const ZmqEvent& event) = 0;

 protected:
  ~ZmqMonitorEvents() = default;
};

// Only on the loop of its socket, which it keeps.
class ZmqMonitor final : private ZmqSocketEvents {
 public:
  // Watches from now on: call it before the socket is bound or connected.  Fails with
  // out_of_resources.
  static Result<std::unique_ptr<ZmqMonitor>> watch(ZmqSocket& socket, ZmqMonitorEvents& events);
  ~ZmqMonitor();

  // Events that are there already come before this returns.
  void drain();
  // Descriptors of connections that stand, as far as events were drained.
  const std::set<int>& standing() const noexcept { return handshakes_.standing(); }
  // No event follows.  Idempotent.
  void close() noexcept;

 private:
  ZmqMonitor(ZmqSocket& watched, Ref<ZmqSocket> pair, ZmqMonitorEvents& events) noexcept;

  void on_zmq_ready() override { drain(); }
  void note(ZmqEvent& event);

  Ref<ZmqSocket> watched_;
  Ref<ZmqSocket> pair_;
  ZmqMonitorEvents* events_;
  ZmqHandshakes handshakes_;
  Ref<ZmqUnfinishedWatch> unfinished_;  // null where the socket has no bound
};

// The words for an event of a failed handshake, or of an end that came in the middle of one: what
// failed.
std::string describe_handshake_failure(const ZmqEvent& event);
// What such an event says: security_mismatch, security_refused, security_failed, or connect_failed
// where it was not about keys.  `curve`: this side has keys.
Error handshake_error(const ZmqEvent& event, bool curve);

}  // namespace spanwire::transport
