// Frames of wire v2 as bytes, for peers that are scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/frame.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::session {

using wire::FrameType;

inline std::string text(ByteView bytes) { return std::string(text_of(bytes)); }
template <class Array>
std::string text_of_array(const Array& array) {
  return text(ByteView(array.data(), array.size()));
}

inline std::string frame(FrameType type, std::uint32_t id, std::string_view body,
                         std::uint8_t flags = 0) {
  std::string bytes(wire::kFrameHeaderBytes, '\0');
  wire::encode_frame_header(
      {static_cast<std::uint32_t>(body.size()), id, static_cast<std::uint8_t>(type), flags},
      reinterpret_cast<std::byte*>(bytes.data()));
  return bytes.append(body);
}
inline std::string preface() {
  return {reinterpret_cast<const char*>(wire::kPreface.data()), wire::kPreface.size()};
}
inline std::string hello(const wire::Hello& fields = {}) {
  std::string body(wire::kHelloBytes, '\0');
  wire::encode_hello(fields, reinterpret_cast<std::byte*>(body.data()));
  return frame(FrameType::hello, 0, body);
}
inline std::string request_body(std::string_view path, std::string_view payload,
                                std::size_t payload_total = SIZE_MAX) {
  if (payload_total == SIZE_MAX) payload_total = payload.size();
  const ByteView headers = bytes_of("{}");
  std::string body(wire::request_head_bytes(path, headers), '\0');
  wire::encode_request_head(path, headers, static_cast<std::uint32_t>(payload_total),
                            reinterpret_cast<std::byte*>(body.data()));
  return body.append(payload);
}
inline std::string request(std::uint32_t id, std::string_view path, std::string_view payload = {},
                           std::uint8_t flags = wire::kFlagEnd) {
  return frame(FrameType::request, id, request_body(path, payload), flags);
}
inline std::string open_stream(std::uint32_t id, std::string_view path) {
  return request(id, path, {}, wire::kFlagStream);
}
inline std::string number16(std::uint16_t value) {
  std::string bytes(2, '\0');
  wire::store_big(reinterpret_cast<std::byte*>(bytes.data()), value);
  return bytes;
}
inline std::string number64(std::uint64_t value) {
  return text_of_array(wire::encode_pieces_total(value));
}
inline std::string reply_body(std::string_view message, std::string_view payload,
                              std::uint8_t status = 0) {
  std::string body(wire::kReplyFixedBytes + message.size(), '\0');
  wire::encode_reply_fixed({status, 5, 7, message}, reinterpret_cast<std::byte*>(body.data()));
  body.append(number16(2)).append("{}");
  std::string length(4, '\0');
  wire::store_big(reinterpret_cast<std::byte*>(length.data()),
                  static_cast<std::uint32_t>(payload.size()));
  return body.append(length).append(payload);
}
inline std::string reply(std::uint32_t id, std::string_view payload = {}, std::uint8_t flags = 0) {
  return frame(FrameType::reply, id, reply_body("fine", payload), flags);
}
inline std::string data(std::uint32_t id, std::string_view payload, std::uint8_t flags = 0) {
  return frame(FrameType::data, id, payload, flags);
}
inline std::string window(std::uint32_t id, std::uint32_t credit) {
  return frame(FrameType::window, id, text_of_array(wire::encode_window(credit)));
}
inline std::string cancel(std::uint32_t id, Errc reason = Errc::cancelled) {
  return frame(FrameType::cancel, id, text_of_array(wire::encode_cancel(reason)));
}
inline std::string ping(std::uint64_t token) {
  return frame(FrameType::ping, 0, text_of_array(wire::encode_ping(token)));
}
inline std::string pong(std::uint64_t token) {
  return frame(FrameType::pong, 0, text_of_array(wire::encode_ping(token)));
}
inline std::string goaway(std::uint64_t accepted, Errc reason = Errc::ok) {
  std::string body(wire::kGoawayBytes, '\0');
  wire::encode_goaway({accepted, reason, {}}, reinterpret_cast<std::byte*>(body.data()));
  return frame(FrameType::goaway, 0, body);
}

// The client's stream of this slot and use.
inline std::uint32_t id_of(std::uint32_t slot, std::uint32_t generation = 0) {
  return wire::StreamId::make(false, slot, generation).raw;
}

}  // namespace spanwire::session
