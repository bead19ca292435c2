// What users do: open, write, grant, cancel, reply.
#include <algorithm>
#include <array>

#include "lib/session/budget.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/session/session.hpp"
#include "spanwire/wire/utf8.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::session {

using wire::FrameType;

namespace {

constexpr std::uint8_t kStatusResourceExhausted = 8;
constexpr std::uint8_t kStatusInternal = 13;
constexpr std::size_t kFieldsOfReply = 2 + 4;

constinit NamedCounter count_process_refusals("spanwire.session.process_budget_refusals");

std::uint8_t flags_of(const RequestOut& request) noexcept {
  return static_cast<std::uint8_t>((request.end ? wire::kFlagEnd : 0) |
                                   (request.stream ? wire::kFlagStream : 0) |
                                   (request.one_way ? wire::kFlagOneWay : 0));
}

}  // namespace

Errc Session::check_open(const RequestOut& request) const noexcept {
  if (request.one_way && (request.stream || !request.end)) return Errc::invalid_argument;
  if (!request.stream && !request.end) return Errc::invalid_argument;
  if (request.path.size() > peer_.path_bytes_max) return Errc::path_too_long;
  if (request.headers.size() > peer_.header_block_bytes_max) return Errc::headers_too_long;
  if (request.payload.size() > peer_.payload_bytes_max) return Errc::payload_too_long;
  if (!request.path_is_utf8 && !wire::valid_utf8(request.path)) return Errc::path_not_utf8;
  if (naive_ && request.stream) return Errc::naive_peer;
  const std::size_t fields = request.path.size() + request.headers.size() + wire::kV1LengthsBytes;
  // Pieces need some room behind the fields of the first.
  if (!naive_ && fields + wire::kPiecesTotalBytes >= frame_bytes_max_) {
    return Errc::headers_too_long;
  }
  return Errc::ok;
}

Result<std::uint32_t> Session::open(RequestOut& request, void* user) {
  if (state_ != State::ready) {
    return spanwire::fail(state_ == State::draining ? Errc::draining : Errc::not_connected);
  }
  if (const Errc code = check_open(request); code != Errc::ok) return spanwire::fail(code);
  Stream* stream = has_waiting_room(request.payload.size()) ? streams_.allocate() : nullptr;
  if (stream == nullptr) {
    free_wanted_ = true;
    wait_for_process(request.payload.size());
    return spanwire::fail(Errc::queue_full);
  }
  if (streams_.open() == 1) wake_by(last_received_ + ping_after());
  stream->user = user;
  if (request.stream) stream->set(kStreaming);
  if (request.end) stream->set(kLocalEnd);
  if (request.one_way) stream->set(kOneWay | kRemoteEnd);
  const std::uint32_t id = stream->id;
  wire::OutFrame frame;
  frame.header.stream_id = id;
  frame.header.type = static_cast<std::uint8_t>(FrameType::request);
  frame.header.flags = flags_of(request);
  frame.first = bytes_of(request.path);
  frame.headers = request.headers;
  frame.payload_total = static_cast<std::uint32_t>(request.payload.size());
  frame.payload = std::move(request.payload);
  send_body(*stream, frame);
  // A small payload has been copied and is the caller's again.
  request.payload = std::move(frame.payload);
  return id;
}

// The connection's first body may always wait, however large, where the process has room for it.
bool Session::has_waiting_room(std::size_t bytes) noexcept {
  if (!process_has_room(bytes)) {
    count_process_refusals.add();
    return false;
  }
  if (waiting_bytes_ == 0) return true;
  return bytes <= options_.limits.queued_bytes_max &&
         waiting_bytes_ <= options_.limits.queued_bytes_max - bytes;
}

// Where other sessions hold what so many bytes would need: nobody tells us when they give it back.
void Session::wait_for_process(std::size_t bytes) noexcept {
  if (process_has_room(bytes)) return;
  if (process_wanted_ != 0) {
    process_wanted_ = std::min(process_wanted_, bytes);
    return;
  }
  process_wanted_ = bytes;
  process_look_ = kLook;
  process_look_at_ = now_.monotonic + process_look_;
  wake_by(process_look_at_);
}

// Ever more seldom: a wait is at most twice as long as it had to be, by kLookLongest at most.
void Session::look_at_process() noexcept {
  if (process_has_room(process_wanted_)) {
    process_wanted_ = 0;
  } else if (process_look_at_ <= now_.monotonic) {
    process_look_ = std::min(process_look_ * 2, kLookLongest);
    process_look_at_ = now_.monotonic + process_look_;
  }
}

bool Session::cancel(std::uint32_t id, Errc reason) {
  Stream* stream = streams_.find(id);
  if (stream == nullptr || closed() || !client()) return false;
  stream->user = nullptr;
  if (stream->has(kCancelled)) return false;
  const bool unfinished = stream->waits();
  const bool unsent = !stream->has(kBegun);
  drop_outgoing(*stream, Keep::nothing);
  const bool one_way = stream->has(kOneWay);
  // A one-way request that has been written has nothing to wait for; a naive peer knows no cancel.
  const bool tell = !unsent && !naive_ && (!one_way || unfinished);
  if (tell) send_control(FrameType::cancel, id, wire::encode_cancel(reason));
  if (unsent || (one_way && unfinished)) {
    free_stream(*stream);
    free_untold_ = free_wanted_;
    if (free_untold_) wake_by(now_.monotonic);
  } else {
    stream->set(kCancelled | kLocalEnd);
    drop_assembly(*stream);
  }
  pump();
  check_drained();
  return unsent;
}

Result<bool> Session::write(std::uint32_t id, Slice& data, bool end) {
  Stream* stream = streams_.find(id);
  if (stream == nullptr || closed()) return spanwire::fail(Errc::stream_closed);
  if (!stream->has(kStreaming)) return spanwire::fail(Errc::not_supported);
  if (stream->has(kLocalEnd | kReplied | kCancelled)) return spanwire::fail(Errc::stream_closed);
  if (data.size() > peer_.payload_bytes_max) return spanwire::fail(Errc::payload_too_long);
  const bool only_ends = data.empty() && end;
  const bool takes = only_ends || writable(*stream);
  if (!takes || (!only_ends && !has_waiting_room(data.size()))) {
    flow_of(*stream).wants_writable = true;
    room_wanted_ = room_wanted_ || takes;
    if (takes) wait_for_process(data.size());
    return false;
  }
  if (end) stream->set(kLocalEnd);
  wire::OutFrame frame;
  frame.header.stream_id = id;
  frame.header.type = static_cast<std::uint8_t>(FrameType::data);
  frame.header.flags = end ? wire::kFlagEnd : std::uint8_t{0};
  frame.payload_total = static_cast<std::uint32_t>(data.size());
  frame.payload = std::move(data);
  send_body(*stream, frame);
  data = Slice();
  return true;
}

void Session::grant(std::uint32_t id, std::size_t bytes) {
  Stream* stream = streams_.find(id);
  if (stream == nullptr || stream->flow == nullptr || closed()) return;
  Flow& flow = *stream->flow;
  const std::uint64_t read = std::min<std::uint64_t>(bytes, flow.unread);
  flow.unread -= read;
  held_bytes_ -= read;
  const std::uint64_t paid_back = std::min(read, flow.lent);
  flow.lent -= paid_back;
  owe_stream_credit(*stream, read - paid_back);
  return_connection_credit();
}

// Credit goes back in batches: one window frame for a quarter of the window.
void Session::owe_stream_credit(Stream& stream, std::uint64_t bytes) {
  Flow& flow = *stream.flow;
  flow.owed += bytes;
  if (flow.owed == 0 || flow.owed < options_.limits.stream_window_bytes / 4) return;
  if (stream.has(kRemoteEnd | kReplied | kCancelled | kDeaf)) return;
  const std::uint64_t given = flow.owed;
  flow.owed = 0;
  give_stream_credit(stream, given);
}

void Session::give_stream_credit(Stream& stream, std::uint64_t bytes) {
  stream.flow->receive_credit += static_cast<std::int64_t>(bytes);
  send_control(FrameType::window, stream.id,
               wire::encode_window(static_cast<std::uint32_t>(bytes)));
}

void Session::attach(std::uint32_t id, void* user) noexcept {
  if (Stream* stream = find(id); stream != nullptr) stream->user = user;
}

void Session::head(std::uint32_t id, ByteView headers) {
  Stream* stream = streams_.find(id);
  if (stream == nullptr || closed() || naive_) return;
  if (stream->has(kHeaded | kReplied | kCancelled)) return;
  stream->set(kHeaded);
  wire::OutFrame frame;
  frame.header.stream_id = id;
  frame.header.type = static_cast<std::uint8_t>(FrameType::head);
  // Headers that the peer does not take are lost; that the handler has started is not.
  const bool fits =
      headers.size() <= peer_.header_block_bytes_max && headers.size() <= frame_bytes_max_;
  if (fits) frame.headers = headers;
  send_body(*stream, frame);
}

void Session::reply(std::uint32_t id, ReplyOut& reply) {
  Stream* stream = find(id);
  if (stream == nullptr || closed() || stream->has(kReplied)) return;
  stream->user = nullptr;
  if (stream->has(kOneWay)) {
    free_stream(*stream);
    return_connection_credit();
    return check_drained();
  }
  unpin(*stream);
  stream->set(kReplied | kLocalEnd);
  drop_assembly(*stream);
  std::array<std::byte, wire::kReplyFixedBytes + wire::kReplyMessageBytesMax> fixed;
  wire::OutFrame frame;
  frame.header.stream_id = id;
  frame.header.type = static_cast<std::uint8_t>(FrameType::reply);
  frame.header.flags = reply.not_started ? wire::kFlagNotStarted : std::uint8_t{0};
  frame.first = fill_reply(*stream, reply, frame, fixed.data());
  send_body(*stream, frame);
  reply.payload = std::move(frame.payload);
  // It may have been kept back because of what this stream held.
  return_connection_credit();
  check_drained();
}

// A reply that the peer cannot take, or that there is no room for, becomes one that says so.
ByteView Session::fill_reply(const Stream& stream, ReplyOut& reply, wire::OutFrame& frame,
                             std::byte* out) {
  wire::ReplyFixed fixed;
  fixed.status = reply.status;
  fixed.received_ns = stream.mark;
  fixed.duration_ns = static_cast<std::uint64_t>(reply.duration.count());
  fixed.message = wire::clip_utf8(reply.message, wire::kReplyMessageBytesMax);
  const std::size_t fields = wire::reply_fixed_bytes(fixed.message) + kFieldsOfReply;
  if (reply.payload.size() > peer_.payload_bytes_max) {
    fixed.status = kStatusResourceExhausted;
    fixed.message = "the reply is longer than the caller takes";
  } else if (!has_waiting_room(reply.payload.size())) {
    ++counters_.over_budget;
    fixed.status = kStatusResourceExhausted;
    fixed.message = "too many bytes are waiting for the caller";
  } else if (reply.headers.size() > peer_.header_block_bytes_max ||
             (!naive_ &&
              fields + reply.headers.size() + wire::kPiecesTotalBytes >= frame_bytes_max_)) {
    fixed.status = kStatusInternal;
    fixed.message = "the reply's headers are longer than the caller takes";
  } else {
    frame.headers = reply.headers;
    frame.payload_total = static_cast<std::uint32_t>(reply.payload.size());
    frame.payload = std::move(reply.payload);
  }
  return {out, wire::encode_reply_fixed(fixed, out)};
}

void Session::settle_one_ways() {
  const std::uint64_t submitted = sink_.bytes_submitted();
  std::size_t done = 0;
  while (done < written_one_ways_.size() && written_one_ways_[done].end <= submitted) ++done;
  if (done == 0) return;
  std::vector<WrittenOneWay> written(written_one_ways_.begin(),
                                     written_one_ways_.begin() + static_cast<std::ptrdiff_t>(done));
  written_one_ways_.erase(written_one_ways_.begin(),
                          written_one_ways_.begin() + static_cast<std::ptrdiff_t>(done));
  for (const WrittenOneWay& one_way : written) {
    Stream* stream = streams_.find(one_way.id);
    if (stream == nullptr) continue;
    void* const user = stream->user;
    free_stream(*stream);
    if (user == nullptr) continue;
    ReplyIn reply;
    events_.on_reply(user, reply);
    if (closed()) return;
  }
}

}  // namespace spanwire::session
