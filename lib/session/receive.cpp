// Bytes and messages -> frames.
#include <algorithm>
#include <cstring>

#include "lib/session/parts.hpp"
#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::session {

using wire::FrameType;

void Session::on_target_filled(std::size_t bytes, const Now& now) {
  if (closed()) return;
  reader_.filled(bytes);
  read_frames(now);
}

void Session::on_bytes(ByteView bytes, Block* block, const Now& now) {
  if (closed()) return;
  if (preface_seen_ < wire::kPrefaceBytes) {
    now_ = now;
    last_received_ = now.monotonic;
    if (!expect_preface(bytes)) return;
  }
  reader_.feed(bytes, block);
  read_frames(now);
}

bool Session::expect_preface(ByteView& bytes) {
  const std::size_t taken = std::min(bytes.size(), wire::kPrefaceBytes - preface_seen_);
  if (std::memcmp(bytes.data(), wire::kPreface.data() + preface_seen_, taken) != 0) {
    fail(Errc::bad_preface);
    return false;
  }
  preface_seen_ += taken;
  bytes = bytes.subspan(taken);
  return !bytes.empty();
}

void Session::read_frames(const Now& now) {
  now_ = now;
  last_received_ = now.monotonic;
  const std::uint64_t frames_before = counters_.frames_in;
  wire::InFrame frame;
  while (reader_.next(frame)) {
    ++counters_.frames_in;
    on_frame(frame);
    if (closed()) return;
  }
  if (reader_.error() != Errc::ok) return fail(reader_.error());
  if (!reader_.in_frame()) {
    frame_begun_ = MonotonicTime::max();
  } else if (frame_begun_ == MonotonicTime::max() || counters_.frames_in != frames_before) {
    frame_begun_ = now.monotonic;
    wake_by(frame_begun_ + options_.limits.frame_timeout);
  }
  after_input();
}

void Session::on_frame(wire::InFrame& frame) {
  if (const Errc code = wire::check_frame_header(frame.header); code != Errc::ok) {
    return fail(code);
  }
  if (state_ == State::handshake) return on_first_frame(frame);
  switch (static_cast<FrameType>(frame.header.type)) {
    case FrameType::request:
    case FrameType::reply:
    case FrameType::data:
      return on_body(frame);
    default:
      return on_small_frame(frame);
  }
}

void Session::on_small_frame(const wire::InFrame& frame) {
  switch (static_cast<FrameType>(frame.header.type)) {
    case FrameType::head:
      return on_head(frame.header, frame.body);
    case FrameType::cancel:
      return on_cancel(frame.header, frame.body);
    case FrameType::window:
      return on_window(frame.header, frame.body);
    case FrameType::ping:
      return on_ping(frame.body);
    case FrameType::pong:
      return on_pong(frame.body);
    case FrameType::goaway:
      return on_goaway(frame.body);
    case FrameType::hello:
      return on_hello(frame.body);
    default:
      ++counters_.unknown_types;
  }
}

void Session::on_first_frame(wire::InFrame& frame) {
  if (static_cast<FrameType>(frame.header.type) != FrameType::hello) {
    return fail(Errc::hello_expected);
  }
  on_hello(frame.body);
}

bool Session::take_credit(std::size_t body_bytes) {
  if (naive_) return true;
  const std::size_t charge = multipart_ ? std::min(body_bytes, receive_charge_max_) : body_bytes;
  receive_credit_ -= static_cast<std::int64_t>(charge);
  if (receive_credit_ < 0) {
    fail(Errc::credit_exceeded);
    return false;
  }
  owed_ += charge;
  return true;
}

void Session::on_body(wire::InFrame& frame) {
  const wire::FrameHeader& header = frame.header;
  if (!take_credit(header.body_bytes)) return;
  const bool is_request = header.type == static_cast<std::uint8_t>(FrameType::request);
  if (header.type != static_cast<std::uint8_t>(FrameType::data) && is_request == client()) {
    return fail(Errc::unexpected_frame);
  }
  if ((header.flags & wire::kFlagContinued) != 0) return on_piece(frame);
  MessageParts parts;
  parts.frame = &frame;
  ByteView body = frame.body;
  if ((header.flags & wire::kFlagPieces) != 0) {
    parts.body_total = wire::load_big<std::uint64_t>(body.data());
    body = body.subspan(wire::kPiecesTotalBytes);
    if (parts.body_total < body.size()) return fail(Errc::bad_piece);
  } else {
    parts.body_total = body.size();
  }
  read_parts(header, body, parts);
  if ((header.flags & wire::kFlagPieces) != 0 &&
      (parts.damage == Errc::truncated || parts.damage == Errc::trailing_bytes)) {
    return fail(Errc::bad_piece);
  }
  on_parts(header, parts);
}

void Session::read_parts(const wire::FrameHeader& header, ByteView body, MessageParts& parts) {
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::request: {
      const auto head = wire::decode_request_head(body, options_.limits);
      if (!head) {
        parts.damage = head.error().code();
        return;
      }
      parts.damage = head->damage;
      parts.first = bytes_of(head->path);
      parts.headers = head->headers;
      parts.payload_bytes = head->payload_bytes;
      parts.head = body.first(head->head_bytes);
      break;
    }
    case FrameType::reply: {
      const auto head = wire::decode_reply_head(body, options_.limits);
      if (!head) {
        parts.damage = head.error().code();
        return;
      }
      parts.reply = head->fixed;
      parts.headers = head->headers;
      parts.payload_bytes = head->payload_bytes;
      parts.head = body.first(head->head_bytes);
      break;
    }
    default:
      parts.payload_bytes = parts.body_total;
      if (parts.payload_bytes > options_.limits.payload_bytes_max) {
        parts.damage = Errc::payload_too_long;
      }
      break;
  }
  parts.payload = body.subspan(parts.head.size());
  // In the length of the whole body, whether in pieces or not, the payload must fit exactly.
  if (parts.damage == Errc::ok && parts.head.size() + parts.payload_bytes != parts.body_total) {
    parts.damage = parts.head.size() + parts.payload_bytes > parts.body_total
                       ? Errc::truncated
                       : Errc::trailing_bytes;
  }
}

void Session::on_parts(const wire::FrameHeader& header, MessageParts& parts) {
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::request:
      return on_request(header, parts);
    case FrameType::reply:
      return on_reply(header, parts);
    default:
      return on_data(header, parts);
  }
}

void Session::after_input() {
  if (pump_wanted_) pump();
  return_connection_credit();
  if (pong_waits_) answer_waiting_ping();
  if (!written_one_ways_.empty()) settle_one_ways();
  if (!maybe_writable_.empty()) deliver_writable();
  if (free_wanted_ && !closed() && streams_.open() < streams_.limit() &&
      waiting_bytes_ < options_.limits.queued_bytes_max) {
    free_wanted_ = false;
    events_.on_free();
  }
  if (local_drain_ || peer_goaway_) check_drained();
}

}  // namespace spanwire::session
