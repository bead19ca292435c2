// Session: wire v2 as a state machine, for both roles.  Bytes, messages and time go in; frames go
// to a FrameSink, events to SessionEvents.  No I/O, no clock of its own, no thread. Protocol:
// proto-spec/v2.md; as multipart messages: proto-spec/multipart.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/session/events.hpp"
#include "spanwire/session/messages.hpp"
#include "spanwire/session/stream_table.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame.hpp"
#include "spanwire/wire/frame_reader.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/out_frame.hpp"

namespace spanwire::wire {
struct InParts;
}

namespace spanwire::session {

enum class Role : std::uint8_t { client, server };

inline constexpr std::chrono::nanoseconds kPingIntervalMin = std::chrono::seconds(5);

struct SessionOptions {
  Role role = Role::client;
  bool multipart = false;  // on_message instead of on_bytes
  // Client: the peer is known to have no hello.  (A server finds out by itself: a request without
  // hello, in multipart mode only.)
  bool naive_peer = false;
  std::uint64_t incarnation = 1;
  // Pings closer together than this are not welcome; the peer keeps to it.
  std::chrono::nanoseconds ping_interval_min = kPingIntervalMin;
  // Bodies wait here, not in the link, while the link has more than this.
  std::size_t link_queue_bytes_max = 256u << 10;
  // Whole requests and replies in good order take a shorter way through the session.  It decides as
  // the other does: tests compare the two.
  bool short_way = true;
  wire::Limits limits;
};

// Time as of one batch of input.
struct Now {
  MonotonicTime monotonic;
  WallTime wall;
};

enum class State : std::uint8_t {
  handshake,  // no stream can be opened yet
  ready,
  draining,  // this side or the peer takes no new requests
  closed,
};

// One thread.  `sink` and `events` outlive the session.
class Session final : private wire::PiecePlacer {
 public:
  Session(const SessionOptions& options, wire::FrameSink& sink, SessionEvents& events);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start(const Now& now);

  // ---- From the link

  // Where the next bytes should be read to; empty: anywhere, then on_bytes().
  MutableByteView read_target() noexcept { return reader_.target(); }
  void on_target_filled(std::size_t bytes, const Now& now);
  // `block` is what the bytes lie in, or null; large payloads are kept by keeping it.
  void on_bytes(ByteView bytes, Block* block, const Now& now);
  // Multipart mode: one message.  Parts may be moved from.
  void on_message(std::span<Slice> parts, const Now& now);
  // The link has little left to write.
  void on_link_writable();
  // The link is gone: every stream ends with `cause`.  on_end is not called.
  void on_link_closed(const Error& cause);

  // ---- Time

  // When on_timer() must be called at the latest; max() for never.
  MonotonicTime next_timer() noexcept;
  // True once after something made next_timer() earlier than it last said.
  bool timer_moved() noexcept {
    const bool moved = timer_moved_;
    timer_moved_ = false;
    return moved;
  }
  void on_timer(const Now& now);

  // ---- Client

  // Begins a request.  Fails with not_connected, draining, queue_full (no free stream, or the byte
  // budget is used up: on_free comes), path_too_long, path_not_utf8, headers_too_long,
  // payload_too_long, naive_peer (a stream to a peer that has none), invalid_argument.
  Result<std::uint32_t> open(RequestOut& request, void* user);
  // Gives the request up: its user hears no more.  True: nothing had been sent and the stream is
  // gone.  False: the peer is told, its reply will free the stream.
  bool cancel(std::uint32_t id, Errc reason);
  // One-way requests that have been written end here; call it after the link has been flushed.
  void settle_one_ways();
  bool one_ways_unsettled() const noexcept { return !written_one_ways_.empty(); }

  // ---- Server

  void attach(std::uint32_t id, void* user) noexcept;
  // The handler has started to answer; at most once, before data.
  void head(std::uint32_t id, ByteView headers);
  // Ends the stream; no event follows.  Does nothing if the stream has ended.
  void reply(std::uint32_t id, ReplyOut& reply);

  // ---- Both

  // Sends a message on a stream.  False: not taken, on_writable comes.  Fails with stream_closed,
  // payload_too_long, not_supported (the request was not made a stream).
  Result<bool> write(std::uint32_t id, Slice& data, bool end);
  // The user has consumed so many bytes of on_data.
  void grant(std::uint32_t id, std::size_t bytes);
  // Tells the peer in two steps, so that what either had sent is read; then, once the open requests
  // have ended, on_end(reason).  Client: no new requests.  Server: handles what was accepted.
  void drain(const Now& now, Errc reason = Errc::shutting_down);
  // Ends every stream with `cause` and the session itself; on_end comes before this returns.
  void close(const Error& cause);

  State state() const noexcept { return state_; }
  bool naive() const noexcept { return naive_; }
  std::size_t in_flight() const noexcept { return streams_.open() + one_ways_.open(); }
  // Bytes that wait here for credit or for the link.
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }
  // Bytes that came in and were not granted, bodies under way, and payloads that handlers keep.
  std::size_t held_bytes() const noexcept { return held_bytes_; }
  std::int64_t connection_send_credit() const noexcept { return send_credit_; }
  std::int64_t connection_receive_credit() const noexcept { return receive_credit_; }
  const Counters& counters() const noexcept { return counters_; }

 private:
  struct MessageParts;
  enum class Keep : std::uint8_t { nothing, reply };
  enum class Pumped : std::uint8_t { sent, no_stream_credit, no_connection_credit, no_place };

  // How often to look whether a one-way request has been written, or a stream has become free,
  // when nothing else happens.
  static constexpr std::chrono::nanoseconds kLook = std::chrono::milliseconds(2);
  // How seldom, at the end, to look whether the process has room for what was refused.
  static constexpr std::chrono::nanoseconds kLookLongest = std::chrono::milliseconds(100);

  bool client() const noexcept { return role_ == Role::client; }
  bool closed() const noexcept { return state_ == State::closed; }
  Stream* find(std::uint32_t id) noexcept {
    return (wire::StreamId{id}.server_side() ? one_ways_ : streams_).find(id);
  }
  std::uint64_t requests_received() const noexcept {
    return counters_.requests - requests_before_restart_;
  }

  // plain.cpp: the way of most frames.  False: nothing has happened, the general way takes it.
  // receive.cpp, multipart.cpp: bytes and messages -> frames.
  void read_frames(const Now& now);
  bool expect_preface(ByteView& bytes);
  void on_frame(wire::InFrame& frame);
  void on_first_frame(wire::InFrame& frame);
  void on_small_frame(const wire::InFrame& frame);
  bool take_plain(wire::InFrame& frame);
  bool take_plain_reply(wire::InFrame& frame);
  bool take_plain_request(wire::InFrame& frame);
  void on_body(wire::InFrame& frame);
  bool take_body(const wire::FrameHeader& header);
  Errc read_parts(const wire::FrameHeader& header, ByteView body, MessageParts& parts);
  void on_parts(const wire::FrameHeader& header, MessageParts& parts);
  bool admit_first_message(const wire::FrameHeader& header);
  void on_in_parts(wire::InParts& in);
  Errc check_parts(wire::FrameType type, MessageParts& parts) const;
  void after_input();

  // streams.cpp: frames of streams -> events.
  void on_request(const wire::FrameHeader& header, MessageParts& parts);
  Stream* move_one_way(Stream& stream);
  void dispatch(Stream& arrived, MessageParts& parts);
  void refuse(Stream& stream, Errc cause);
  void on_reply(const wire::FrameHeader& header, MessageParts& parts);
  void deliver_reply(Stream& stream, std::uint8_t flags, MessageParts& parts);
  void on_head(const wire::FrameHeader& header, ByteView headers);
  void on_data(const wire::FrameHeader& header, MessageParts& parts);
  bool take_stream_credit(Flow& flow, std::int64_t charge);
  void deliver_data(Stream& stream, MessageParts& parts);
  void on_cancel(const wire::FrameHeader& header, ByteView body);
  void give_up_receiving(Stream& stream, Errc cause);
  void on_unknown_stream(std::uint32_t id);

  // pieces.cpp: bodies in pieces, coming in.
  MutableByteView place(const wire::FrameHeader& header) noexcept override;
  void begin_assembly(Stream& stream, const wire::FrameHeader& header, MessageParts& parts);
  void refuse_assembly(Stream& stream, const wire::FrameHeader& header);
  void lend(Stream& stream);
  void on_piece(wire::InFrame& frame);
  void complete_assembly(Stream& stream);
  void drop_assembly(Stream& stream) noexcept;

  // calls.cpp: what users do.
  Errc check_open(const RequestOut& request) const noexcept;
  bool has_waiting_room(std::size_t bytes) noexcept;
  void wait_for_process(std::size_t bytes) noexcept;
  void look_at_process() noexcept;
  void owe_stream_credit(Stream& stream, std::uint64_t bytes);
  void give_stream_credit(Stream& stream, std::uint64_t bytes);
  ByteView fill_reply(const Stream& stream, ReplyOut& reply, wire::OutFrame& frame, std::byte* out);

  // send.cpp: bodies going out.
  std::size_t body_bytes(const wire::OutFrame& frame) const noexcept;
  std::size_t frame_bytes_max(wire::FrameType type) const noexcept;
  bool fits_one_frame(const wire::OutFrame& frame, std::size_t bytes) const noexcept;
  std::size_t charge_of(wire::FrameType type, std::size_t bytes) const noexcept;
  static std::int64_t stream_charge(std::uint8_t flags, std::size_t body_bytes) noexcept;
  Pumped check_credit(Stream& stream, const wire::OutFrame& frame, wire::FrameType type,
                      std::size_t charge);
  void send_body(Stream& stream, wire::OutFrame& frame);
  void transmit(Stream& stream, wire::OutFrame& frame, std::size_t charge);
  void enqueue(Stream& stream, wire::OutFrame& frame);
  void pump();
  Pumped send_next(Stream& stream);
  std::size_t begin_body(Outgoing& out, wire::OutFrame& frame);
  void sent_whole(Stream& stream, wire::FrameType type);
  void pop_outgoing(Stream& stream) noexcept;
  void drop_outgoing(Stream& stream, Keep keep) noexcept;
  void add_waiting(std::size_t bytes) noexcept;
  void take_waiting(std::size_t bytes) noexcept;
  bool writable(const Stream& stream) const noexcept;
  void deliver_writable();
  void list_writable();
  void update_pause();

  // ring.cpp: whose turn it is to send.
  void join_ring(Stream& stream) noexcept;
  void leave_ring(Stream& stream) noexcept;
  bool room_in_pieces(const Outgoing& out) const noexcept;
  void give_place(Outgoing& out) noexcept;
  bool find_place(Stream& stream) noexcept;
  void leave_place(Outgoing& out) noexcept;
  void call_up_line() noexcept;

  // ends.cpp: how streams and the session end.
  Flow& flow_of(Stream& stream);
  void drop_flow(Stream& stream) noexcept;
  void free_stream(Stream& stream) noexcept;
  void hold(std::size_t bytes) noexcept;
  void unhold(std::size_t bytes) noexcept;
  bool pin(Stream& stream, std::size_t bytes) noexcept;
  void unpin(Stream& stream) noexcept;
  bool room_for(std::size_t bytes) const noexcept;
  void end_stream(Stream& stream, const Error& cause, Progress progress);
  void end_not_started(Stream& stream);
  Progress progress_of(const Stream& stream) const noexcept;
  void end_all(const Error& cause);
  void fail(Errc code);
  void end(const Error& cause, Errc reason);

  // control.cpp: what concerns the connection.
  void send_control(wire::FrameType type, std::uint32_t id, ByteView body);
  void send_hello();
  void on_hello(ByteView body);
  void become_ready(const wire::Hello& peer);
  void become_naive();
  void on_restart(const wire::Hello& peer);
  void on_window(const wire::FrameHeader& header, ByteView body);
  void return_connection_credit();
  void on_ping(ByteView body);
  void answer_waiting_ping();
  void send_ping(bool for_drain);
  void on_pong(ByteView body);
  void send_goaway(std::uint64_t accepted, Errc reason, std::string_view text);
  void on_goaway(ByteView body);
  void take_back_behind(std::uint64_t accepted);
  void finish_drain_step();
  void check_drained();

  // time.cpp
  void wake_by(MonotonicTime at) noexcept {
    if (at < told_timer_) timer_moved_ = true;
  }
  std::chrono::nanoseconds ping_after() const noexcept;
  void check_silence();
  void check_idle();

  wire::FrameSink& sink_;
  SessionEvents& events_;
  Role role_;
  bool multipart_;
  bool naive_ = false;
  State state_ = State::handshake;
  bool pumping_ = false;
  bool pump_wanted_ = false;  // credit came: more may leave
  bool free_wanted_ = false;  // an open() was refused
  bool free_untold_ = false;  // and a stream became free in a user's own call
  bool room_wanted_ = false;  // a write was refused because of what waits
  bool paused_ = false;
  bool timer_moved_ = false;
  bool was_busy_ = false;     // a stream ended since the last look at idleness
  bool second_look_ = false;  // the pong is late
  bool hello_sent_ = false;
  bool hello_again_ = false;  // the peer answers once more
  bool pong_waits_ = false;

  // Sending.
  std::int64_t send_credit_ = 0;
  std::size_t frame_bytes_max_ = 0;       // of any body towards the peer
  std::size_t data_frame_bytes_max_ = 0;  // of a stream's data
  std::size_t link_queue_bytes_max_;
  Stream* ring_ = nullptr;  // streams that have something to send; the next one's turn
  Stream* line_ = nullptr;  // streams whose next body may not begin yet: it would go in pieces
  std::size_t bodies_in_pieces_ = 0;
  std::size_t bytes_in_pieces_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t requests_sent_ = 0;
  wire::Hello peer_;
  std::vector<std::uint32_t> maybe_writable_;
  struct WrittenOneWay {
    std::uint32_t id;
    std::uint64_t end;  // in the link's bytes
  };
  std::vector<WrittenOneWay> written_one_ways_;

  // Receiving.
  wire::FrameReader reader_;
  std::size_t preface_seen_ = 0;
  std::int64_t receive_credit_ = 0;
  std::uint64_t owed_ = 0;  // received, not yet given back as credit
  std::size_t held_bytes_ = 0;
  Block* placed_ = nullptr;  // keeps alive what the reader writes a piece to
  std::uint64_t requests_before_restart_ = 0;

  StreamTable streams_;
  StreamTable one_ways_;  // server: one-way requests whose handler runs; no such id is on the wire

  // Time.
  Now now_{};
  MonotonicTime told_timer_ = MonotonicTime::max();
  MonotonicTime handshake_by_ = MonotonicTime::max();
  MonotonicTime last_received_{};
  MonotonicTime frame_begun_ = MonotonicTime::max();
  MonotonicTime ping_sent_ = MonotonicTime::max();
  MonotonicTime idle_since_{};
  // What was refused because of what other sessions hold: its bytes, 0 for none; when to look next.
  std::size_t process_wanted_ = 0;
  MonotonicTime process_look_at_{};
  std::chrono::nanoseconds process_look_{};
  std::uint64_t ping_token_ = 0;        // of the keepalive ping that is not answered; 0: none
  std::uint64_t drain_ping_token_ = 0;  // likewise
  std::uint64_t next_token_ = 1;
  std::uint64_t pong_owed_ = 0;

  // Draining.
  bool local_drain_ = false;
  bool final_goaway_sent_ = false;
  bool peer_goaway_ = false;
  Errc drain_reason_ = Errc::shutting_down;
  MonotonicTime drain_by_ = MonotonicTime::max();
  std::uint64_t accepted_ = wire::kGoawayAcceptsAll;       // what we told the peer
  std::uint64_t peer_accepted_ = wire::kGoawayAcceptsAll;  // what the peer told us
  std::string peer_says_;                                  // why it goes

  SessionOptions options_;
  Counters counters_;
};

}  // namespace spanwire::session
