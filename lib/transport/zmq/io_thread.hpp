// ZmqIoThread: libzmq's thread that reads and writes connections, as the scheduler sees it.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace spanwire::transport {

// Of one context, which outlives it.  Safe from any thread.
class ZmqIoThread {
 public:
  // Names the context's threads, so that this one can be found: "3/ZMQbg/IO/0".  Before the
  // context's first socket.
  explicit ZmqIoThread(void* context) noexcept;
  ZmqIoThread(const ZmqIoThread&) = delete;
  ZmqIoThread& operator=(const ZmqIoThread&) = delete;

  // Batch work (SCHED_BATCH of sched(7)) does not interrupt whoever wakes it, but waits until he
  // waits.  False, and nothing is done, unless this thread and the calling one have one core, the
  // same, and the system allows it.
  bool become_batch_work() noexcept;
  // As it was.
  void become_usual() noexcept;

 private:
  pid_t find() noexcept;

  const int number_;
  std::atomic<pid_t> id_{0};  // of the thread; 0: not found yet
  std::atomic<bool> batch_{false};
};

}  // namespace spanwire::transport
