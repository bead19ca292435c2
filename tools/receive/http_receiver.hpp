// HttpReceiver: OTLP over HTTP/1.1, protobuf and JSON, plain and gzip.
#pragma once

#include <memory>
#include <string>

#include "spanwire/base/result.hpp"
#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

class HttpReceiver {
 public:
  // `receiver` outlives it.
  explicit HttpReceiver(Receiver& receiver);
  // Stops as stop() does.
  ~HttpReceiver();

  // Listens, on threads of its own; returns the port.  Fails with listen_failed.
  Result<int> start(const std::string& host, int port);
  // Answers what is under way and joins its threads.
  void stop();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace spanwire::tools
