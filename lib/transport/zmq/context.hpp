// ZmqContext: the process's one libzmq context, shared by all loops, so that inproc addresses meet.
#pragma once

#include <memory>

namespace spanwire::transport {

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

 private:
  explicit ZmqContext(void* handle) noexcept;

  void* handle_;
  unsigned generation_;
};

}  // namespace spanwire::transport
