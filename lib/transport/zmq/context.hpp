// ZmqContext: the process's one libzmq context, shared by all loops, so that inproc addresses meet.
#pragma once

#include <memory>
#include <mutex>

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
  // has no memory or descriptors for one.  Whoever holds a socket holds the context.  `own_core`,
  // as in ZmqOptions, is of a new one.
  static std::shared_ptr<ZmqContext> acquire(bool own_core = false);

  // Waits until the sockets that were closed have written what they still had, each for its linger
  // at most, and ends libzmq's threads.
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  void* handle() const noexcept { return handle_; }
  // Whether its thread is batch work on the process's one core.
  bool own_core() const noexcept { return own_core_; }
  // Who decides which clients of CURVE listeners connect; made at the first call.  Lives as long as
  // the context.  Fails as ZapHandler::start.
  Result<ZapHandler*> zap();
  // Made at the first call; lives as long as the context.
  ZmqFloodGuard& flood_guard();

 private:
  ZmqContext(void* handle, bool own_core) noexcept;

  void* handle_;
  const bool own_core_;
  unsigned generation_;
  std::mutex mutex_;
  std::unique_ptr<ZapHandler> zap_;
  std::unique_ptr<ZmqFloodGuard> flood_guard_;
};

}  // namespace spanwire::transport
