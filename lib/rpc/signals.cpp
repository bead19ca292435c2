#include "lib/rpc/signals.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace spanwire::rpc {
namespace {

// A handler may do little more than write to a descriptor.
constinit std::atomic<int> write_end{-1};
constinit std::atomic<bool> taken{false};
int read_end = -1;
struct sigaction old_term;
struct sigaction old_int;

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  if (::write(write_end.load(), &byte, 1) < 0) {
    // The pipe is full: the waiter has been told already.
  }
  errno = saved;
}

}  // namespace

SignalWait::SignalWait(SignalWait&& other) noexcept
    : active_(std::exchange(other.active_, false)) {}

SignalWait& SignalWait::operator=(SignalWait&& other) noexcept {
  std::swap(active_, other.active_);
  return *this;
}

Result<SignalWait> SignalWait::make() {
  if (taken.exchange(true))
    return fail(Errc::already_exists, "another server waits for signals in this process");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    taken = false;
    return fail(Errc::not_supported, std::string("no pipe for signals: ") + std::strerror(errno));
  }
  ::fcntl(ends[0], F_SETFL, 0);
  read_end = ends[0];
  write_end = ends[1];
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, &old_term);
  ::sigaction(SIGINT, &action, &old_int);
  SignalWait wait;
  wait.active_ = true;
  return wait;
}

SignalWait::~SignalWait() {
  if (!active_) return;
  ::sigaction(SIGTERM, &old_term, nullptr);
  ::sigaction(SIGINT, &old_int, nullptr);
  ::close(write_end.exchange(-1));
  ::close(read_end);
  taken = false;
}

int SignalWait::wait() {
  unsigned char number = 0;
  while (::read(read_end, &number, 1) != 1) {
  }
  return number;
}

}  // namespace spanwire::rpc
