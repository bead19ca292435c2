#include "spanwire/wire/multipart.hpp"

#include "lib/wire/frame_fields.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::wire {
namespace {

bool is(const FrameHeader& header, FrameType type) noexcept {
  return header.type == static_cast<std::uint8_t>(type);
}

// Request and reply have three parts of a body, their later pieces and all others have one.
bool has_fields(const FrameHeader& header) noexcept {
  return (header.flags & kFlagContinued) == 0 &&
         (is(header, FrameType::request) || is(header, FrameType::reply));
}

// The single part of any other frame: at most one of the three has bytes.
ByteView only_part(const OutFrame& frame) noexcept {
  if (!frame.payload.empty()) return frame.payload.view();
  return frame.headers.empty() ? frame.first : frame.headers;
}

}  // namespace

void lay_out_parts(const OutFrame& frame, OutParts& out) noexcept {
  out.count = 0;
  const auto add = [&out](ByteView part) { out.parts[out.count++] = part; };
  add(out.control);
  std::size_t body_bytes = 0;
  if ((frame.header.flags & kFlagPieces) != 0) {
    out.total = encode_pieces_total(frame.body_total);
    add(out.total);
    body_bytes += out.total.size();
  }
  if (has_fields(frame.header)) {
    add(frame.first);
    add(frame.headers);
    add(frame.payload);
    body_bytes += frame.first.size() + frame.headers.size() + frame.payload.size();
    out.payload_last = true;
  } else {
    add(only_part(frame));
    body_bytes += out.parts[out.count - 1].size();
    out.payload_last = !frame.payload.empty();
  }
  FrameHeader header = frame.header;
  header.body_bytes = static_cast<std::uint32_t>(body_bytes);
  encode_frame_header(header, out.control.data());
}

std::array<std::byte, kFrameHeaderBytes> encode_farewell() noexcept {
  std::array<std::byte, kFrameHeaderBytes> control;
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(FrameType::farewell);
  encode_frame_header(header, control.data());
  return control;
}

bool is_farewell(ByteView control) noexcept {
  return control.size() == kFrameHeaderBytes &&
         is(load_frame_header(control.data()), FrameType::farewell);
}

bool is_request(ByteView control) noexcept {
  return control.size() == kFrameHeaderBytes &&
         is(load_frame_header(control.data()), FrameType::request);
}

namespace {

Errc decode_into(InParts& in, std::span<Slice> parts, std::size_t body_bytes_max) noexcept {
  if (parts.empty()) return Errc::wrong_part_count;
  if (parts[0].size() > kFrameHeaderBytes) return Errc::trailing_bytes;
  if (parts[0].size() < kFrameHeaderBytes) return Errc::truncated;
  in.header = load_frame_header(parts[0].data());
  if (reserved_bits(parts[0].data()) != 0) return Errc::reserved_bits_set;
  if (in.header.body_bytes > body_bytes_max) return Errc::frame_too_long;
  std::size_t body_bytes = 0;
  for (const Slice& part : parts.subspan(1)) body_bytes += part.size();
  if (body_bytes != in.header.body_bytes) return Errc::length_mismatch;
  parts = parts.subspan(1);
  if ((in.header.flags & kFlagPieces) != 0) {
    if (parts.empty()) return Errc::wrong_part_count;
    if (parts[0].size() != kPiecesTotalBytes) return Errc::length_mismatch;
    in.body_total = load_big<std::uint64_t>(parts[0].data());
    parts = parts.subspan(1);
  }
  if (has_fields(in.header)) {
    if (parts.size() != 3) return Errc::wrong_part_count;
    in.first = &parts[0];
    in.headers = &parts[1];
    in.payload = &parts[2];
    return Errc::ok;
  }
  // A body of no bytes may have no part.
  if (parts.size() > 1) return Errc::wrong_part_count;
  if (!parts.empty()) in.payload = &parts[0];
  return Errc::ok;
}

}  // namespace

// Made where the caller has it: copied, the header would be read before it is written.
Result<InParts> decode_parts(std::span<Slice> parts, std::size_t body_bytes_max) noexcept {
  Result<InParts> in{InParts()};
  const Errc error = decode_into(*in, parts, body_bytes_max);
  if (error != Errc::ok) in = fail(error);
  return in;
}

Result<OneWayParts> decode_one_way(std::span<Slice> parts, const Limits& limits) noexcept {
  if (parts.size() != 3) return fail(Errc::wrong_part_count);
  if (parts[0].size() > limits.path_bytes_max) return fail(Errc::path_too_long);
  if (!valid_utf8(parts[0].view())) return fail(Errc::path_not_utf8);
  if (parts[1].size() > limits.header_block_bytes_max) return fail(Errc::headers_too_long);
  if (parts[2].size() > limits.payload_bytes_max) return fail(Errc::payload_too_long);
  return OneWayParts{&parts[0], &parts[1], &parts[2]};
}

}  // namespace spanwire::wire
