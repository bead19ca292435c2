// v2 frames as multipart messages (ZeroMQ): a control part of 12 bytes, then the parts of the body.
// Pure functions, no allocation.  Layout: proto-spec/multipart.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/frame.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/out_frame.hpp"

namespace spanwire::wire {

// A message is in memory before it can be looked at, and a peer without hello knows no pieces: so a
// whole request or reply may come as one frame.
inline constexpr std::size_t kMultipartBodyBytesMax =
    kPayloadBytesMax + kV1PathBytesMax + kHeaderBlockBytesMax + 64;

// control, total, first, headers, payload.
inline constexpr std::size_t kPartsMax = 5;

// A frame laid out as parts.  The last part of a request, reply or data frame is its payload, which
// the link may hand on without a copy: it points into OutFrame::payload.  `control` and `total` are
// in here, so the object must stay where it is while the views are used.
struct OutParts {
  std::array<std::byte, kFrameHeaderBytes> control;
  std::array<std::byte, 8> total;
  std::array<ByteView, kPartsMax> parts;
  std::size_t count = 0;
  bool payload_last = false;  // parts[count - 1] is frame.payload

  std::span<const ByteView> view() const noexcept { return {parts.data(), count}; }
};
void lay_out_parts(const OutFrame& frame, OutParts& out) noexcept;

// The last message of a multipart link's sender, a control part alone: what closing says on a byte
// connection.  Links send and take it; a session never sees it.
std::array<std::byte, kFrameHeaderBytes> encode_farewell() noexcept;
bool is_farewell(ByteView control) noexcept;
// Whether a control part is a request's, looking at nothing but its size and type.
bool is_request(ByteView control) noexcept;

// One message that came in.  The pointers are to the slices given, null where the frame has no such
// part.
struct InParts {
  FrameHeader header;
  std::uint64_t body_total = 0;  // with kFlagPieces
  Slice* first = nullptr;        // request: the path; reply: the fixed part (wire/bodies.hpp)
  Slice* headers = nullptr;      // request, reply
  Slice* payload = nullptr;      // request, reply; the whole body of any other frame
};

// Fails with wrong_part_count, truncated or trailing_bytes (a control part that is not 12 bytes),
// reserved_bits_set, frame_too_long, length_mismatch (the control part's length against the parts).
// Looks into none of the other parts but the total.
Result<InParts> decode_parts(std::span<Slice> parts,
                             std::size_t body_bytes_max = kMultipartBodyBytesMax) noexcept;

// A one-way message without a control part, as PUSH/PULL and PUB/SUB carry it.
struct OneWayParts {
  Slice* path = nullptr;
  Slice* headers = nullptr;
  Slice* payload = nullptr;
};
// Fails with wrong_part_count, path_too_long, path_not_utf8, headers_too_long, payload_too_long.
Result<OneWayParts> decode_one_way(std::span<Slice> parts, const Limits& limits = {}) noexcept;

}  // namespace spanwire::wire
