// What concerns the connection: hello, credit, ping, goaway, drain.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "spanwire/session/session.hpp"

namespace spanwire::session {

using wire::FrameType;

namespace {

constexpr std::int64_t kCreditMax = std::numeric_limits<std::int32_t>::max();
// Half a window is the largest frame, and some of it must be payload.
constexpr std::uint32_t kConnectionWindowBytesMin = 2 * wire::kFrameBodyBytesFloor;
constexpr std::uint32_t kStreamWindowBytesMin = 64;

std::uint32_t clamp32(std::size_t value) noexcept {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(value, std::numeric_limits<std::uint32_t>::max()));
}
std::uint16_t clamp16(std::size_t value) noexcept {
  return static_cast<std::uint16_t>(
      std::min<std::size_t>(value, std::numeric_limits<std::uint16_t>::max()));
}

SessionOptions with_working_limits(SessionOptions options) noexcept {
  wire::Limits& limits = options.limits;
  limits.connection_window_bytes = std::clamp<std::uint32_t>(limits.connection_window_bytes,
                                                             kConnectionWindowBytesMin, kCreditMax);
  limits.stream_window_bytes =
      std::clamp<std::uint32_t>(limits.stream_window_bytes, kStreamWindowBytesMin, kCreditMax);
  limits.streams_max = std::min(limits.streams_max, wire::kSlotMax);
  return options;
}

}  // namespace

Session::Session(const SessionOptions& options, wire::FrameSink& sink, SessionEvents& events)
    : sink_(sink),
      events_(events),
      role_(options.role),
      multipart_(options.multipart),
      link_queue_bytes_max_(options.link_queue_bytes_max),
      reader_(wire::kFrameBodyBytesMax, this),
      streams_(false),
      one_ways_(true),
      options_(with_working_limits(options)) {
  const wire::Limits& limits = options_.limits;
  receive_credit_ = limits.connection_window_bytes;
  // Only the client says the preface.
  if (client()) preface_seen_ = wire::kPrefaceBytes;
  if (!client()) streams_.set_limit(limits.streams_max);
  if (!client()) one_ways_.set_limit(limits.streams_max);
}

Session::~Session() {
  state_ = State::closed;
  const auto forget = [this](Stream& stream) { free_stream(stream); };
  streams_.for_each_open(forget);
  one_ways_.for_each_open(forget);
  if (placed_ != nullptr) placed_->release();
}

void Session::start(const Now& now) {
  now_ = now;
  last_received_ = idle_since_ = now.monotonic;
  handshake_by_ = now.monotonic + options_.limits.handshake_timeout;
  timer_moved_ = true;
  if (!client()) return;
  if (options_.naive_peer) return become_naive();
  if (!multipart_) sink_.send_raw(std::as_bytes(std::span(wire::kPreface)));
  send_hello();
}

void Session::send_control(FrameType type, std::uint32_t id, ByteView body) {
  wire::OutFrame frame;
  frame.header.type = static_cast<std::uint8_t>(type);
  frame.header.stream_id = id;
  frame.first = body;
  ++counters_.frames_out;
  sink_.send(frame);
}

void Session::send_hello() {
  const wire::Limits& limits = options_.limits;
  wire::Hello hello;
  hello.streams_max = client() ? 0 : limits.streams_max;
  hello.stream_window_bytes = limits.stream_window_bytes;
  hello.connection_window_bytes = limits.connection_window_bytes;
  hello.payload_bytes_max = clamp32(limits.payload_bytes_max);
  hello.ping_interval_min_ms = clamp32(static_cast<std::size_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.ping_interval_min).count()));
  hello.incarnation = options_.incarnation;
  hello.path_bytes_max = clamp16(limits.path_bytes_max);
  hello.header_block_bytes_max = clamp16(limits.header_block_bytes_max);
  std::array<std::byte, wire::kHelloBytes> body;
  wire::encode_hello(hello, body.data());
  hello_sent_ = true;
  send_control(FrameType::hello, wire::kConnectionId, body);
}

void Session::on_hello(ByteView body) {
  const Result<wire::Hello> hello = wire::decode_hello(body);
  if (!hello) return fail(hello.error().code());
  if (hello->connection_window_bytes < kConnectionWindowBytesMin ||
      hello->connection_window_bytes > kCreditMax ||
      hello->stream_window_bytes < kStreamWindowBytesMin ||
      hello->stream_window_bytes > kCreditMax) {
    return fail(Errc::bad_hello);
  }
  if (state_ == State::handshake) {
    if (!hello_sent_) send_hello();
    return become_ready(*hello);
  }
  if (!multipart_) return fail(Errc::hello_repeated);
  if (!naive_ && hello->incarnation == peer_.incarnation) {
    // The answer to the hello that we sent when the peer had come back.
    if (!hello_again_) return fail(Errc::hello_repeated);
    hello_again_ = false;
    return;
  }
  on_restart(*hello);
}

void Session::become_ready(const wire::Hello& peer) {
  peer_ = peer;
  send_credit_ = peer.connection_window_bytes;
  frame_bytes_max_ =
      std::min<std::size_t>(peer.frame_body_bytes_max, peer.connection_window_bytes / 2);
  data_frame_bytes_max_ = std::min<std::size_t>(frame_bytes_max_, peer.stream_window_bytes / 2);
  if (client()) streams_.set_limit(std::min({peer.streams_max, options_.limits.streams_max}));
  handshake_by_ = MonotonicTime::max();
  idle_since_ = now_.monotonic;
  state_ = local_drain_ ? State::draining : State::ready;
  timer_moved_ = true;
  events_.on_ready();
}

// Nothing is known of a naive peer, and nothing asked of it.
void Session::become_naive() {
  ++counters_.naive_peers;
  naive_ = true;
  wire::Hello anything;
  anything.path_bytes_max = clamp16(options_.limits.path_bytes_max);
  anything.header_block_bytes_max = clamp16(options_.limits.header_block_bytes_max);
  anything.payload_bytes_max = clamp32(options_.limits.payload_bytes_max);
  anything.streams_max = options_.limits.streams_max;
  anything.connection_window_bytes = kCreditMax;
  become_ready(anything);
}

// The peer has forgotten every stream; the connection is as new.
void Session::on_restart(const wire::Hello& peer) {
  ++counters_.peer_restarts;
  naive_ = false;
  state_ = State::handshake;
  end_all(Error(Errc::peer_restarted));
  if (closed()) return;
  receive_credit_ = options_.limits.connection_window_bytes;
  owed_ = 0;
  requests_before_restart_ = counters_.requests;
  requests_sent_ = 0;
  peer_accepted_ = wire::kGoawayAcceptsAll;
  peer_goaway_ = false;
  ping_token_ = 0;
  ping_sent_ = MonotonicTime::max();
  hello_again_ = client();
  send_hello();
  become_ready(peer);
}

void Session::on_window(const wire::FrameHeader& header, ByteView body) {
  const Result<std::uint32_t> credit = wire::decode_window(body);
  if (!credit) return fail(credit.error().code());
  std::int64_t* account = &send_credit_;
  Stream* stream = nullptr;
  if (header.stream_id != wire::kConnectionId) {
    stream = streams_.find(header.stream_id);
    if (stream == nullptr) return on_unknown_stream(header.stream_id);
    if (!stream->has(kStreaming)) return fail(Errc::unexpected_frame);
    account = &flow_of(*stream).send_credit;
  }
  if (*account > kCreditMax - static_cast<std::int64_t>(*credit))
    return fail(Errc::credit_overflow);
  *account += *credit;
  pump_wanted_ = true;
  if (stream == nullptr) return;
  if (stream->waits()) join_ring(*stream);
  if (stream->flow->wants_writable) maybe_writable_.push_back(stream->id);
}

// On receipt, whatever becomes of the bytes, unless readers have left too many unread.
void Session::return_connection_credit() {
  if (owed_ < options_.limits.connection_window_bytes / 4 || closed() || naive_) return;
  if (held_bytes_ > options_.limits.queued_bytes_max) return;
  const auto given = static_cast<std::uint32_t>(owed_);
  owed_ = 0;
  receive_credit_ += given;
  send_control(FrameType::window, wire::kConnectionId, wire::encode_window(given));
}

void Session::on_ping(ByteView body) {
  const Result<std::uint64_t> token = wire::decode_ping(body);
  if (!token) return fail(token.error().code());
  // A peer that does not read gets one pong for all that it asked meanwhile.
  pong_waits_ = true;
  pong_owed_ = *token;
  if (sink_.queued_bytes() <= link_queue_bytes_max_) answer_waiting_ping();
}

void Session::answer_waiting_ping() {
  if (closed() || sink_.queued_bytes() > link_queue_bytes_max_) return;
  pong_waits_ = false;
  send_control(FrameType::pong, wire::kConnectionId, wire::encode_ping(pong_owed_));
}

void Session::send_ping(bool for_drain) {
  const std::uint64_t token = next_token_++;
  (for_drain ? drain_ping_token_ : ping_token_) = token;
  if (!for_drain) ping_sent_ = now_.monotonic;
  ++counters_.pings;
  send_control(FrameType::ping, wire::kConnectionId, wire::encode_ping(token));
}

void Session::on_pong(ByteView body) {
  const Result<std::uint64_t> token = wire::decode_ping(body);
  if (!token) return fail(token.error().code());
  if (*token == 0 || (*token != ping_token_ && *token != drain_ping_token_)) {
    return fail(Errc::pong_unexpected);
  }
  // It answers whatever was asked before it.
  if (ping_token_ <= *token) {
    ping_token_ = 0;
    ping_sent_ = MonotonicTime::max();
  }
  if (drain_ping_token_ != 0 && drain_ping_token_ <= *token) {
    drain_ping_token_ = 0;
    finish_drain_step();
  }
}

void Session::send_goaway(std::uint64_t accepted, Errc reason, std::string_view text) {
  wire::Goaway goaway;
  goaway.accepted = accepted;
  goaway.reason = reason;
  goaway.message = text;
  std::array<std::byte, wire::kGoawayBytes + wire::kGoawayMessageBytesMax> body;
  const std::size_t bytes = wire::encode_goaway(goaway, body.data());
  send_control(FrameType::goaway, wire::kConnectionId, {body.data(), bytes});
}

void Session::on_goaway(ByteView body) {
  const Result<wire::Goaway> goaway = wire::decode_goaway(body);
  if (!goaway) return fail(goaway.error().code());
  if (goaway->accepted > peer_accepted_) return fail(Errc::goaway_grew);
  peer_accepted_ = goaway->accepted;
  if (goaway->reason != Errc::ok && goaway->reason != Errc::shutting_down) {
    peer_says_ = std::string(name(goaway->reason));
    if (!goaway->message.empty()) peer_says_.append(": ").append(goaway->message);
  }
  if (!client()) return;
  const bool first = !peer_goaway_;
  peer_goaway_ = true;
  state_ = State::draining;
  if (first) events_.on_draining();
  if (!closed()) take_back_behind(peer_accepted_);
}

// Requests that the peer will not start, because they are behind its last or still here, may go
// elsewhere.
void Session::take_back_behind(std::uint64_t accepted) {
  streams_.for_each_open([this, accepted](Stream& stream) {
    if (closed()) return;
    if (!stream.has(kBegun) || stream.ordinal > accepted) end_not_started(stream);
  });
}

void Session::drain(const Now& now, Errc reason) {
  if (closed() || local_drain_) return;
  now_ = now;
  local_drain_ = true;
  drain_reason_ = reason;
  const bool told = state_ != State::handshake && !naive_;
  const bool was_ready = state_ == State::ready;
  if (!told) final_goaway_sent_ = true;
  if (state_ == State::ready) state_ = State::draining;
  if (told) {
    send_goaway(wire::kGoawayAcceptsAll, reason, {});
    send_ping(true);
    drain_by_ = now.monotonic + options_.limits.ping_answer_timeout;
    wake_by(drain_by_);
  }
  if (was_ready) events_.on_draining();
  check_drained();
}

// The peer has seen that we go away: what it sent before that has arrived, and what we sent it has
// read.  A connection that is closed earlier may take that from under its hands.
void Session::finish_drain_step() {
  drain_by_ = MonotonicTime::max();
  if (final_goaway_sent_) return;
  final_goaway_sent_ = true;
  accepted_ = client() ? 0 : requests_received();
  send_goaway(accepted_, drain_reason_, {});
}

void Session::check_drained() {
  if (closed() || in_flight() != 0) return;
  const bool done_here = local_drain_ && final_goaway_sent_;
  const bool done_there = client() && peer_accepted_ != wire::kGoawayAcceptsAll;
  if (!done_here && !done_there) return;
  state_ = State::closed;
  events_.on_end(Error(local_drain_ ? drain_reason_ : Errc::draining));
}

}  // namespace spanwire::session
