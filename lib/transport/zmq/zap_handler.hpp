// Answers libzmq's question whether a client may connect (ZAP 1.0, RFC 27): one per ZeroMQ context,
// on a thread of its own, `spanwire-zap`, so that no loop holds up handshakes.
#pragma once

#include <memory>
#include <string>

#include "spanwire/base/result.hpp"
#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {

// Refusals are counted ("spanwire.zmq.zap_refused") and logged with the key and the address that it
// came from.  libzmq lets everybody in when no handler is there: start it before a socket with
// CURVE binds, and destroy it after the last of them is closed.  Safe from any thread.
class ZapHandler {
 public:
  // Fails with already_exists if the context has a handler that is not ours.
  static Result<std::unique_ptr<ZapHandler>> start(void* context);
  // Ends the thread.
  ~ZapHandler();
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

  // A ZAP domain, of a name of its own, whose clients `list` decides on.
  std::string add(std::shared_ptr<AllowList> list);
  // From now on the domain's clients are refused.
  void remove(const std::string& domain);

 private:
  struct State;
  explicit ZapHandler(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace spanwire::transport
