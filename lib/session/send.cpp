// Bodies on their way out: at once when nothing is in the way, else in turns with other streams.
#include <algorithm>
#include <cstring>

#include "lib/session/budget.hpp"
#include "spanwire/session/session.hpp"

namespace spanwire::session {

using wire::FrameType;

namespace {

FrameType type_of(const wire::OutFrame& frame) noexcept {
  return static_cast<FrameType>(frame.header.type);
}

// A small payload is copied into `fields` by whoever queues it.
std::size_t waiting_bytes_of(const Outgoing& out) noexcept {
  return out.fields.size() + out.payload.size() - out.payload_sent;
}

}  // namespace

std::size_t Session::body_bytes(const wire::OutFrame& frame) const noexcept {
  if (!multipart_) return wire::byte_body_bytes(frame);
  const bool pieces = (frame.header.flags & wire::kFlagPieces) != 0;
  return (pieces ? wire::kPiecesTotalBytes : 0) + frame.first.size() + frame.headers.size() +
         frame.payload.size();
}

std::size_t Session::frame_bytes_max(FrameType type) const noexcept {
  return type == FrameType::data ? data_frame_bytes_max_ : frame_bytes_max_;
}

bool Session::fits_one_frame(const wire::OutFrame& frame, std::size_t bytes) const noexcept {
  // A naive peer knows no pieces.
  if (naive_) return true;
  return frame.payload.size() <= wire::kPieceBytes && bytes <= frame_bytes_max(type_of(frame));
}

std::size_t Session::charge_of(FrameType type, std::size_t bytes) const noexcept {
  return type == FrameType::head || naive_ ? 0 : bytes;
}

std::int64_t Session::stream_charge(std::uint8_t flags, std::size_t body_bytes) noexcept {
  // An empty message is a message that its reader has to take: it is not free.
  if (body_bytes == 0 && (flags & wire::kFlagEnd) == 0) return 1;
  return static_cast<std::int64_t>(body_bytes);
}

Session::Pumped Session::check_credit(Stream& stream, const wire::OutFrame& frame, FrameType type,
                                      std::size_t charge) {
  const auto needed = static_cast<std::int64_t>(charge);
  if (type == FrameType::data &&
      stream_charge(frame.header.flags, charge) > flow_of(stream).send_credit) {
    return Pumped::no_stream_credit;
  }
  return needed > send_credit_ ? Pumped::no_connection_credit : Pumped::sent;
}

void Session::send_body(Stream& stream, wire::OutFrame& frame) {
  const FrameType type = type_of(frame);
  if (ring_ == nullptr && !stream.waits() && sink_.queued_bytes() <= link_queue_bytes_max_) {
    const std::size_t bytes = body_bytes(frame);
    const std::size_t charge = charge_of(type, bytes);
    if (fits_one_frame(frame, bytes) && check_credit(stream, frame, type, charge) == Pumped::sent) {
      transmit(stream, frame, charge);
      return sent_whole(stream, type);
    }
  }
  enqueue(stream, frame);
  pump();
}

void Session::transmit(Stream& stream, wire::OutFrame& frame, std::size_t charge) {
  const FrameType type = type_of(frame);
  send_credit_ -= static_cast<std::int64_t>(charge);
  if (type == FrameType::data) {
    stream.flow->send_credit -= stream_charge(frame.header.flags, charge);
  }
  if (type == FrameType::request && !stream.has(kBegun)) {
    stream.mark = sink_.bytes_taken();
    stream.ordinal = ++requests_sent_;
    stream.set(kBegun);
    ++counters_.requests;
  }
  ++counters_.frames_out;
  sink_.send(frame);
}

void Session::enqueue(Stream& stream, wire::OutFrame& frame) {
  Flow& flow = flow_of(stream);
  auto* out = new Outgoing;
  out->type = type_of(frame);
  out->flags = frame.header.flags;
  out->first_bytes = static_cast<std::uint32_t>(frame.first.size());
  const std::size_t fields = frame.first.size() + frame.headers.size();
  if (fields != 0) {
    Buffer buffer(fields);
    buffer.append(frame.first);
    buffer.append(frame.headers);
    out->fields = buffer.take();
  }
  out->payload = frame.payload.size() < wire::kCopyPayloadBelow
                     ? Slice::copy_of(frame.payload.view())
                     : std::move(frame.payload);
  (flow.last != nullptr ? flow.last->next : flow.first) = out;
  flow.last = out;
  ++counters_.frames_waited;
  add_waiting(waiting_bytes_of(*out));
  join_ring(stream);
}

void Session::add_waiting(std::size_t bytes) noexcept {
  waiting_bytes_ += bytes;
  hold_in_process(bytes);
}

void Session::take_waiting(std::size_t bytes) noexcept {
  waiting_bytes_ -= bytes;
  unhold_in_process(bytes);
}

// No user code runs in here: it is called where users' calls are under way.
void Session::pump() {
  pump_wanted_ = false;
  if (pumping_ || closed()) return;
  pumping_ = true;
  while (ring_ != nullptr && sink_.queued_bytes() <= link_queue_bytes_max_) {
    Stream& stream = *ring_;
    const Pumped pumped = send_next(stream);
    if (pumped == Pumped::no_connection_credit) {
      ++counters_.credit_waits;
      break;
    }
    // Its window frame will put it back.
    if (pumped == Pumped::no_stream_credit) {
      leave_ring(stream);
      Outgoing& out = *stream.flow->first;
      // What has begun keeps its place: the peer gives it the credit that it needs to end.
      if (!out.begun) leave_place(out);
    }
  }
  pumping_ = false;
  update_pause();
}

// One frame of the stream's first body.
Session::Pumped Session::send_next(Stream& stream) {
  Outgoing& out = *stream.flow->first;
  wire::OutFrame frame;
  frame.header.stream_id = stream.id;
  frame.header.type = static_cast<std::uint8_t>(out.type);
  frame.payload_total = static_cast<std::uint32_t>(out.payload.size());
  std::size_t chunk = out.payload.size() - out.payload_sent;
  if (out.begun) {
    frame.header.flags = wire::kFlagContinued;
    chunk = std::min({chunk, wire::kPieceBytes, frame_bytes_max(out.type)});
  } else {
    chunk = begin_body(out, frame);
    const bool pieces = (frame.header.flags & wire::kFlagPieces) != 0;
    if (pieces && !out.has_place && !find_place(stream)) return Pumped::no_place;
  }
  const std::size_t fields = frame.first.size() + frame.headers.size();
  // Without its payload yet, to be able to stop here.
  const std::size_t charge = charge_of(out.type, body_bytes(frame) + chunk);
  const Pumped pumped = check_credit(stream, frame, out.type, charge);
  if (pumped != Pumped::sent) return pumped;
  frame.payload = out.payload.part(out.payload_sent, chunk);
  transmit(stream, frame, charge);
  out.begun = true;
  out.payload_sent += chunk;
  take_waiting(fields + chunk);
  ring_ = stream.flow->ring_next;
  if (out.payload_sent == out.payload.size()) {
    const FrameType type = out.type;
    // Its bytes are no longer waiting.
    out.fields = Slice();
    pop_outgoing(stream);
    sent_whole(stream, type);
  }
  return Pumped::sent;
}

// The first frame of a body: fields, and as much of the payload as is returned.
std::size_t Session::begin_body(Outgoing& out, wire::OutFrame& frame) {
  frame.header.flags = out.flags;
  frame.first = out.fields.view().first(out.first_bytes);
  frame.headers = out.fields.view().subspan(out.first_bytes);
  const std::size_t fields = body_bytes(frame);
  const std::size_t whole = fields + out.payload.size();
  const std::size_t most = frame_bytes_max(out.type);
  if (naive_ || (out.payload.size() <= wire::kPieceBytes && whole <= most)) {
    return out.payload.size();
  }
  frame.header.flags = static_cast<std::uint8_t>(frame.header.flags | wire::kFlagPieces);
  frame.body_total = whole;
  return std::min(wire::kPieceBytes, most - fields - wire::kPiecesTotalBytes);
}

void Session::pop_outgoing(Stream& stream) noexcept {
  Flow& flow = *stream.flow;
  Outgoing* out = flow.first;
  flow.first = out->next;
  if (flow.first == nullptr) flow.last = nullptr;
  if (flow.first == nullptr || flow.in_line) leave_ring(stream);
  leave_place(*out);
  delete out;
}

// Removes what waits on a stream; with Keep::reply, all but its reply.
void Session::drop_outgoing(Stream& stream, Keep keep) noexcept {
  while (stream.waits()) {
    const Outgoing& out = *stream.flow->first;
    if (keep == Keep::reply && out.type == FrameType::reply) return;
    take_waiting(waiting_bytes_of(out) - (out.begun ? out.fields.size() : 0));
    pop_outgoing(stream);
  }
}

void Session::sent_whole(Stream& stream, FrameType type) {
  if (type == FrameType::reply) return free_stream(stream);
  if (type == FrameType::request && stream.has(kOneWay)) {
    written_one_ways_.push_back({stream.id, sink_.bytes_taken()});
    wake_by(now_.monotonic + kLook);
    return;
  }
  if (stream.flow != nullptr && stream.flow->wants_writable && !stream.waits()) {
    maybe_writable_.push_back(stream.id);
  }
}

bool Session::writable(const Stream& stream) const noexcept {
  if (stream.waits() || sink_.queued_bytes() > link_queue_bytes_max_) return false;
  return stream.flow == nullptr || stream.flow->send_credit > 0;
}

void Session::deliver_writable() {
  // Users write in there, which may add to the list.
  std::vector<std::uint32_t> ids;
  ids.swap(maybe_writable_);
  for (const std::uint32_t id : ids) {
    if (closed()) return;
    Stream* stream = streams_.find(id);
    if (stream == nullptr || stream->flow == nullptr || !stream->flow->wants_writable) continue;
    if (!writable(*stream)) continue;
    stream->flow->wants_writable = false;
    if (stream->user != nullptr) events_.on_writable(stream->user);
  }
}

void Session::on_link_writable() {
  if (closed()) return;
  pump();
  list_writable();
  after_input();
}

void Session::list_writable() {
  room_wanted_ = false;
  streams_.for_each_open([this](Stream& stream) {
    if (stream.flow != nullptr && stream.flow->wants_writable && !stream.waits()) {
      maybe_writable_.push_back(stream.id);
    }
  });
}

// A server that reads on would get more to answer.  It stops only for a link that does not take
// what it has: credit comes in what is read.  A client reads always.  It gets only what it asked
// for, and two sides that waited for each other to read would wait for ever.
void Session::update_pause() {
  const bool pause = !client() && waiting_bytes_ > options_.limits.queued_bytes_max / 2 &&
                     sink_.queued_bytes() > link_queue_bytes_max_;
  if (pause == paused_) return;
  paused_ = pause;
  timer_moved_ = true;
  events_.on_pause(pause);
}

}  // namespace spanwire::session
