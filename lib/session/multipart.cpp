// Multipart messages -> frames.  A message is a whole frame and a body is never in pieces: the
// transport below keeps messages together anyway.
#include <algorithm>

#include "lib/session/parts.hpp"
#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::session {

using wire::FrameType;

namespace {

// Not wire::decode_frame_header: its bound is that of a piece.
Errc read_control(ByteView control, wire::FrameHeader& header) noexcept {
  if (control.size() < wire::kFrameHeaderBytes) return Errc::frame_too_short;
  if (control.size() > wire::kFrameHeaderBytes) return Errc::frame_too_long;
  if (wire::load_big<std::uint16_t>(control.data() + 10) != 0) return Errc::reserved_bits_set;
  header.body_bytes = wire::load_big<std::uint32_t>(control.data());
  header.stream_id = wire::load_big<std::uint32_t>(control.data() + 4);
  header.type = std::to_integer<std::uint8_t>(control[8]);
  header.flags = std::to_integer<std::uint8_t>(control[9]);
  return Errc::ok;
}

std::size_t parts_of(FrameType type) noexcept {
  return type == FrameType::request || type == FrameType::reply ? 3 : 1;
}

Errc check_request_parts(ByteView path, ByteView headers, ByteView payload,
                         const wire::Limits& limits) noexcept {
  if (path.size() > limits.path_bytes_max) return Errc::path_too_long;
  if (!wire::valid_utf8(path)) return Errc::path_not_utf8;
  if (headers.size() > limits.header_block_bytes_max) return Errc::headers_too_long;
  if (payload.size() > limits.payload_bytes_max) return Errc::payload_too_long;
  return Errc::ok;
}

}  // namespace

void Session::on_message(std::span<Slice> parts, const Now& now) {
  if (closed()) return;
  now_ = now;
  last_received_ = now.monotonic;
  ++counters_.frames_in;
  wire::FrameHeader header;
  if (parts.empty()) return fail(Errc::frame_too_short);
  if (const Errc code = read_control(parts[0], header); code != Errc::ok) return fail(code);
  if (const Errc code = wire::check_frame_header(header); code != Errc::ok) return fail(code);
  std::size_t bytes = 0;
  for (const Slice& part : parts.subspan(1)) bytes += part.size();
  if (bytes != header.body_bytes) {
    return fail(bytes < header.body_bytes ? Errc::frame_too_short : Errc::frame_too_long);
  }
  if (state_ != State::handshake || admit_first_message(header)) on_message_body(header, parts);
  if (!closed()) after_input();
}

// True if the message is to be handled further.
bool Session::admit_first_message(const wire::FrameHeader& header) {
  const auto type = static_cast<FrameType>(header.type);
  if (type == FrameType::hello) return true;
  if (client()) {
    fail(Errc::hello_expected);
    return false;
  }
  if (type == FrameType::request) {
    become_naive();
    return true;
  }
  // A peer from before our start: our hello tells it that we are another.
  if (!hello_sent_) send_hello();
  ++counters_.late_frames;
  return false;
}

void Session::on_message_body(const wire::FrameHeader& header, std::span<Slice> parts) {
  const auto type = static_cast<FrameType>(header.type);
  if (!wire::known_type(header.type)) {
    ++counters_.unknown_types;
    return;
  }
  if ((header.flags & (wire::kFlagPieces | wire::kFlagContinued)) != 0)
    return fail(Errc::bad_piece);
  const std::size_t wanted = parts_of(type);
  if (parts.size() - 1 > wanted) return fail(Errc::trailing_bytes);
  Slice none;
  Slice& a = parts.size() > 1 ? parts[1] : none;
  if (type == FrameType::request || type == FrameType::reply || type == FrameType::data) {
    Slice& b = parts.size() > 2 ? parts[2] : none;
    Slice& c = parts.size() > 3 ? parts[3] : none;
    return on_message_of_stream(header, a, b, type == FrameType::data ? a : c);
  }
  wire::InFrame frame;
  frame.header = header;
  frame.body = a.view();
  on_small_frame(frame);
}

void Session::on_message_of_stream(const wire::FrameHeader& header, Slice& first, Slice& headers,
                                   Slice& payload) {
  const auto type = static_cast<FrameType>(header.type);
  if (!take_credit(header.body_bytes)) return;
  if (type != FrameType::data && (type == FrameType::request) == client()) {
    return fail(Errc::unexpected_frame);
  }
  MessageParts parts;
  parts.payload = payload.view();
  parts.payload_bytes = payload.size();
  if (type == FrameType::request) {
    parts.damage = check_request_parts(first, headers, payload, options_.limits);
  } else if (payload.size() > options_.limits.payload_bytes_max) {
    parts.damage = Errc::payload_too_long;
  }
  if (type != FrameType::data) {
    parts.first = first.view();
    parts.headers = headers.view();
  }
  if (type == FrameType::reply && parts.damage == Errc::ok) {
    const auto fixed = wire::decode_reply_fixed(first);
    if (fixed) parts.reply = *fixed;
    if (!fixed) parts.damage = fixed.error().code();
    if (headers.size() > options_.limits.header_block_bytes_max) {
      parts.damage = Errc::headers_too_long;
    }
  }
  parts.owned = std::move(payload);
  on_parts(header, parts);
}

}  // namespace spanwire::session
