// Bytes and messages -> frames.
#include <algorithm>
#include <cstring>

#include "lib/session/budget.hpp"
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
    if (!take_plain(frame)) on_frame(frame);
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

// What every body pays and must satisfy, wherever it goes.
bool Session::take_body(const wire::FrameHeader& header) {
  if (!naive_) {
    receive_credit_ -= header.body_bytes;
    owed_ += header.body_bytes;
    if (receive_credit_ < 0) {
      fail(Errc::credit_exceeded);
      return false;
    }
  }
  const auto type = static_cast<FrameType>(header.type);
  if (type == FrameType::data || (type == FrameType::reply) == client()) return true;
  fail(Errc::unexpected_frame);
  return false;
}

void Session::on_body(wire::InFrame& frame) {
  const wire::FrameHeader& header = frame.header;
  if (!take_body(header)) return;
  if ((header.flags & wire::kFlagContinued) != 0) return on_piece(frame);
  MessageParts parts;
  parts.frame = &frame;
  ByteView body = frame.body;
  const bool pieces = (header.flags & wire::kFlagPieces) != 0;
  if (pieces) {
    parts.body_total = wire::load_big<std::uint64_t>(body.data());
    body = body.subspan(wire::kPiecesTotalBytes);
    if (parts.body_total < body.size()) return fail(Errc::bad_piece);
  } else {
    parts.body_total = body.size();
  }
  parts.damage = read_parts(header, body, parts);
  if (pieces && (parts.damage == Errc::truncated || parts.damage == Errc::trailing_bytes)) {
    return fail(Errc::bad_piece);
  }
  on_parts(header, parts);
}

Errc Session::read_parts(const wire::FrameHeader& header, ByteView body, MessageParts& parts) {
  std::size_t fields = 0;
  if (header.type == static_cast<std::uint8_t>(FrameType::request)) {
    wire::RequestHead head;
    const Errc code = wire::read_request_head(body, options_.limits, head);
    if (code != Errc::ok) return code;
    if (head.damage != Errc::ok) return head.damage;
    parts.first = bytes_of(head.path);
    parts.headers = head.headers;
    parts.payload_bytes = head.payload_bytes;
    fields = head.head_bytes;
  } else if (header.type == static_cast<std::uint8_t>(FrameType::reply)) {
    wire::ReplyView head;
    const Errc code = wire::read_reply_head(body, options_.limits, head);
    if (code != Errc::ok) return code;
    parts.reply = head.fixed;
    parts.first = body.first(wire::reply_fixed_bytes(head.fixed.message));
    parts.headers = head.headers;
    parts.payload_bytes = head.payload_bytes;
    fields = head.head_bytes;
  } else {
    if (parts.body_total > options_.limits.payload_bytes_max) return Errc::payload_too_long;
    parts.payload_bytes = parts.body_total;
  }
  parts.payload = body.subspan(fields);
  const std::uint64_t announced = fields + parts.payload_bytes;
  if (announced == parts.body_total) return Errc::ok;
  return announced > parts.body_total ? Errc::truncated : Errc::trailing_bytes;
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
  if (process_wanted_ != 0) look_at_process();
  const bool room = process_wanted_ == 0 && waiting_bytes_ < options_.limits.queued_bytes_max;
  if (room && room_wanted_) list_writable();
  if (!maybe_writable_.empty()) deliver_writable();
  if (free_wanted_ && room && !closed() && streams_.open() < streams_.limit()) {
    free_wanted_ = free_untold_ = false;
    events_.on_free();
  }
  if (local_drain_ || peer_goaway_) check_drained();
}

}  // namespace spanwire::session
