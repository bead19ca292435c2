// ZmqOptions::own_core: libzmq's thread and the loop share the one core of the process.
//
// As any thread, libzmq's would interrupt the loop that wakes it, for the first of the messages
// that the loop is sending, and the other side would be woken for that one.  As batch work it waits
// until the loop waits; so that both sides work at the same time, the loop lets it run after some
// messages of a turn.
#pragma once

#include <sched.h>

namespace spanwire::transport {

// Of a context without sockets yet.  False, and nothing done, if the process may use more cores or
// the system does not allow it: libzmq would end the process there.
bool make_batch_work(void* context) noexcept;

// Counts what a socket receives.
class OwnCore {
 public:
  explicit OwnCore(bool is) noexcept : is_(is) {}

  void count_message() noexcept {
    if (is_ && ++messages_ % kMessagesAtOnce == 0) sched_yield();
  }

 private:
  static constexpr unsigned kMessagesAtOnce = 32;

  bool is_;
  unsigned messages_ = 0;
};

}  // namespace spanwire::transport
