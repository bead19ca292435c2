// Threads of the library's own.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <thread>
#include <utility>

namespace spanwire {

// Signals are the program's: none is delivered on this thread, nor on those that it starts.  Not
// joinable where the system has no thread left.  `name`: 15 characters at most.
template <class Work>
std::thread start_own_thread(const char* name, Work work) noexcept {
  std::thread thread;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread = std::thread(std::move(work));
    pthread_setname_np(thread.native_handle(), name);
  } catch (const std::system_error&) {
    // Said by its not being joinable.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace spanwire
