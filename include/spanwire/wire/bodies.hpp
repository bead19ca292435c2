// The bodies of v2 frames with fields of their own: hello, reply, cancel, window, ping, pong,
// goaway. Pure functions: no I/O, no allocation.  Views point into the bytes given.  Byte layouts:
// proto-spec/v2.md.  (A request's body is one v1 message: wire/v1.hpp.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {

inline constexpr std::uint16_t kProtocolVersion = 2;

inline constexpr std::size_t kHelloBytes = 44;
inline constexpr std::size_t kReplyFixedBytes = 19;  // before the message text
inline constexpr std::size_t kCancelBytes = 2;
inline constexpr std::size_t kWindowBytes = 4;
inline constexpr std::size_t kPingBytes = 8;
inline constexpr std::size_t kGoawayBytes = 10;  // before the message text
// In front of the body of a first piece: the bytes of all pieces' bodies together, without this
// field.
inline constexpr std::size_t kPiecesTotalBytes = 8;

inline constexpr std::size_t kReplyMessageBytesMax = 4u << 10;
inline constexpr std::size_t kGoawayMessageBytesMax = 1u << 10;
// The smallest frame_body_bytes_max that a hello may name: hello itself and every fixed body fit.
inline constexpr std::uint32_t kFrameBodyBytesFloor = 1u << 10;

// Feature bits of hello.  A feature is used when both hellos have its bit; unknown bits are
// ignored.
inline constexpr std::uint32_t kFeatureBinaryHeaders = 0x1;  // reserved: no version uses it yet

// What one side says first: what it speaks and what it takes.
struct Hello {
  std::uint16_t version = kProtocolVersion;  // the highest it speaks; the lower of both is in force
  std::uint32_t features = 0;
  std::uint32_t streams_max = kStreamsMax;  // that the peer may have open at once
  std::uint32_t stream_window_bytes = kStreamWindowBytes;
  std::uint32_t connection_window_bytes = kConnectionWindowBytes;
  std::uint32_t frame_body_bytes_max = static_cast<std::uint32_t>(kFrameBodyBytesMax);
  std::uint32_t payload_bytes_max = static_cast<std::uint32_t>(kPayloadBytesMax);
  std::uint32_t ping_interval_min_ms = 0;  // pings closer together than this are not welcome
  std::uint64_t incarnation = 0;           // new for each start of the process's endpoint
  std::uint16_t path_bytes_max = static_cast<std::uint16_t>(kPathBytesMax);
  std::uint16_t header_block_bytes_max = static_cast<std::uint16_t>(kHeaderBlockBytesMax);

  friend bool operator==(const Hello&, const Hello&) noexcept = default;
};

void encode_hello(const Hello& hello, std::byte* out) noexcept;  // kHelloBytes
// Ignores what a later version has put behind the fields known here.  Fails with frame_too_short,
// bad_version (below 2), reserved_bits_set, bad_hello (a frame limit below kFrameBodyBytesFloor).
Result<Hello> decode_hello(ByteView body) noexcept;

// The fields of a reply before its headers and payload.
struct ReplyFixed {
  std::uint8_t status = 0;        // gRPC's codes, 0 = ok
  std::uint64_t received_ns = 0;  // the server's wall clock when the request arrived; 0 = unknown
  std::uint64_t duration_ns = 0;  // of the handler; 0 = unknown
  std::string_view message;
};

constexpr std::size_t reply_fixed_bytes(std::string_view message) noexcept {
  return kReplyFixedBytes + message.size();
}
// Writes reply_fixed_bytes(reply.message) bytes: OutFrame::first of a reply.  The message must not
// be longer than kReplyMessageBytesMax (clip_utf8 makes it so).
std::size_t encode_reply_fixed(const ReplyFixed& reply, std::byte* out) noexcept;

struct ReplyView {
  ReplyFixed fixed;
  ByteView headers;                 // encoded block, may be empty
  std::uint32_t payload_bytes = 0;  // all pieces together
  std::size_t head_bytes = 0;       // where the payload begins in the body
  ByteView payload;                 // what of the payload is in this body
};

// Reads the body of a reply, or of the first piece of one (behind its total).  Fails with
// truncated, bad_status (above 16), bad_utf8 (message), headers_too_long, payload_too_long
// (limits); trailing_bytes if more follows than the payload length says.  That less follows is an
// error only of a body that is not in pieces: check payload.size() == payload_bytes there (or
// read_reply).
Result<ReplyView> decode_reply_head(ByteView body, const Limits& limits = {}) noexcept;
// The same, into `out`, which means nothing after an error.
Errc read_reply_head(ByteView body, const Limits& limits, ReplyView& out) noexcept;
// The same for a whole body: a payload that is too short is truncated.
Result<ReplyView> decode_reply(ByteView body, const Limits& limits = {}) noexcept;
// The fixed part alone, as a multipart reply carries it.  An empty part is status ok, nothing
// known.
Result<ReplyFixed> decode_reply_fixed(ByteView part) noexcept;

std::array<std::byte, kCancelBytes> encode_cancel(Errc reason) noexcept;
// A number that this version does not know reads as cancelled.
Result<Errc> decode_cancel(ByteView body) noexcept;

std::array<std::byte, kWindowBytes> encode_window(std::uint32_t credit_bytes) noexcept;
Result<std::uint32_t> decode_window(ByteView body) noexcept;

// ping and pong: eight bytes that mean something to the sender of the ping only.
std::array<std::byte, kPingBytes> encode_ping(std::uint64_t token) noexcept;
Result<std::uint64_t> decode_ping(ByteView body) noexcept;

inline constexpr std::uint64_t kGoawayAcceptsAll = ~std::uint64_t{0};

struct Goaway {
  // Requests of the peer that were or will be handled, counted in the order sent since the start of
  // the connection: later ones were not started.  kGoawayAcceptsAll in the first step of a drain.
  std::uint64_t accepted = kGoawayAcceptsAll;
  Errc reason = Errc::ok;
  std::string_view message;  // for people
};

std::size_t encode_goaway(const Goaway& goaway, std::byte* out) noexcept;  // kGoawayBytes + message
// Fails with frame_too_short, frame_too_long (message), bad_utf8.
Result<Goaway> decode_goaway(ByteView body) noexcept;

// The total in front of a first piece's body.
std::array<std::byte, kPiecesTotalBytes> encode_pieces_total(std::uint64_t body_bytes) noexcept;
Result<std::uint64_t> decode_pieces_total(ByteView body) noexcept;

}  // namespace spanwire::wire
