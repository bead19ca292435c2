// What a session tells its owner, and what it counts.
#pragma once

#include <cstdint>

#include "spanwire/base/result.hpp"
#include "spanwire/session/messages.hpp"

namespace spanwire::session {

// What happened, for whoever inspects or publishes it.  Plain numbers: one thread.
struct Counters {
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t requests = 0;          // begun here (client) or received (server)
  std::uint64_t frames_waited = 0;     // bodies that could not leave at once
  std::uint64_t credit_waits = 0;      // times that sending stopped for want of credit
  std::uint64_t unknown_types = 0;     // frames of a later version, skipped
  std::uint64_t late_frames = 0;       // for a stream that has ended: dropped
  std::uint64_t unasked_replies = 0;   // to a stream that has ended: answered twice, or not asked
  std::uint64_t damaged_messages = 0;  // refused, the connection goes on
  std::uint64_t over_budget = 0;       // bodies refused for want of memory
  std::uint64_t requests_behind_goaway = 0;
  std::uint64_t pings = 0;  // sent
  std::uint64_t naive_peers = 0;
  std::uint64_t peer_restarts = 0;
};

// What a session tells its owner.  `user` is what was given for the stream; events of a stream
// without one are not delivered.  Any of these may call back into the session, but not destroy it.
class SessionEvents {
 public:
  // The peer's hello has come (or is not needed).
  virtual void on_ready() = 0;
  // No more streams can be opened: this side or the peer drains.
  virtual void on_draining() = 0;
  // Streams or byte budget are free again after open() had failed with queue_full.
  virtual void on_free() = 0;

  // Server: a request came in.  attach() or reply() may be called in here or later.
  virtual void on_request(RequestIn& request) = 0;
  // Server: a request came in, and the session itself refused it (or dropped a one-way one): behind
  // the goaway, damaged, or for want of memory.  No on_request comes for it.
  virtual void on_refused() = 0;
  // Server: the caller gave up; a reply is still owed.
  virtual void on_cancel(void* user, Errc reason) = 0;

  // Client: the handler has started to answer.
  virtual void on_head(void* user, ByteView headers) = 0;
  // Client: the stream has ended, and its id is free for another.
  virtual void on_reply(void* user, ReplyIn& reply) = 0;

  virtual void on_data(void* user, Body& data, bool end) = 0;
  // After a write() that was refused.
  virtual void on_writable(void* user) = 0;
  // The stream has ended without a reply.
  virtual void on_lost(void* user, const Error& cause, Progress progress) = 0;

  // Reading should stop, or go on: too much is waiting to be sent.
  virtual void on_pause(bool paused) = 0;
  // Last event but for those of user code that runs in it: every stream has ended.  What the link
  // has should still be written, then the connection closed.
  virtual void on_end(const Error& cause) = 0;

 protected:
  ~SessionEvents() = default;
};

}  // namespace spanwire::session
