#include "spanwire/wire/out_frame.hpp"

#include <cstring>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/endian.hpp"

namespace spanwire::wire {
namespace {

static_assert(sizeof OutFrame::body_total == kPiecesTotalBytes);

std::byte* store_bytes(std::byte* out, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace

void write_byte_head(const OutFrame& frame, std::size_t head_bytes, std::byte* out) noexcept {
  const std::byte* const start = out;
  FrameHeader header = frame.header;
  header.body_bytes =
      static_cast<std::uint32_t>(head_bytes - kFrameHeaderBytes + frame.payload.size());
  encode_frame_header(header, out);
  out += kFrameHeaderBytes;
  if ((header.flags & kFlagContinued) != 0) return;
  if ((header.flags & kFlagPieces) != 0) out = store_big(out, frame.body_total);
  const bool request = header.type == static_cast<std::uint8_t>(FrameType::request);
  const bool lengths = request || header.type == static_cast<std::uint8_t>(FrameType::reply);
  if (request) out = store_big(out, static_cast<std::uint16_t>(frame.first.size()));
  out = store_bytes(out, frame.first);
  if (lengths) out = store_big(out, static_cast<std::uint16_t>(frame.headers.size()));
  out = store_bytes(out, frame.headers);
  if (lengths) out = store_big(out, frame.payload_total);
  SPANWIRE_ASSERT(out == start + head_bytes);
}

}  // namespace spanwire::wire
