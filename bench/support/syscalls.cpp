// Counts the system calls that programs in bench/ make on descriptors: these definitions stand in
// front of libc's.  Only in benches.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

#include "bench/support/echo.hpp"

namespace {
// One thread does the work in every echo program: a plain add would do, were it not for start and
// end.
std::atomic<std::uint64_t> count{0};
void add() noexcept {
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}
}  // namespace

namespace spanwire::bench {
std::uint64_t syscalls() noexcept { return count.load(std::memory_order_relaxed); }
}  // namespace spanwire::bench

extern "C" {
[[gnu::visibility("default")]] ssize_t recvmsg(int fd, msghdr* message, int flags) {
  add();
  return syscall(SYS_recvmsg, fd, message, flags);
}
[[gnu::visibility("default")]] ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  add();
  return syscall(SYS_sendmsg, fd, message, flags);
}
[[gnu::visibility("default")]] ssize_t recv(int fd, void* data, size_t size, int flags) {
  add();
  return syscall(SYS_recvfrom, fd, data, size, flags, nullptr, nullptr);
}
[[gnu::visibility("default")]] ssize_t send(int fd, const void* data, size_t size, int flags) {
  add();
  return syscall(SYS_sendto, fd, data, size, flags, nullptr, 0);
}
[[gnu::visibility("default")]] ssize_t readv(int fd, const iovec* parts, int size) {
  add();
  return syscall(SYS_readv, fd, parts, size);
}
[[gnu::visibility("default")]] ssize_t writev(int fd, const iovec* parts, int size) {
  add();
  return syscall(SYS_writev, fd, parts, size);
}
[[gnu::visibility("default")]] int epoll_wait(int fd, epoll_event* events, int size, int timeout) {
  add();
  return static_cast<int>(syscall(SYS_epoll_wait, fd, events, size, timeout));
}
}
