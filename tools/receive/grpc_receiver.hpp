// GrpcReceiver: OTLP over gRPC: TraceService/Export as unary calls over HTTP/2 in clear text.
#pragma once

#include <memory>
#include <string>

#include "spanwire/base/result.hpp"
#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

class GrpcReceiver {
 public:
  // `receiver` outlives it.
  explicit GrpcReceiver(Receiver& receiver);
  // Stops as stop() does.
  ~GrpcReceiver();

  // Listens, on a thread of its own; returns the port.  Fails with listen_failed.
  Result<int> start(const std::string& host, int port);
  // Answers what has arrived, says goodbye to its clients and joins its thread.
  void stop();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace spanwire::tools
