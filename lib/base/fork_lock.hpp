// Locks of a process that its forks find free.
#pragma once

#include <pthread.h>

#include <mutex>

namespace spanwire::detail {

// No other thread holds `lock()` while the process forks: the child finds it free, and what it
// guards whole.  Call it once for each, in a constructor of a priority of fork_order.hpp; what
// `lock()` makes is made there, too, for a fork amid that would leave the child waiting as well.
template <std::mutex& (*lock)()>
void hold_over_forks() {
  lock();
  pthread_atfork([] { lock().lock(); }, [] { lock().unlock(); }, [] { lock().unlock(); });
}

}  // namespace spanwire::detail
