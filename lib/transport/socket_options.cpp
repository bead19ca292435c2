#include "lib/transport/socket_options.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

#include "spanwire/transport/address.hpp"

namespace spanwire::transport {
namespace {

void set_option(int fd, int level, int option, int value) noexcept {
  setsockopt(fd, level, option, &value, sizeof(value));
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() noexcept { return std::exchange(fd_, -1); }

std::string endpoint_text(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.family() == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address.storage);
    inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
    return host_and_port(text.data(), ntohs(ip.sin_port));
  }
  if (address.family() == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address.storage);
    inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
    std::string host = text.data();
    std::array<char, IF_NAMESIZE> zone{};
    if (ip.sin6_scope_id != 0 && if_indextoname(ip.sin6_scope_id, zone.data()) != nullptr) {
      host.append("%").append(zone.data());
    }
    return host_and_port(host, ntohs(ip.sin6_port));
  }
  if (address.family() == AF_UNIX && address.size > offsetof(sockaddr_un, sun_path)) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(address.storage);
    return std::string(local.sun_path, strnlen(local.sun_path, sizeof(local.sun_path)));
  }
  return {};
}

SocketAddress local_address(int fd) noexcept {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (getsockname(fd, address.get(), &address.size) != 0) address.size = 0;
  return address;
}

SocketAddress peer_address(int fd) noexcept {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (getpeername(fd, address.get(), &address.size) != 0) address.size = 0;
  return address;
}

SocketAddress unix_address(std::string_view path) noexcept {
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  const std::size_t bytes = std::min(path.size(), sizeof(local.sun_path) - 1);
  std::memcpy(local.sun_path, path.data(), bytes);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes + 1);
  return address;
}

Fd open_socket(int family) noexcept {
  return Fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void set_connection_options(int fd, int family) noexcept {
  if (family == AF_UNIX) return;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(kKeepAliveIdle.count()));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(kKeepAliveInterval.count()));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kTcpUserTimeout.count()));
}

std::string system_text(int error) { return std::system_category().message(error); }

Error read_error(int error) {
  if (error == ECONNRESET || error == EPIPE) return Errc::connection_reset;
  return Error(Errc::read_failed, system_text(error));
}

Error write_error(int error) {
  if (error == ECONNRESET || error == EPIPE) return Errc::connection_reset;
  return Error(Errc::write_failed, system_text(error));
}

}  // namespace spanwire::transport
