#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "lib/transport/resolve.hpp"
#include "lib/transport/socket_listener.hpp"

namespace spanwire::transport {
namespace {

tl::unexpected<Error> refuse(const Address& address, int error) {
  const Errc code = error == EADDRINUSE ? Errc::already_exists : Errc::listen_failed;
  return fail(code, to_string(address) + ": " + system_text(error));
}

Result<Fd> bind_one(const Address& address, const SocketAddress& socket_address, int backlog) {
  Fd socket = open_socket(socket_address.family());
  if (!socket) return refuse(address, errno);
  const int on = 1;
  if (socket_address.family() != AF_UNIX) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  // Only the wildcard takes IPv4 as well: who writes [::1] means it.
  if (socket_address.family() == AF_INET6) {
    const int only_v6 = address.host == "*" ? 0 : 1;
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
  }
  if (::bind(socket.get(), socket_address.get(), socket_address.size) != 0 ||
      ::listen(socket.get(), backlog) != 0) {
    return refuse(address, errno);
  }
  return socket;
}

Result<Fd> bind_tcp(const Address& address, int backlog) {
  if (address.host == "*") {
    Result<Fd> both = bind_one(address, numeric_address("::", address.port).at(0), backlog);
    if (both || both.error().code() == Errc::already_exists) return both;
    return bind_one(address, numeric_address("0.0.0.0", address.port).at(0), backlog);
  }
  SPANWIRE_TRY(const SocketAddresses addresses, resolve_now(address.host, address.port));
  Result<Fd> socket = fail(Errc::listen_failed);
  for (const SocketAddress& candidate : addresses) {
    socket = bind_one(address, candidate, backlog);
    if (socket) break;
  }
  return socket;
}

// True if `path` is a socket that nobody listens on: what a killed process leaves.
bool is_stale(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const Fd probe = open_socket(AF_UNIX);
  const SocketAddress address = unix_address(path);
  return probe && ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

}  // namespace

Result<void> check_free_path(const Address& address) {
  struct stat status{};
  if (::lstat(address.host.c_str(), &status) != 0 || is_stale(address.host)) return {};
  return fail(Errc::already_exists, to_string(address) + ": " + system_text(EADDRINUSE));
}

namespace {

Result<Fd> bind_unix(const Address& address, int backlog) {
  if (is_stale(address.host)) ::unlink(address.host.c_str());
  return bind_one(address, unix_address(address.host), backlog);
}

}  // namespace

Result<Fd> bind_and_listen(const Address& address, int backlog) {
  return address.scheme == Scheme::unix_socket ? bind_unix(address, backlog)
                                               : bind_tcp(address, backlog);
}

}  // namespace spanwire::transport
