// EndlessPeer: a ZeroMQ peer that speaks ZMTP by hand, and of whose one message no end ever comes.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace spanwire::testing {

inline std::size_t resident_bytes() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

class EndlessPeer {
 public:
  // What it stops at where nobody stops it.
  static constexpr std::size_t kGivesUpAt = 1u << 30;

  // `address` is "zmq+tcp://127.0.0.1:PORT"; `kind` is a socket type's name, "DEALER".
  EndlessPeer(std::string_view address, std::string_view kind)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(
        std::stoul(std::string(address.substr(address.rfind(':') + 1)))));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    std::string greeting("\xFF\0\0\0\0\0\0\0\0\x7F\3\0NULL", 16);
    greeting.resize(64, '\0');
    std::string ready("\5READY\xBSocket-Type\0\0\0", 21);
    ready.append(1, static_cast<char>(kind.size())).append(kind);
    EXPECT_TRUE(say(greeting));
    EXPECT_TRUE(say(std::string("\4", 1).append(1, static_cast<char>(ready.size())) + ready));
  }
  ~EndlessPeer() { ::close(fd_); }
  EndlessPeer(const EndlessPeer&) = delete;
  EndlessPeer& operator=(const EndlessPeer&) = delete;

  // Parts of `part_bytes`, each with more to follow, with `pause_ms` between two MiB.
  // Bytes that it got rid of before the connection was cut.
  std::size_t send_without_end(std::size_t part_bytes, int pause_ms = 50) {
    std::string part("\3\0\0\0\0", 5);  // long, more
    for (int shift = 24; shift >= 0; shift -= 8) {
      part.append(1, static_cast<char>(part_bytes >> shift & 255));
    }
    part.append(part_bytes, 'x');
    std::string parts;
    while (parts.size() < (1u << 20)) parts += part;
    std::size_t sent = 0;
    while (sent < kGivesUpAt && !cut(pause_ms) && say(parts)) sent += parts.size();
    return sent;
  }

 private:
  bool say(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool cut(int wait_ms) const {
    pollfd look{fd_, POLLRDHUP, 0};
    return ::poll(&look, 1, wait_ms) > 0;
  }

  int fd_;
};

}  // namespace spanwire::testing
