#include "spanwire/wire/out_frame.hpp"

#include <cstring>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/endian.hpp"

namespace spanwire::wire {
namespace {

constexpr std::size_t kLengthsOfRequest = 2 + 2 + 4;
constexpr std::size_t kLengthsOfReply = 2 + 4;

bool has_flag(const OutFrame& frame, std::uint8_t flag) noexcept {
  return (frame.header.flags & flag) != 0;
}
bool is(const OutFrame& frame, FrameType type) noexcept {
  return frame.header.type == static_cast<std::uint8_t>(type);
}

std::byte* store_bytes(std::byte* out, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// Bytes of the body before the payload.
std::size_t fields_bytes(const OutFrame& frame) noexcept {
  if (has_flag(frame, kFlagContinued)) return 0;
  std::size_t bytes = frame.first.size() + frame.headers.size();
  if (has_flag(frame, kFlagPieces)) bytes += kPiecesTotalBytes;
  if (is(frame, FrameType::request)) bytes += kLengthsOfRequest;
  if (is(frame, FrameType::reply)) bytes += kLengthsOfReply;
  return bytes;
}

}  // namespace

std::size_t byte_body_bytes(const OutFrame& frame) noexcept {
  return fields_bytes(frame) + frame.payload.size();
}

std::size_t byte_head_bytes(const OutFrame& frame) noexcept {
  return kFrameHeaderBytes + fields_bytes(frame);
}

std::size_t write_byte_head(const OutFrame& frame, std::byte* out) noexcept {
  const std::byte* const start = out;
  FrameHeader header = frame.header;
  header.body_bytes = static_cast<std::uint32_t>(byte_body_bytes(frame));
  encode_frame_header(header, out);
  out += kFrameHeaderBytes;
  if (has_flag(frame, kFlagContinued)) return kFrameHeaderBytes;
  if (has_flag(frame, kFlagPieces)) out = store_big(out, frame.body_total);
  const bool request = is(frame, FrameType::request);
  const bool reply = is(frame, FrameType::reply);
  if (request) out = store_big(out, static_cast<std::uint16_t>(frame.first.size()));
  out = store_bytes(out, frame.first);
  if (request || reply) out = store_big(out, static_cast<std::uint16_t>(frame.headers.size()));
  out = store_bytes(out, frame.headers);
  if (request || reply) out = store_big(out, frame.payload_total);
  return static_cast<std::size_t>(out - start);
}

}  // namespace spanwire::wire
