// Whose turn it is to send.  Streams that have something to send take turns in the ring.  Of those
// whose body goes in pieces only a few have a place in it, for each that has begun costs the peer
// the memory of the whole; the others wait in line.
#include "spanwire/session/session.hpp"

namespace spanwire::session {
namespace {

// Behind everybody else.
void append(Stream*& list, Stream& stream) noexcept {
  Flow& flow = *stream.flow;
  if (list == nullptr) {
    flow.ring_next = flow.ring_previous = &stream;
    list = &stream;
    return;
  }
  Stream* last = list->flow->ring_previous;
  flow.ring_next = list;
  flow.ring_previous = last;
  last->flow->ring_next = &stream;
  list->flow->ring_previous = &stream;
}

void remove(Stream*& list, Stream& stream) noexcept {
  Flow& flow = *stream.flow;
  flow.ring_previous->flow->ring_next = flow.ring_next;
  flow.ring_next->flow->ring_previous = flow.ring_previous;
  if (list == &stream) list = flow.ring_next == &stream ? nullptr : flow.ring_next;
  flow.ring_next = flow.ring_previous = nullptr;
}

}  // namespace

void Session::join_ring(Stream& stream) noexcept {
  if (stream.flow->ring_next == nullptr) append(ring_, stream);
}

// Or the line.
void Session::leave_ring(Stream& stream) noexcept {
  Flow& flow = *stream.flow;
  if (flow.ring_next == nullptr) return;
  remove(flow.in_line ? line_ : ring_, stream);
  flow.in_line = false;
}

bool Session::room_in_pieces(const Outgoing& out) const noexcept {
  if (bodies_in_pieces_ == 0) return true;
  return bodies_in_pieces_ < wire::kBodiesInPiecesMax &&
         bytes_in_pieces_ + out.payload.size() <= wire::kBytesInPiecesMax;
}

void Session::give_place(Outgoing& out) noexcept {
  out.has_place = true;
  ++bodies_in_pieces_;
  bytes_in_pieces_ += out.payload.size();
}

// For the stream's next body.  False: the stream now waits in line, not in the ring.
bool Session::find_place(Stream& stream) noexcept {
  Flow& flow = *stream.flow;
  if (line_ == nullptr && room_in_pieces(*flow.first)) {
    give_place(*flow.first);
    return true;
  }
  leave_ring(stream);
  append(line_, stream);
  flow.in_line = true;
  return false;
}

void Session::leave_place(Outgoing& out) noexcept {
  if (out.has_place) {
    out.has_place = false;
    --bodies_in_pieces_;
    bytes_in_pieces_ -= out.payload.size();
  }
  call_up_line();
}

void Session::call_up_line() noexcept {
  while (line_ != nullptr && room_in_pieces(*line_->flow->first)) {
    Stream& next = *line_;
    leave_ring(next);
    give_place(*next.flow->first);
    append(ring_, next);
    pump_wanted_ = true;
  }
}

}  // namespace spanwire::session
