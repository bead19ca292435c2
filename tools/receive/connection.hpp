// Connection: one client of a listener.
#pragma once

#include <asio.hpp>
#include <functional>
#include <memory>

#include "spanwire/base/clock.hpp"

namespace spanwire::tools {

// Only on its listener's thread.
class Connection {
 public:
  using Closed = std::function<void(Connection*)>;

  virtual ~Connection() = default;
  virtual void start() = 0;
  // Answers what has arrived, and closes.
  virtual void say_goodbye() = 0;
  // Tells the listener.
  virtual void close() = 0;

  // Whether something is under way: a part of a request has come, or an answer is not taken yet.
  virtual bool is_busy() const = 0;
  // Since when it has been busy without an end of it, or idle.
  virtual MonotonicTime since() const = 0;
};

}  // namespace spanwire::tools
