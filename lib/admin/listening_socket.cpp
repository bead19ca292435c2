#include "lib/admin/listening_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace spanwire::admin {
namespace {

constexpr int kBacklog = 16;

struct HostPort {
  std::string host;  // empty: all
  std::string port;
};

bool split(std::string_view address, HostPort& to) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  const bool numeric = port.find_first_not_of("0123456789") == std::string_view::npos;
  if (port.empty() || port.size() > 5 || !numeric || std::stoul(std::string(port)) > 65535) {
    return false;
  }
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return false;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return false;
  }
  to = {std::string(host), std::string(port)};
  return true;
}

std::string bound_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  if (::getsockname(descriptor, address, &size) == 0) {
    ::getnameinfo(address, size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV);
  }
  const std::string text(host);
  return (text.find(':') != std::string::npos ? "[" + text + "]" : text) + ":" + port;
}

int open_socket(const addrinfo& found) {
  const int descriptor = ::socket(found.ai_family, found.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                  found.ai_protocol);
  if (descriptor < 0) return -1;
  const int yes = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(descriptor, found.ai_addr, found.ai_addrlen) == 0 &&
      ::listen(descriptor, kBacklog) == 0) {
    return descriptor;
  }
  const int why = errno;
  ::close(descriptor);
  errno = why;
  return -1;
}

}  // namespace

Result<ListeningSocket> listen_on(std::string_view address) {
  HostPort where;
  if (!split(address, where)) {
    return fail(Errc::bad_address, "'" + std::string(address) + "' is not HOST:PORT");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(where.host.empty() ? nullptr : where.host.c_str(),
                                   where.port.c_str(), &hints, &list);
  if (failed != 0) {
    return fail(Errc::bad_address, std::string(address) + ": " + ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, &::freeaddrinfo);
  int why = 0;
  for (const addrinfo* found = list; found != nullptr; found = found->ai_next) {
    const int descriptor = open_socket(*found);
    if (descriptor >= 0) return ListeningSocket{descriptor, bound_address(descriptor)};
    why = errno;
  }
  return fail(Errc::listen_failed, std::string(address) + ": " + std::strerror(why));
}

}  // namespace spanwire::admin
