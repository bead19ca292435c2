// The way of most frames: whole requests and replies of unary calls, in good order.  Whatever is
// unusual about one is left to the general way (receive.cpp, streams.cpp), before anything is
// changed; both decide alike.
#include "lib/session/wall.hpp"
#include "spanwire/session/session.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::session {
namespace {

// Small payloads are only lent: to copy them is cheaper than to keep their block.
void give_body(Body& body, const wire::InFrame& frame, ByteView payload) {
  body.bytes = payload;
  if (payload.size() >= wire::kCopyPayloadBelow) body.owned = frame.slice(payload);
}

}  // namespace

bool Session::take_plain(wire::InFrame& frame) {
  const wire::FrameHeader& header = frame.header;
  if (!wire::plain_unary(header) || naive_ || !options_.short_way) return false;
  if (state_ != State::ready && state_ != State::draining) return false;
  if (receive_credit_ < static_cast<std::int64_t>(header.body_bytes)) return false;
  const bool reply = header.type == static_cast<std::uint8_t>(wire::FrameType::reply);
  if (reply != client()) return false;
  return reply ? take_plain_reply(frame) : take_plain_request(frame);
}

bool Session::take_plain_reply(wire::InFrame& frame) {
  Stream* const stream = streams_.find(frame.header.stream_id);
  if (stream == nullptr || !stream->has(kBegun) || stream->flow != nullptr) return false;
  wire::ReplyView view;
  if (wire::read_reply_head(frame.body, options_.limits, view) != Errc::ok) return false;
  if (view.payload.size() != view.payload_bytes) return false;
  receive_credit_ -= frame.header.body_bytes;
  owed_ += frame.header.body_bytes;
  void* const user = stream->user;
  was_busy_ = true;
  streams_.release(*stream);
  if (user == nullptr) return true;
  ReplyIn reply;
  reply.status = view.fixed.status;
  reply.received = wall_of(view.fixed.received_ns);
  reply.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(view.fixed.duration_ns));
  reply.message = view.fixed.message;
  reply.headers = view.headers;
  give_body(reply.payload, frame, view.payload);
  events_.on_reply(user, reply);
  return true;
}

bool Session::take_plain_request(wire::InFrame& frame) {
  if (requests_received() >= accepted_) return false;
  wire::RequestHead head;
  if (wire::read_request_head(frame.body, options_.limits, head) != Errc::ok) return false;
  const ByteView payload = frame.body.subspan(head.head_bytes);
  if (head.damage != Errc::ok || payload.size() != head.payload_bytes) return false;
  Stream* stream = nullptr;
  const bool pinned = payload.size() >= wire::kCopyPayloadBelow;
  if (pinned && !room_for(payload.size())) return false;
  if (streams_.claim(frame.header.stream_id, false, stream) != StreamTable::Claim::ok) return false;
  if (pinned) pin(*stream, payload.size());
  receive_credit_ -= frame.header.body_bytes;
  owed_ += frame.header.body_bytes;
  ++counters_.requests;
  stream->mark = static_cast<std::uint64_t>(now_.wall.time_since_epoch().count());
  stream->set(kRemoteEnd | kDispatched);
  RequestIn request;
  request.id = stream->id;
  request.path = head.path;
  request.headers = head.headers;
  request.received = now_.wall;
  give_body(request.payload, frame, payload);
  events_.on_request(request);
  return true;
}

}  // namespace spanwire::session
