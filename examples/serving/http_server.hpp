// HttpServer: the frontend as chat clients see it.  POST /v1/chat/completions, GET /v1/models,
// GET /health; GET /metrics for its own numbers, /metrics/0 and so on for the workers', in the
// order that /health has.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "examples/serving/gateway.hpp"
#include "spanwire/base/result.hpp"

namespace serving {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 0;                    // 0: any free one
  std::size_t requests_max = 256;  // answers at once; further clients get 503
};

class HttpServer {
 public:
  // `gateway` outlives it.
  HttpServer(Gateway& gateway, const HttpOptions& options);
  // Stops as stop() does.
  ~HttpServer();

  // Listens, on a thread of its own; returns the port.
  spanwire::Result<int> start();
  // Ends the answers that are under way and joins all threads.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serving
