// HttpConnection: a client's socket for httplib, with bounded waits and no signal when it is gone.
#pragma once

#include <httplib.h>
#include <poll.h>

#include <array>
#include <cstdlib>
#include <string>

namespace serving {

// A client's socket as httplib reads and writes it.  The server's loop closes it.
class HttpConnection final : public httplib::Stream {
 public:
  explicit HttpConnection(int socket) noexcept : socket_(socket) {}

  bool is_readable() const override { return ready_for(POLLIN); }
  bool is_writable() const override { return ready_for(POLLOUT); }
  ssize_t read(char* data, size_t size) override {
    return is_readable() ? ::recv(socket_, data, size, 0) : -1;
  }
  ssize_t write(const char* data, size_t size) override {
    return is_writable() ? ::send(socket_, data, size, MSG_NOSIGNAL) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    name(&::getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    name(&::getsockname, ip, port);
  }
  socket_t socket() const override { return socket_; }

 private:
  static constexpr int kWaitMaxMs = 30'000;  // for a client to send or take some bytes

  bool ready_for(short events) const {
    pollfd source = {socket_, events, 0};
    return ::poll(&source, 1, kWaitMaxMs) > 0;
  }
  void name(int (*of)(int, sockaddr*, socklen_t*), std::string& ip, int& port) const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> service{};
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (of(socket_, generic, &size) != 0 ||
        ::getnameinfo(generic, size, host.data(), host.size(), service.data(), service.size(),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      return;
    }
    ip = host.data();
    port = std::atoi(service.data());
  }

  int socket_;
};

}  // namespace serving
