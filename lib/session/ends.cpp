// How streams and the session end.
#include <utility>

#include "lib/session/budget.hpp"
#include "spanwire/session/session.hpp"

namespace spanwire::session {
namespace {

constexpr std::uint8_t kStatusUnavailable = 14;

}  // namespace

Flow& Session::flow_of(Stream& stream) {
  if (stream.flow == nullptr) {
    stream.flow = std::make_unique<Flow>();
    stream.flow->send_credit = peer_.stream_window_bytes;
    stream.flow->receive_credit = options_.limits.stream_window_bytes;
  }
  return *stream.flow;
}

void Session::drop_flow(Stream& stream) noexcept {
  if (stream.flow == nullptr) return;
  drop_outgoing(stream, Keep::nothing);
  drop_assembly(stream);
  held_bytes_ -= stream.flow->unread;
  stream.flow.reset();
}

void Session::free_stream(Stream& stream) noexcept {
  drop_flow(stream);
  unpin(stream);
  was_busy_ = true;
  (wire::StreamId{stream.id}.server_side() ? one_ways_ : streams_).release(stream);
}

void Session::hold(std::size_t bytes) noexcept {
  held_bytes_ += bytes;
  hold_in_process(bytes);
}

void Session::unhold(std::size_t bytes) noexcept {
  held_bytes_ -= bytes;
  unhold_in_process(bytes);
}

// A request's payload stays in memory until its handler has replied.  False: there is no room.
// What is only lent is copied by whoever needs it, within the limit of running handlers.
bool Session::pin(Stream& stream, std::size_t bytes) noexcept {
  if (bytes < wire::kCopyPayloadBelow) return true;
  if (!room_for(bytes)) return false;
  hold(bytes);
  stream.pinned = static_cast<std::uint32_t>(bytes);
  return true;
}

void Session::unpin(Stream& stream) noexcept {
  if (stream.pinned == 0) return;
  unhold(stream.pinned);
  stream.pinned = 0;
}

bool Session::room_for(std::size_t bytes) const noexcept {
  return bytes <= options_.limits.queued_bytes_max &&
         held_bytes_ <= options_.limits.queued_bytes_max - bytes && process_has_room(bytes);
}

void Session::end_stream(Stream& stream, const Error& cause, Progress progress) {
  void* const user = stream.user;
  free_stream(stream);
  if (user != nullptr) events_.on_lost(user, cause, progress);
}

// As the peer would have answered.
void Session::end_not_started(Stream& stream) {
  void* const user = stream.user;
  free_stream(stream);
  if (user == nullptr) return;
  ReplyIn reply;
  reply.status = kStatusUnavailable;
  reply.not_started = true;
  reply.message = "the peer takes no new requests";
  events_.on_reply(user, reply);
}

Progress Session::progress_of(const Stream& stream) const noexcept {
  if (!client()) return Progress::started;
  if (!stream.has(kBegun)) return Progress::not_sent;
  if (stream.has(kStarted)) return Progress::started;
  if (sink_.bytes_submitted() <= stream.mark) return Progress::not_sent;
  return stream.ordinal > peer_accepted_ ? Progress::not_started : Progress::sent;
}

void Session::end_all(const Error& cause) {
  const auto end_one = [this, &cause](Stream& stream) {
    end_stream(stream, cause, progress_of(stream));
  };
  written_one_ways_.clear();
  streams_.for_each_open(end_one);
  one_ways_.for_each_open(end_one);
}

void Session::fail(Errc code) { end(Error(code), code); }

void Session::close(const Error& cause) { end(cause, cause.code()); }

void Session::end(const Error& cause, Errc reason) {
  if (closed()) return;
  if (state_ != State::handshake && !naive_) {
    const std::uint64_t accepted = client() ? 0 : std::min(accepted_, requests_received());
    send_goaway(accepted, reason, describe(reason));
  }
  state_ = State::closed;
  end_all(cause);
  events_.on_end(cause);
}

void Session::on_link_closed(const Error& cause) {
  if (closed()) return;
  state_ = State::closed;
  if (peer_says_.empty()) return end_all(cause);
  end_all(Error(cause.code(), "the peer had said: " + peer_says_));
}

}  // namespace spanwire::session
