// ZmqContext: the process's one libzmq context, shared by all loops, so that inproc addresses meet.
#pragma once

#include <memory>
#include <mutex>

#include "lib/transport/zmq/io_thread.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::transport {

class ZapHandler;
class ZmqFloodGuard;

// Sockets that one context may have; a connection that was dialled has three (its monitor two).
inline constexpr int kZmqSocketsMax = 32'768;

// Safe from any thread.
class ZmqContext {
 public:
  // The living context or a new one; a forked child never gets its parent's.  Null if the system
  // has no memory or descriptors for one.  Whoever holds a socket holds the context.
  static std::shared_ptr<ZmqContext> acquire();

  // Waits until the sockets that were closed have written what they still had, each for its linger
  // at most, and ends libzmq's threads.
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  void* handle() const noexcept { return handle_; }
  ZmqIoThread& io_thread() noexcept { return io_thread_; }
  // Who decides which clients of CURVE listeners connect; made at the first call.  Lives as long as
  // the context.  Fails as ZapHandler::start.
  Result<ZapHandler*> zap();
  // Made at the first call; lives as long as the context.
  ZmqFloodGuard& flood_guard();

 private:
  explicit ZmqContext(void* handle) noexcept;

  void* handle_;
  ZmqIoThread io_thread_;
  unsigned generation_;
  std::mutex mutex_;
  std::unique_ptr<ZapHandler> zap_;
  std::unique_ptr<ZmqFloodGuard> flood_guard_;
};

}  // namespace spanwire::transport
