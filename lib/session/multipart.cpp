// Multipart messages -> frames.
#include "spanwire/wire/multipart.hpp"

#include "lib/session/parts.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::session {

using wire::FrameType;

namespace {

ByteView view_of(const Slice* part) noexcept { return part != nullptr ? part->view() : ByteView(); }

bool is_body(FrameType type) noexcept {
  return type == FrameType::request || type == FrameType::reply || type == FrameType::data;
}

}  // namespace

void Session::on_message(std::span<Slice> parts, const Now& now) {
  if (closed()) return;
  now_ = now;
  last_received_ = now.monotonic;
  ++counters_.frames_in;
  Result<wire::InParts> in = wire::decode_parts(parts);
  if (!in) return fail(in.error().code());
  if (const Errc code = wire::check_frame_header(in->header); code != Errc::ok) return fail(code);
  if (state_ != State::handshake || admit_first_message(in->header)) on_in_parts(*in);
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
    return !closed();
  }
  // A peer from before our start: our hello tells it that we are another.
  if (!hello_sent_) send_hello();
  ++counters_.late_frames;
  return false;
}

void Session::on_in_parts(wire::InParts& in) {
  const auto type = static_cast<FrameType>(in.header.type);
  wire::InFrame frame;
  frame.header = in.header;
  frame.body = view_of(in.payload);
  if (!is_body(type)) return on_small_frame(frame);
  if (!take_body(in.header)) return;
  if ((in.header.flags & wire::kFlagContinued) != 0) return on_piece(frame);
  MessageParts parts;
  parts.first = view_of(in.first);
  parts.headers = view_of(in.headers);
  parts.payload = view_of(in.payload);
  parts.body_total = in.body_total;
  const std::size_t fields = parts.first.size() + parts.headers.size();
  const std::size_t body = fields + parts.payload.size();
  const bool pieces = (in.header.flags & wire::kFlagPieces) != 0;
  if (pieces && in.body_total < body) return fail(Errc::bad_piece);
  parts.payload_bytes = (pieces ? in.body_total : body) - fields;
  parts.damage = check_parts(type, parts);
  if (in.payload != nullptr) parts.owned = std::move(*in.payload);
  on_parts(in.header, parts);
}

Errc Session::check_parts(FrameType type, MessageParts& parts) const {
  const wire::Limits& limits = options_.limits;
  if (type == FrameType::request) {
    if (parts.first.size() > limits.path_bytes_max) return Errc::path_too_long;
    if (!wire::valid_utf8(parts.first)) return Errc::path_not_utf8;
  }
  if (parts.headers.size() > limits.header_block_bytes_max) return Errc::headers_too_long;
  if (parts.payload_bytes > limits.payload_bytes_max) return Errc::payload_too_long;
  if (type != FrameType::reply) return Errc::ok;
  const Result<wire::ReplyFixed> fixed = wire::decode_reply_fixed(parts.first);
  if (!fixed) return fixed.error().code();
  parts.reply = *fixed;
  return Errc::ok;
}

}  // namespace spanwire::session
