// Listener: a port, and its clients within bounds of number and time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "spanwire/base/result.hpp"
#include "tools/receive/connection.hpp"
#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

// Of one port.  For one more, the one that has been idle the longest is closed.
inline constexpr std::size_t kConnectionsMax = 1'024;
// For one request to arrive and its answer to be taken.
inline constexpr std::chrono::seconds kRequestTime{30};

class Listener {
 public:
  using Make =
      std::function<std::shared_ptr<Connection>(asio::ip::tcp::socket, Connection::Closed)>;

  // `receiver` outlives it; `name` is what messages call it.
  Listener(std::string name, Receiver& receiver, std::chrono::nanoseconds request_time, Make make);
  // Stops as stop() does.
  ~Listener();

  // Listens, on a thread of its own; returns the port.  Fails with listen_failed.
  Result<int> start(const std::string& host, int port);
  // Answers what has arrived, says goodbye to its clients and joins its thread.
  void stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace spanwire::tools
