// Frames of streams -> events.
#include <algorithm>
#include <string>
#include <utility>

#include "lib/session/parts.hpp"
#include "lib/session/wall.hpp"

namespace spanwire::session {
namespace {

// gRPC's numbers.
constexpr std::uint8_t kStatusCancelled = 1;
constexpr std::uint8_t kStatusResourceExhausted = 8;
constexpr std::uint8_t kStatusUnimplemented = 12;
constexpr std::uint8_t kStatusInternal = 13;
constexpr std::uint8_t kStatusUnavailable = 14;

std::uint8_t status_of(Errc cause) noexcept {
  switch (cause) {
    case Errc::cancelled:
      return kStatusCancelled;
    case Errc::payload_too_long:
    case Errc::path_too_long:
    case Errc::headers_too_long:
    case Errc::out_of_memory_budget:
      return kStatusResourceExhausted;
    case Errc::naive_peer:
      return kStatusUnimplemented;
    case Errc::draining:
      return kStatusUnavailable;
    default:
      return kStatusInternal;
  }
}

bool in_pieces(std::uint8_t flags) noexcept { return (flags & wire::kFlagPieces) != 0; }

}  // namespace

// A frame of a stream that is not open: late, or of a stream that nobody ever opened.
void Session::on_unknown_stream(std::uint32_t id) {
  const wire::StreamId stream_id{id};
  const bool behind_goaway = final_goaway_sent_ && stream_id.slot() <= streams_.limit();
  if (!naive_ && !behind_goaway && !streams_.was_used(id)) return fail(Errc::bad_stream_id);
  ++counters_.late_frames;
}

void Session::on_request(const wire::FrameHeader& header, MessageParts& parts) {
  ++counters_.requests;
  if (counters_.requests - requests_before_restart_ > accepted_) {
    ++counters_.requests_behind_goaway;
    return events_.on_refused();
  }
  Stream* stream = nullptr;
  switch (streams_.claim(header.stream_id, naive_, stream)) {
    case StreamTable::Claim::bad_id:
      return fail(Errc::bad_stream_id);
    case StreamTable::Claim::in_use:
      return fail(Errc::stream_in_use);
    case StreamTable::Claim::stale:
      ++counters_.late_frames;
      return;
    case StreamTable::Claim::ok:
      break;
  }
  stream->mark = static_cast<std::uint64_t>(now_.wall.time_since_epoch().count());
  if ((header.flags & wire::kFlagStream) != 0) stream->set(kStreaming);
  if ((header.flags & wire::kFlagEnd) != 0) stream->set(kRemoteEnd);
  if ((header.flags & wire::kFlagOneWay) != 0) stream->set(kOneWay);
  if (parts.damage != Errc::ok) {
    ++counters_.damaged_messages;
    return refuse(*stream, parts.damage);
  }
  if (naive_ && stream->has(kStreaming)) return refuse(*stream, Errc::naive_peer);
  if (naive_ && local_drain_) return refuse(*stream, Errc::draining);
  if (in_pieces(header.flags)) return begin_assembly(*stream, header, parts);
  if (!pin(*stream, parts.payload_bytes)) {
    ++counters_.over_budget;
    return refuse(*stream, Errc::out_of_memory_budget);
  }
  dispatch(*stream, parts);
}

// The wire's stream of a one-way request ends here; its handler gets an id of ours.
Stream* Session::move_one_way(Stream& stream) {
  const std::uint64_t received = stream.mark;
  const std::uint32_t pinned = std::exchange(stream.pinned, 0);
  free_stream(stream);
  Stream* own = one_ways_.allocate();
  if (own == nullptr) {
    ++counters_.over_budget;
    unhold(pinned);
    return nullptr;
  }
  own->mark = received;
  own->pinned = pinned;
  own->set(kOneWay | kRemoteEnd);
  return own;
}

void Session::dispatch(Stream& arrived, MessageParts& parts) {
  Stream* stream = arrived.has(kOneWay) ? move_one_way(arrived) : &arrived;
  if (stream == nullptr) return events_.on_refused();
  stream->set(kDispatched);
  RequestIn request;
  request.id = stream->id;
  request.path = text_of(parts.first);
  request.headers = parts.headers;
  request.payload = parts.take_body();
  request.stream = stream->has(kStreaming);
  request.end = stream->has(kRemoteEnd);
  request.one_way = stream->has(kOneWay);
  request.received = wall_of(stream->mark);
  events_.on_request(request);
}

// Answers for a handler that never ran.
void Session::refuse(Stream& stream, Errc cause) {
  const std::uint32_t id = stream.id;
  const bool one_way = stream.has(kOneWay);
  if (one_way) free_stream(stream);
  // Who gave up has not been refused.
  if (cause != Errc::cancelled) events_.on_refused();
  if (one_way) return;
  ReplyOut reply;
  reply.status = status_of(cause);
  reply.not_started = true;
  reply.message = describe(cause);
  this->reply(id, reply);
}

void Session::on_reply(const wire::FrameHeader& header, MessageParts& parts) {
  Stream* stream = streams_.find(header.stream_id);
  if (stream == nullptr) {
    ++counters_.unasked_replies;
    return on_unknown_stream(header.stream_id);
  }
  if (!stream->has(kBegun)) return fail(Errc::bad_stream_id);
  if (stream->flow != nullptr && stream->flow->assembly.active) {
    // A body may be broken off only when its reader has given up.
    if (!stream->flow->assembly.dropped) return fail(Errc::bad_piece);
    stream->flow->assembly.active = false;
  }
  stream->set(kStarted);
  if (parts.damage != Errc::ok) {
    ++counters_.damaged_messages;
    return end_stream(*stream, Error(parts.damage), Progress::started);
  }
  if (in_pieces(header.flags)) return begin_assembly(*stream, header, parts);
  deliver_reply(*stream, header.flags, parts);
}

void Session::deliver_reply(Stream& stream, std::uint8_t flags, MessageParts& parts) {
  void* const user = stream.user;
  free_stream(stream);
  if (user == nullptr) return;
  ReplyIn reply;
  reply.status = parts.reply.status;
  reply.not_started = (flags & wire::kFlagNotStarted) != 0;
  reply.received = wall_of(parts.reply.received_ns);
  reply.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(parts.reply.duration_ns));
  reply.message = parts.reply.message;
  reply.headers = parts.headers;
  reply.payload = parts.take_body();
  events_.on_reply(user, reply);
}

void Session::on_head(const wire::FrameHeader& header, ByteView headers) {
  if (!client()) return fail(Errc::unexpected_frame);
  Stream* stream = streams_.find(header.stream_id);
  if (stream == nullptr) return on_unknown_stream(header.stream_id);
  if (!stream->has(kBegun)) return fail(Errc::bad_stream_id);
  if (stream->has(kStarted)) return fail(Errc::unexpected_frame);
  stream->set(kStarted);
  if (headers.size() > options_.limits.header_block_bytes_max) {
    ++counters_.damaged_messages;
    headers = {};
  }
  if (stream->user != nullptr) events_.on_head(stream->user, headers);
}

void Session::on_data(const wire::FrameHeader& header, MessageParts& parts) {
  Stream* stream = streams_.find(header.stream_id);
  if (stream == nullptr) return on_unknown_stream(header.stream_id);
  if (client() && !stream->has(kBegun)) return fail(Errc::bad_stream_id);
  if (!stream->has(kStreaming)) return fail(Errc::unexpected_frame);
  const bool unwanted = stream->has(kDeaf) || (client() && stream->has(kCancelled));
  if (stream->has(kRemoteEnd) && !unwanted) return fail(Errc::data_after_end);
  Flow& flow = flow_of(*stream);
  const std::int64_t charge = stream_charge(header.flags, header.body_bytes);
  if (!take_stream_credit(flow, charge)) return;
  if (unwanted) {
    ++counters_.late_frames;
    const bool goes_on = in_pieces(header.flags) && parts.damage == Errc::ok;
    if (goes_on && !client() && !flow.assembly.active) begin_assembly(*stream, header, parts);
    return;
  }
  if (flow.assembly.active) return fail(Errc::bad_piece);
  stream->set(kStarted);
  if ((header.flags & wire::kFlagEnd) != 0) stream->set(kRemoteEnd);
  if (parts.damage != Errc::ok) {
    ++counters_.damaged_messages;
    return give_up_receiving(*stream, parts.damage);
  }
  if (in_pieces(header.flags)) return begin_assembly(*stream, header, parts);
  deliver_data(*stream, parts);
}

bool Session::take_stream_credit(Flow& flow, std::int64_t charge) {
  flow.receive_credit -= charge;
  if (flow.receive_credit >= 0) return true;
  fail(Errc::credit_exceeded);
  return false;
}

void Session::deliver_data(Stream& stream, MessageParts& parts) {
  if (stream.user == nullptr || stream.has(kReplied)) return;
  const bool empty = parts.payload_bytes == 0 && !stream.has(kRemoteEnd);
  const std::uint64_t bytes = empty ? 1 : parts.payload_bytes;
  flow_of(stream).unread += bytes;
  held_bytes_ += bytes;
  Body body = parts.take_body();
  events_.on_data(stream.user, body, stream.has(kRemoteEnd));
}

void Session::on_cancel(const wire::FrameHeader& header, ByteView body) {
  if (client()) return fail(Errc::unexpected_frame);
  const Result<Errc> reason = wire::decode_cancel(body);
  if (!reason) return fail(reason.error().code());
  Stream* stream = streams_.find(header.stream_id);
  if (stream == nullptr) return on_unknown_stream(header.stream_id);
  if (stream->has(kCancelled)) return;
  stream->set(kCancelled | kRemoteEnd);
  // Nobody reads it: what was written is not worth sending, and it could wait for credit for ever.
  drop_outgoing(*stream, Keep::reply);
  if (!stream->has(kDispatched)) {
    drop_assembly(*stream);
    return refuse(*stream, Errc::cancelled);
  }
  if (stream->waits()) {
    // The reply; until now it may have waited behind data without credit.
    join_ring(*stream);
    pump_wanted_ = true;
  }
  if (stream->user != nullptr) events_.on_cancel(stream->user, *reason);
}

// A message of a stream cannot be taken: the rest of what comes is dropped.
void Session::give_up_receiving(Stream& stream, Errc cause) {
  stream.set(kDeaf);
  if (!client()) {
    if (stream.user != nullptr) events_.on_cancel(stream.user, cause);
    return;
  }
  void* const user = stream.user;
  cancel(stream.id, cause);
  if (user != nullptr) events_.on_lost(user, Error(cause), Progress::started);
}

}  // namespace spanwire::session
