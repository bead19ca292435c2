// EndlessPeer: a ZeroMQ peer that speaks ZMTP by hand, and of whose one message no end ever comes.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

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
    // A message before the other side's READY would be an error of the handshake.
    hear(greeting.size() + 1);
    hear(static_cast<unsigned char>(hear(1)[0]));
  }
  ~EndlessPeer() { ::close(fd_); }
  EndlessPeer(const EndlessPeer&) = delete;
  EndlessPeer& operator=(const EndlessPeer&) = delete;

  // Parts of `part_bytes`, each with more to follow, with `pause_ms` between two MiB, `bytes_max`
  // of them.  Bytes that it got rid of before the connection was cut.
  std::size_t send_without_end(std::size_t part_bytes, int pause_ms = 50,
                               std::size_t bytes_max = kGivesUpAt) {
    const std::string part = head(part_bytes, true) + std::string(part_bytes, 'x');
    std::string parts;
    while (parts.size() < (1u << 20)) parts += part;
    std::size_t sent = 0;
    while (sent < bytes_max && !cut(pause_ms) && say(parts)) sent += parts.size();
    return sent;
  }
  // A whole message, its last part in `pieces` pieces with `pause_ms` between them.  False: cut.
  bool send_slowly(std::string_view path, std::string_view payload, std::size_t pieces,
                   int pause_ms) {
    if (!say(head(path.size(), true).append(path) + head(2, true) + "{}")) return false;
    if (!say(head(payload.size(), false))) return false;
    const std::size_t piece = payload.size() / pieces + 1;
    for (; !payload.empty(); payload.remove_prefix(std::min(piece, payload.size()))) {
      if (cut(pause_ms) || !say(payload.substr(0, piece))) return false;
    }
    return true;
  }
  // Whole messages of one part each.  False: cut.
  bool send_whole(const std::vector<std::string>& messages) const {
    std::string all;
    for (const std::string& message : messages) all += head(message.size(), false) + message;
    return !cut(0) && say(all);
  }
  // Until the other side ends the connection, or for so long.
  bool cut(int wait_ms) const {
    pollfd look{fd_, POLLRDHUP, 0};
    return ::poll(&look, 1, wait_ms) > 0;
  }

 private:
  std::string hear(std::size_t bytes) const {
    std::string text(bytes, '\0');
    EXPECT_EQ(::recv(fd_, text.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
    return text;
  }
  // A peer that has hung up may never take what waits.
  bool say(std::string_view bytes) const {
    while (!bytes.empty()) {
      pollfd look{fd_, POLLOUT | POLLRDHUP, 0};
      if (::poll(&look, 1, -1) != 1 || (look.revents & ~POLLOUT) != 0) return false;
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  static std::string head(std::size_t part_bytes, bool more) {
    const bool is_long = part_bytes > 255;
    std::string text(1, static_cast<char>((more ? 1 : 0) | (is_long ? 2 : 0)));
    for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8) {
      text.append(1, static_cast<char>(part_bytes >> shift & 255));
    }
    return text;
  }

  int fd_;
};

}  // namespace spanwire::testing
