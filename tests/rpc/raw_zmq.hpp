// A ZeroMQ socket as any program has one: blocking, with nothing of ours.
#pragma once

#include <gtest/gtest.h>
#include <zmq.h>

#include <string>
#include <string_view>
#include <vector>

#include "spanwire/wire/frame.hpp"

namespace spanwire::testing {

using Parts = std::vector<std::string>;

class RawZmq {
 public:
  // `endpoint` is libzmq's; a socket that binds says where with endpoint().
  // `messages_max`: of each peer, that wait to be received.
  RawZmq(int type, const std::string& endpoint, bool bind = false, std::string_view identity = {},
         int messages_max = 1'000)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    const int guard_ms = 30'000;
    const int no_linger = 0;
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &guard_ms, sizeof(guard_ms));
    zmq_setsockopt(socket_, ZMQ_SNDTIMEO, &guard_ms, sizeof(guard_ms));
    zmq_setsockopt(socket_, ZMQ_LINGER, &no_linger, sizeof(no_linger));
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &messages_max, sizeof(messages_max));
    if (!identity.empty()) {
      zmq_setsockopt(socket_, ZMQ_ROUTING_ID, identity.data(), identity.size());
    }
    const int outcome =
        bind ? zmq_bind(socket_, endpoint.c_str()) : zmq_connect(socket_, endpoint.c_str());
    EXPECT_EQ(outcome, 0) << endpoint << ": " << zmq_strerror(zmq_errno());
  }
  ~RawZmq() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  RawZmq(const RawZmq&) = delete;
  RawZmq& operator=(const RawZmq&) = delete;

  std::string endpoint() const {
    char text[256] = {};
    std::size_t size = sizeof(text);
    zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, text, &size);
    return text;
  }
  void send(const Parts& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const int flags = i + 1 < parts.size() ? ZMQ_SNDMORE : 0;
      EXPECT_GE(zmq_send(socket_, parts[i].data(), parts[i].size(), flags), 0)
          << zmq_strerror(zmq_errno());
    }
  }
  // Empty if nothing comes in `wait_ms`.
  Parts receive(int wait_ms = 30'000) {
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
    Parts parts;
    for (bool more = true; more;) {
      zmq_msg_t message;
      zmq_msg_init(&message);
      if (zmq_msg_recv(&message, socket_, 0) < 0) {
        zmq_msg_close(&message);
        return {};
      }
      parts.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
      more = zmq_msg_more(&message) != 0;
      zmq_msg_close(&message);
    }
    return parts;
  }

 private:
  void* context_;
  void* socket_;
};

inline std::string control_part(wire::FrameType type, std::size_t body_bytes,
                                std::uint32_t id = 1u << 11, std::uint8_t flags = 0) {
  std::string control(wire::kFrameHeaderBytes, '\0');
  wire::FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(body_bytes);
  header.stream_id = id;
  header.type = static_cast<std::uint8_t>(type);
  header.flags = flags;
  wire::encode_frame_header(header, reinterpret_cast<std::byte*>(control.data()));
  return control;
}

// A naive client's request.
inline Parts request_parts(std::string_view path, std::string_view payload,
                           std::string_view headers = "{}", std::uint8_t flags = wire::kFlagEnd) {
  return {control_part(wire::FrameType::request, path.size() + headers.size() + payload.size(),
                       1u << 11, flags),
          std::string(path), std::string(headers), std::string(payload)};
}

inline wire::FrameHeader header_of(const Parts& parts) {
  if (parts.empty()) {
    ADD_FAILURE() << "no message came";
    return {};
  }
  const Result<wire::FrameHeader> header = wire::decode_frame_header(bytes_of(parts[0]));
  EXPECT_TRUE(header);
  return header ? *header : wire::FrameHeader();
}

inline bool is_type(const wire::FrameHeader& header, wire::FrameType type) {
  return header.type == static_cast<std::uint8_t>(type);
}

}  // namespace spanwire::testing
