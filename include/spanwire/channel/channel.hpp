// Channel: the seam below rpc.  Moves calls: opens them, carries their data, credit, cancellation
// and end.  v2 over any link is one kind; v1 (Dynamo's request plane) is another.  A handler and a
// client never see which.  Everything here happens on the channel's executor: calls into a channel,
// and its events.  Whatever event may run user code is the last thing that the channel does before
// it reads its own state again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/session/messages.hpp"

namespace spanwire::channel {

// A call on one channel; meaningless on another.
using CallId = std::uint32_t;

// What calls are made of is the session's: v2 hands it on as it is, other channels fill it in.
using session::Progress;
using session::ReplyIn;
using session::ReplyOut;
using session::RequestIn;
using session::RequestOut;
using InBody = session::Body;

enum class WriteResult : std::uint8_t {
  ok,    // taken
  full,  // not taken: credit or queue are used up; on_writable comes
};

// ---- The side that calls
// --------------------------------------------------------------------------

// One call's events.  on_reply or on_lost is the last, exactly one of them, exactly once; none
// follows cancel().  A one-way call ends with an on_reply of status ok in a later turn than open().
class CallSink {
 public:
  virtual void on_head(ByteView headers) = 0;  // the handler has started to answer
  virtual void on_data(InBody data, bool end) = 0;
  virtual void on_writable() = 0;  // after WriteResult::full
  virtual void on_reply(ReplyIn& reply) = 0;
  virtual void on_lost(const Error& cause, Progress progress) = 0;

 protected:
  ~CallSink() = default;
};

enum class State : std::uint8_t {
  handshake,  // no call can be opened yet
  ready,
  draining,  // the peer or this side takes no new calls; open ones finish
  closed,
};

class ClientChannelEvents {
 public:
  virtual void on_ready() = 0;
  virtual void on_draining() = 0;
  // Streams are free again after open() had failed with queue_full.
  virtual void on_free() = 0;
  // Last event; every call has had its on_lost before.  The channel may be destroyed in here.
  virtual void on_closed(const Error& cause) = 0;

 protected:
  ~ClientChannelEvents() = default;
};

struct ChannelInfo {
  std::string protocol;  // "v2", "v1"
  std::string scheme;    // "tcp", "unix", "memory"
  std::string peer;      // "10.0.0.7:7001"
  std::string local;
};

class ClientChannel {
 public:
  virtual ~ClientChannel() = default;

  virtual void start(ClientChannelEvents& events) = 0;
  virtual State state() const noexcept = 0;
  // Takes the call; `sink` stays valid until its last event or cancel(), and hears nothing before
  // open() has returned.  A payload below wire::kCopyPayloadBelow is copied and stays in `request`,
  // a larger one may be moved from.  Fails and has sent nothing with queue_full (no free stream or
  // byte budget), not_connected, draining, payload_too_long, path_too_long, headers_too_long,
  // not_supported (v1 carries no streams).
  virtual Result<CallId> open(RequestOut& request, CallSink& sink) = 0;
  virtual Result<WriteResult> write(CallId id, Slice& data, bool end) = 0;
  // The reader has consumed so many bytes of on_data (1 for an empty message): gives the peer
  // credit for as many.
  virtual void grant(CallId id, std::size_t bytes) = 0;
  // Gives the call up.  Its sink hears no more in either case and may go; the channel itself waits
  // for the peer's end of the stream.  True: nothing had been sent.  False: the peer is told.
  virtual bool cancel(CallId id, Errc reason) = 0;
  virtual std::size_t in_flight() const noexcept = 0;
  // No new calls; closes once the open ones have ended and (v2) the peer has read all that was
  // sent.
  virtual void drain() = 0;
  // Every open call ends with on_lost(cause); on_closed follows.
  virtual void close(const Error& cause) = 0;
  // As transport::Link::linger_until.
  virtual void linger_until(MonotonicTime deadline) = 0;
  // Bytes that the link has taken and still has to write.
  virtual std::size_t unwritten_bytes() const noexcept = 0;
  virtual const ChannelInfo& info() const noexcept = 0;
};

// ---- The side that serves
// -------------------------------------------------------------------------

// One served call's events, from attach() until reply() returned or on_lost came.
class ServedCallSink {
 public:
  virtual void on_data(InBody data, bool end) = 0;
  virtual void on_writable() = 0;
  // The caller gave up; a reply is still owed.
  virtual void on_cancel(Errc reason) = 0;
  // The connection is gone: nothing can be sent, no event follows.
  virtual void on_lost(const Error& cause) = 0;

 protected:
  ~ServedCallSink() = default;
};

class ServerChannel;

class ServerChannelEvents {
 public:
  // A call came in.  Either reply() or attach() happens in here.
  virtual void on_request(ServerChannel& channel, RequestIn& request) = 0;
  // A call came in, and the channel itself refused it: it drains, or the call is damaged or has no
  // room in the channel's budget.  No on_request comes for it.
  virtual void on_refused(ServerChannel& channel) = 0;
  // Last event; every attached call has had its on_lost before.  The channel may be destroyed in
  // here.
  virtual void on_closed(ServerChannel& channel, const Error& cause) = 0;

 protected:
  ~ServerChannelEvents() = default;
};

class ServerChannel {
 public:
  virtual ~ServerChannel() = default;

  virtual void start(ServerChannelEvents& events) = 0;
  virtual void attach(CallId id, ServedCallSink& sink) = 0;
  virtual void head(CallId id, ByteView headers) = 0;
  virtual Result<WriteResult> write(CallId id, Slice& data) = 0;
  virtual void grant(CallId id, std::size_t bytes) = 0;
  // Ends the call, exactly once; data written before goes out before.
  virtual void reply(CallId id, ReplyOut& reply) = 0;
  virtual std::size_t in_flight() const noexcept = 0;
  // Two-step goaway: no new calls are taken (later ones are answered not_started); closes once the
  // open ones have ended.
  virtual void drain() = 0;
  virtual void close(const Error& cause) = 0;
  virtual const ChannelInfo& info() const noexcept = 0;
};

}  // namespace spanwire::channel
