// RawPeer: one TCP connection whose far end the test plays itself, byte by byte and frame by frame.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tests/session/frames.hpp"

namespace spanwire::rpc {

struct RawFrame {
  wire::FrameType type{};
  std::uint32_t id = 0;
  std::string body;
};

class RawPeer {
 public:
  explicit RawPeer(int fd) : fd_(fd) { EXPECT_GE(fd, 0); }
  // A server of ours that listens at "tcp://127.0.0.1:PORT".
  static RawPeer of(std::string_view address) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string port(address.substr(address.rfind(':') + 1));
    where.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    return RawPeer(fd);
  }
  ~RawPeer() { ::close(fd_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (written <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  // So many bytes; fewer when the peer closes before.
  std::string hear(std::size_t bytes) {
    std::string heard(bytes, '\0');
    std::size_t size = 0;
    while (size < bytes) {
      const ssize_t got = ::read(fd_, heard.data() + size, bytes - size);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    heard.resize(size);
    return heard;
  }
  // The next frame of this type; those before it are passed over.  One without a type at the end.
  RawFrame hear_frame(wire::FrameType type) {
    for (;;) {
      const std::string head = hear(wire::kFrameHeaderBytes);
      if (head.size() < wire::kFrameHeaderBytes) return {};
      const Result<wire::FrameHeader> header = wire::decode_frame_header(bytes_of(head));
      if (!header) return {};
      std::string body = hear(header->body_bytes);
      if (header->type != static_cast<std::uint8_t>(type)) continue;
      return {type, header->stream_id, std::move(body)};
    }
  }
  // The next reply of wire v1.
  std::string hear_acknowledgement() {
    const std::string length = hear(4);
    if (length.size() < 4) return "the connection was closed";
    return hear(wire::load_big<std::uint32_t>(bytes_of(length).data()));
  }

 private:
  int fd_;
};

}  // namespace spanwire::rpc
