// Blocking sockets, one call at a time: the least that a round trip costs on this machine.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "bench/support/echo.hpp"

namespace {

using spanwire::bench::EchoOptions;
using spanwire::bench::EchoShared;
using spanwire::bench::Meter;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool read_all(int socket, char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t got = recv(socket, data, size, 0);
    if (got <= 0) return false;
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

void write_all(int socket, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
    if (sent <= 0) std::abort();
    data += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

void serve(const EchoOptions& options, EchoShared& /*shared*/,
           const std::function<void(int)>& ready) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0)
    std::abort();
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  ready(ntohs(address.sin_port));
  const int peer = accept(listener, nullptr, nullptr);
  no_delay(peer);
  std::vector<char> payload(options.payload);
  while (read_all(peer, payload.data(), payload.size()))
    write_all(peer, payload.data(), payload.size());
}

void call(const EchoOptions& options, int port, Meter& meter) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    std::abort();
  no_delay(server);
  std::vector<char> payload(options.payload, 'x');
  while (!meter.stop()) {
    const std::uint64_t begin = meter.begin();
    write_all(server, payload.data(), payload.size());
    if (!read_all(server, payload.data(), payload.size())) std::abort();
    meter.hit(begin);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return spanwire::bench::echo_main(spanwire::bench::echo_options(argc, argv), serve, call);
}
