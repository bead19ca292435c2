// What every socket of ours is set to, and what its errors mean.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::transport {

// Silence after which the system probes the peer, and for how long unacknowledged bytes may stay
// so.
inline constexpr std::chrono::seconds kKeepAliveIdle{60};
inline constexpr std::chrono::seconds kKeepAliveInterval{10};
inline constexpr int kKeepAliveProbes = 3;
inline constexpr std::chrono::milliseconds kTcpUserTimeout{30'000};

// A descriptor that closes itself.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const noexcept { return fd_; }
  int release() noexcept;
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A socket address of any family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
};

// "127.0.0.1:7001", "[::1]:7001", the path of a unix socket ("" if it has none).
std::string endpoint_text(const SocketAddress& address);
SocketAddress local_address(int fd) noexcept;
SocketAddress peer_address(int fd) noexcept;
// The address of the unix socket at `path`, which fits.
SocketAddress unix_address(std::string_view path) noexcept;

// Non-blocking and close-on-exec.
Fd open_socket(int family) noexcept;
// Options of a connection, dialled or accepted: no Nagle, keepalive, user timeout.  Best effort: a
// system that refuses one of them has a connection all the same.
void set_connection_options(int fd, int family) noexcept;

// "Connection refused"
std::string system_text(int error);

// The error of a read or write that failed with `error`.
Error read_error(int error);
Error write_error(int error);

}  // namespace spanwire::transport
