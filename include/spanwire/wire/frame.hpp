// Frames of wire v2: the 12-byte header and its codec.  Pure functions: no I/O, no allocation.
// Byte layout: proto-spec/v2.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/endian.hpp"

namespace spanwire::wire {

inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::size_t kPrefaceBytes = 8;
// As v1 it would be a path of 65,535 bytes that is not UTF-8: no v1 peer can send it.
inline constexpr std::array<unsigned char, kPrefaceBytes> kPreface = {0xFF, 0xFF, 0xFF, 0x53,
                                                                      0x50, 0x57, 0x32, 0x0A};

enum class FrameType : std::uint8_t {
  hello = 1,
  request = 2,
  head = 3,
  data = 4,
  reply = 5,
  cancel = 6,
  window = 7,
  ping = 8,
  pong = 9,
  goaway = 10,
  farewell = 11,  // multipart links only, and theirs: to a session it is unknown
};

// Flags; which type may carry which is in proto-spec/v2.md.
// A request has end, stream or both.
inline constexpr std::uint8_t kFlagEnd = 0x01;         // request, data: the sender's last on it
inline constexpr std::uint8_t kFlagNotStarted = 0x02;  // reply: the handler never ran
inline constexpr std::uint8_t kFlagOneWay = 0x04;      // request: not answered; end, not stream
inline constexpr std::uint8_t kFlagPieces = 0x08;  // request, data, reply: first of several pieces
inline constexpr std::uint8_t kFlagStream = 0x10;  // request: data may follow in either direction
// request, data, reply: a later piece of a body whose first piece had kFlagPieces.  The frame's
// body is nothing but the next bytes of the payload; no other flag is set.
inline constexpr std::uint8_t kFlagContinued = 0x20;

// The flags that a frame of this type may carry; none for an unknown type.
constexpr std::uint8_t known_flags(std::uint8_t type) noexcept {
  switch (static_cast<FrameType>(type)) {
    case FrameType::request:
      return kFlagEnd | kFlagOneWay | kFlagPieces | kFlagStream | kFlagContinued;
    case FrameType::data:
      return kFlagEnd | kFlagPieces | kFlagContinued;
    case FrameType::reply:
      return kFlagNotStarted | kFlagPieces | kFlagContinued;
    default:
      return 0;
  }
}

constexpr bool known_type(std::uint8_t type) noexcept { return type >= 1 && type <= 10; }

// The id of frames that belong to no stream: hello, ping, pong, goaway, and the connection's
// window.
inline constexpr std::uint32_t kConnectionId = 0;
// Slot 0 is not used by either side, so that no stream's id is the connection's.
inline constexpr std::uint32_t kFirstSlot = 1;
inline constexpr std::uint32_t kSlotMax = 0xF'FFFF;
inline constexpr std::uint32_t kGenerationMax = 0x7FF;

struct FrameHeader {
  std::uint32_t body_bytes = 0;
  std::uint32_t stream_id = 0;
  std::uint8_t type = 0;  // raw: what to do about an unknown one is the session's business
  std::uint8_t flags = 0;
};

// Reads one header from the front of `bytes` and looks at nothing behind it.  Fails with truncated
// below kFrameHeaderBytes, reserved_bits_set, frame_too_long (beyond kFrameBodyBytesMax).
Result<FrameHeader> decode_frame_header(ByteView bytes) noexcept;
inline void encode_frame_header(const FrameHeader& header, std::byte* out) noexcept {
  out = store_big(out, header.body_bytes);  // kFrameHeaderBytes in all
  out = store_big(out, header.stream_id);
  const unsigned type_and_flags = static_cast<unsigned>(header.type) << 8 | header.flags;
  store_big(out, type_and_flags << 16);
}

// What a header of a known type says about itself, before its body is looked at: ok, or
// unknown_flags (a flag that the type does not have, or a combination that means nothing),
// bad_stream_id (a stream's frame on the connection's id or the other way round), frame_too_short,
// frame_too_long (a body of fixed size that is not of that size).  An unknown type is ok: skip it.
Errc check_frame_header(const FrameHeader& header) noexcept;

// True for most frames of unary calls, which check_frame_header() has nothing against: a request
// that is the sender's last, a reply.
constexpr bool plain_unary(const FrameHeader& header) noexcept {
  const bool request =
      header.type == static_cast<std::uint8_t>(FrameType::request) && header.flags == kFlagEnd;
  const bool reply =
      header.type == static_cast<std::uint8_t>(FrameType::reply) && header.flags == 0;
  return (request || reply) && (header.stream_id >> 11 & kSlotMax) >= kFirstSlot;
}

enum class PrefaceMatch : std::uint8_t { matched, more, mismatched };

// Tells a v2 peer by the first bytes that it sent: `more` while they are a proper beginning of the
// preface.  A mismatch on a server's connection is a v1 peer; on any other it is bad_preface.
PrefaceMatch match_preface(ByteView first_bytes) noexcept;

// A stream id: the opener's side (1 bit, 0 = client), slot (20 bits), generation (11 bits).
struct StreamId {
  std::uint32_t raw = 0;

  static constexpr StreamId make(bool server_side, std::uint32_t slot,
                                 std::uint32_t generation) noexcept {
    return {(server_side ? 0x8000'0000u : 0u) | (slot << 11) | (generation & 0x7FFu)};
  }
  constexpr bool server_side() const noexcept { return (raw >> 31) != 0; }
  constexpr std::uint32_t slot() const noexcept { return (raw >> 11) & 0xF'FFFFu; }
  constexpr std::uint32_t generation() const noexcept { return raw & 0x7FFu; }
  friend bool operator==(StreamId, StreamId) noexcept = default;
};

}  // namespace spanwire::wire
