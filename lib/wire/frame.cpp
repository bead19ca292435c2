#include "spanwire/wire/frame.hpp"

#include <algorithm>
#include <cstring>

#include "lib/wire/frame_fields.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {
namespace {

Errc check_request_flags(std::uint8_t flags) noexcept {
  const bool end = (flags & kFlagEnd) != 0;
  const bool stream = (flags & kFlagStream) != 0;
  // Data that may not follow cannot be awaited either.
  if (!end && !stream) return Errc::unknown_flags;
  // Nothing comes back on a one-way request and nothing follows it.
  const bool one_way = (flags & kFlagOneWay) != 0;
  return one_way && (stream || !end) ? Errc::unknown_flags : Errc::ok;
}

Errc check_flags(const FrameHeader& header) noexcept {
  if ((header.flags & ~known_flags(header.type)) != 0) return Errc::unknown_flags;
  // A later piece says nothing of its own.
  if ((header.flags & kFlagContinued) != 0) {
    return header.flags == kFlagContinued ? Errc::ok : Errc::unknown_flags;
  }
  if (header.type == static_cast<std::uint8_t>(FrameType::request)) {
    return check_request_flags(header.flags);
  }
  return Errc::ok;
}

Errc exactly(std::size_t actual, std::size_t wanted) noexcept {
  if (actual < wanted) return Errc::frame_too_short;
  return actual > wanted ? Errc::frame_too_long : Errc::ok;
}

Errc at_least(std::size_t actual, std::size_t wanted) noexcept {
  return actual < wanted ? Errc::frame_too_short : Errc::ok;
}

Errc check_size(const FrameHeader& header) noexcept {
  if ((header.flags & kFlagContinued) != 0) return at_least(header.body_bytes, 1);
  const std::size_t total = (header.flags & kFlagPieces) != 0 ? kPiecesTotalBytes : 0;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::hello:
      return at_least(header.body_bytes, kHelloBytes);
    case FrameType::goaway:
      return at_least(header.body_bytes, kGoawayBytes);
    case FrameType::cancel:
      return exactly(header.body_bytes, kCancelBytes);
    case FrameType::window:
      return exactly(header.body_bytes, kWindowBytes);
    case FrameType::ping:
    case FrameType::pong:
      return exactly(header.body_bytes, kPingBytes);
    default:
      return at_least(header.body_bytes, total);
  }
}

Errc check_id(const FrameHeader& header) noexcept {
  const bool connection = header.stream_id == kConnectionId;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::hello:
    case FrameType::ping:
    case FrameType::pong:
    case FrameType::goaway:
      return connection ? Errc::ok : Errc::bad_stream_id;
    case FrameType::window:
      if (connection) return Errc::ok;
      [[fallthrough]];
    default:
      return StreamId{header.stream_id}.slot() < kFirstSlot ? Errc::bad_stream_id : Errc::ok;
  }
}

}  // namespace

Result<FrameHeader> decode_frame_header(ByteView bytes) noexcept {
  if (bytes.size() < kFrameHeaderBytes) return fail(Errc::truncated);
  if (reserved_bits(bytes.data()) != 0) return fail(Errc::reserved_bits_set);
  const FrameHeader header = load_frame_header(bytes.data());
  if (header.body_bytes > kFrameBodyBytesMax) return fail(Errc::frame_too_long);
  return header;
}

Errc check_frame_header(const FrameHeader& header) noexcept {
  if (!known_type(header.type)) return Errc::ok;
  if (const Errc code = check_flags(header); code != Errc::ok) return code;
  if (const Errc code = check_id(header); code != Errc::ok) return code;
  return check_size(header);
}

PrefaceMatch match_preface(ByteView first_bytes) noexcept {
  const std::size_t known = std::min(first_bytes.size(), kPrefaceBytes);
  if (known != 0 && std::memcmp(first_bytes.data(), kPreface.data(), known) != 0) {
    return PrefaceMatch::mismatched;
  }
  return known == kPrefaceBytes ? PrefaceMatch::matched : PrefaceMatch::more;
}

}  // namespace spanwire::wire
