#include "tools/doctor/port_probe.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

namespace spanwire::tools {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
constexpr std::size_t kPrefaceBytes = 24 + 9;
constexpr std::size_t kAnswerBytes = 4096;

class Socket {
 public:
  explicit Socket(int number = -1) noexcept : number_(number) {}
  Socket(Socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Socket() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

bool wait_for(int socket, short events, milliseconds timeout) {
  pollfd item{socket, events, 0};
  return ::poll(&item, 1, static_cast<int>(timeout.count())) > 0;
}

// Connected, and with limits on sending and receiving; else errno says why not.
Socket connect_to(const addrinfo& address, milliseconds timeout) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return socket;
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Socket();
    if (!wait_for(socket.get(), POLLOUT, timeout)) {
      errno = ETIMEDOUT;
      return Socket();
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      return Socket();
    }
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  const auto count = timeout.count();
  const timeval limit{count / 1000, count % 1000 * 1000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return socket;
}

Socket connect_to_any(const addrinfo* list, milliseconds timeout) {
  Socket socket;
  for (; list != nullptr && !socket; list = list->ai_next) socket = connect_to(*list, timeout);
  return socket;
}

// What comes first after `words`, up to the end of a head of HTTP/1.
std::string say(const Socket& socket, std::string_view words) {
  std::string answer;
  if (::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL) < 0) return answer;
  std::array<char, kAnswerBytes> block;
  while (answer.size() < kAnswerBytes) {
    const ssize_t got = ::recv(socket.get(), block.data(), block.size(), 0);
    if (got <= 0) break;
    answer.append(block.data(), static_cast<std::size_t>(got));
    if (!answer.starts_with("HTTP/") || answer.find("\r\n\r\n") != std::string::npos) break;
  }
  return answer;
}

// A certificate that we would not trust is a handshake all the same.
bool speaks_tls(const Socket& socket, const std::string& host) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             &SSL_CTX_free);
  if (!context) return false;
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context.get()), &SSL_free);
  if (!session) return false;
  SSL_set_fd(session.get(), socket.get());
  SSL_set_tlsext_host_name(session.get(), host.c_str());
  if (SSL_connect(session.get()) == 1) return true;
  // It got as far as the other side's hello, which may want more than we have.
  return SSL_get_state(session.get()) > TLS_ST_CW_CLNT_HELLO;
}

std::optional<std::chrono::seconds> clock_ahead_of(std::string_view answer) {
  constexpr std::string_view kName = "\r\nDate: ";
  const std::size_t at = answer.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string text(answer.substr(at + kName.size(), 40));
  std::tm parts{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) {
    return std::nullopt;
  }
  return std::chrono::seconds(::timegm(&parts) - std::time(nullptr));
}

}  // namespace

PortAnswer probe_port(const std::string& host, unsigned port, milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  const Addresses addresses(found);
  if (failed != 0) return {Speaks::unresolved, ::gai_strerror(failed), {}};
  Socket socket = connect_to_any(addresses.get(), timeout);
  if (!socket) return {Speaks::nothing, std::strerror(errno), {}};
  if (speaks_tls(socket, host)) return {Speaks::tls, {}, {}};
  socket = connect_to_any(addresses.get(), timeout);
  if (!socket) return {Speaks::nothing, std::strerror(errno), {}};
  const std::string frames = say(socket, std::string_view(kHttp2Preface.data(), kPrefaceBytes));
  // A frame of settings.
  if (frames.size() >= 9 && frames[3] == 4) return {Speaks::http2, {}, {}};
  socket = connect_to_any(addresses.get(), timeout);
  if (!socket) return {Speaks::nothing, std::strerror(errno), {}};
  const std::string head =
      say(socket, "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  if (head.starts_with("HTTP/1.")) return {Speaks::http1, {}, clock_ahead_of(head)};
  return {};
}

}  // namespace spanwire::tools
