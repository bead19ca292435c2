// ZmqSecurity: CURVE on one socket.
#pragma once

#include <memory>
#include <string>

#include "lib/transport/zmq/socket.hpp"
#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {

class ZmqContext;

// Before the socket is bound or connected.  Outlives the socket that listens: with it its clients'
// list goes, and whoever still connects is refused.
class ZmqSecurity {
 public:
  ZmqSecurity() noexcept;
  ~ZmqSecurity();
  ZmqSecurity(const ZmqSecurity&) = delete;
  ZmqSecurity& operator=(const ZmqSecurity&) = delete;

  // Fails as CurveServer::load, and with already_exists if the context has a foreign ZAP handler.
  Result<void> listen(ZmqSocket& socket, const CurveOptions& options);
  // Fails as CurveClient::load.
  Result<void> connect(ZmqSocket& socket, const CurveOptions& options);

 private:
  std::shared_ptr<ZmqContext> context_;
  std::string domain_;
};

}  // namespace spanwire::transport
