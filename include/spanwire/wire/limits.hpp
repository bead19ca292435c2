// Every default limit of the wire in one place.  Each can be changed through Limits (or an option
// that names it); each refusal has an Errc and a counter of its own.  Sizes in bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace spanwire::wire {

// What the formats can carry at all.
inline constexpr std::size_t kV1PathBytesMax = 65'535;
inline constexpr std::size_t kHeaderBlockBytesMax = 65'535;
inline constexpr std::size_t kHeaderMembersMax = 128;
inline constexpr std::size_t kHeaderDepthMax = 32;  // nesting of values that are skipped

inline constexpr std::size_t kPathBytesMax = 4u << 10;
inline constexpr std::size_t kPayloadBytesMax = 32u << 20;
// A larger body goes in pieces of this size, so that small frames pass between them.
inline constexpr std::size_t kPieceBytes = 64u << 10;
// So many bodies, and so many bytes of their payloads, are under way in pieces at once in one
// direction of a connection; the first may always begin, the others wait for their turn.
inline constexpr std::size_t kBodiesInPiecesMax = 8;
inline constexpr std::size_t kBytesInPiecesMax = 32u << 20;
// The largest body of one frame that a decoder takes: a piece, and room for path and headers before
// it.
inline constexpr std::size_t kFrameBodyBytesMax =
    kPieceBytes + kV1PathBytesMax + kHeaderBlockBytesMax + 64;

inline constexpr std::uint32_t kStreamsMax = 4'096;
inline constexpr std::uint32_t kStreamWindowBytes = 256u << 10;
inline constexpr std::uint32_t kConnectionWindowBytes = 4u << 20;
inline constexpr std::size_t kQueuedBytesPerConnectionMax = 64u << 20;
inline constexpr std::size_t kQueuedBytesPerProcessMax = 1u << 30;

inline constexpr std::chrono::nanoseconds kHandshakeTimeout = std::chrono::seconds(5);
inline constexpr std::chrono::nanoseconds kPingAfterBusySilence = std::chrono::seconds(10);
inline constexpr std::chrono::nanoseconds kPingAfterIdleSilence = std::chrono::seconds(60);
inline constexpr std::chrono::nanoseconds kPingAnswerTimeout = std::chrono::seconds(5);
inline constexpr std::chrono::nanoseconds kIdleTimeout = std::chrono::minutes(5);
inline constexpr std::chrono::nanoseconds kFrameTimeout = std::chrono::seconds(30);
// A peer that does not take a byte of what is queued for this long is given up.
inline constexpr std::chrono::nanoseconds kWriteTimeout = std::chrono::seconds(30);

// Payloads below are copied into the call's own memory, larger ones stay slices of their block.
inline constexpr std::size_t kCopyPayloadBelow = 4u << 10;

// What one side allows and demands on one connection.
struct Limits {
  std::size_t path_bytes_max = kPathBytesMax;
  std::size_t header_block_bytes_max = kHeaderBlockBytesMax;
  std::size_t payload_bytes_max = kPayloadBytesMax;
  std::uint32_t streams_max = kStreamsMax;
  std::uint32_t stream_window_bytes = kStreamWindowBytes;
  std::uint32_t connection_window_bytes = kConnectionWindowBytes;
  std::size_t queued_bytes_max = kQueuedBytesPerConnectionMax;
  std::chrono::nanoseconds handshake_timeout = kHandshakeTimeout;
  std::chrono::nanoseconds ping_after_busy_silence = kPingAfterBusySilence;
  std::chrono::nanoseconds ping_after_idle_silence = kPingAfterIdleSilence;
  std::chrono::nanoseconds ping_answer_timeout = kPingAnswerTimeout;
  std::chrono::nanoseconds idle_timeout = kIdleTimeout;
  std::chrono::nanoseconds frame_timeout = kFrameTimeout;
  std::chrono::nanoseconds write_timeout = kWriteTimeout;
};

}  // namespace spanwire::wire
