// Listener: connections that come in, as Links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "spanwire/base/result.hpp"
#include "spanwire/transport/address.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/transport/loop.hpp"
#include "spanwire/transport/zmq.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::transport {

inline constexpr std::size_t kConnectionsMax = 16'384;
inline constexpr int kListenBacklog = 1'024;
// Where the process has no descriptor left, a listener on sockets gives up one that it keeps for
// this, takes the connection and closes it: the peer learns at once that it must go elsewhere, and
// the backlog does not fill with peers that wait for an answer.  Where not even that works (no
// memory; somebody else took the descriptor), accepting rests for so long and then is tried again.
inline constexpr std::chrono::nanoseconds kAcceptPause = std::chrono::milliseconds(100);

struct ListenOptions {
  // Open at once; more are closed at once, counted, and said in the log.
  std::size_t connections_max = kConnectionsMax;
  int backlog = kListenBacklog;
  std::chrono::nanoseconds write_timeout = wire::kWriteTimeout;
  ZmqOptions zmq;  // of zmq addresses
};

// A connection that was accepted and belongs to no loop yet.  Dropping it closes the connection.
// Movable to any thread; a value otherwise used by one.
class Incoming {
 public:
  struct Connection;  // what it holds

  Incoming() noexcept;
  explicit Incoming(std::unique_ptr<Connection> connection) noexcept;
  Incoming(Incoming&&) noexcept;
  Incoming& operator=(Incoming&&) noexcept;
  ~Incoming();

  // The loop that it must be opened on, because its socket is shared there (zmq); null: on any.
  Loop* home() const noexcept;
  // The link, not started, on `loop`, in whose turn this is called.  Once.
  Result<std::unique_ptr<Link>> open(Loop& loop);

 private:
  std::unique_ptr<Connection> connection_;
};

class AcceptEvents {
 public:
  // On the listener's loop.  May close the listener, not destroy it.
  virtual void on_accept(Incoming incoming) = 0;
  // Connections are refused, or accepting rests, because of `error`, which the system said; called
  // once until a connection was accepted again.
  virtual void on_shortage(const Error& /*error*/) {}

 protected:
  ~AcceptEvents() = default;
};

// Numbers of one listener since its start.
struct ListenStats {
  std::uint64_t accepted = 0;
  std::uint64_t refused =
      0;                     // closed at once: connections_max were open, or no descriptor was left
  std::uint64_t pauses = 0;  // of kAcceptPause, for want of descriptors or memory
};

// Only on its loop.
class Listener {
 public:
  virtual ~Listener() = default;

  // Where it really listens: with the port that the system chose for port 0.
  virtual const Address& address() const noexcept = 0;
  // No more connections; those that are open stay.  Idempotent; the destructor does it too.
  virtual void close() = 0;
  // The same; and what its links still have to write when they end is written until `deadline`, not
  // for as long as ZmqOptions::linger allows.  Other listeners do not linger.
  virtual void close_by(MonotonicTime /*deadline*/) { close(); }
  virtual const ListenStats& stats() const noexcept = 0;
  // Links of this listener that are open.
  virtual std::size_t connections() const noexcept = 0;
};

// Listens on `address` from now on; `events` outlives the listener or its close().  Called in a
// turn of `loop`, or before it runs.  A host name is looked up here and now; the first address that
// can be bound is taken;
// `*` is every address of the machine.  The file of a unix socket is replaced if nobody listens on
// it, and removed at close.  A zmq listener keeps its port until its last link has ended; whom it
// does not let in is told so at once.
// Fails with listen_failed, resolve_failed, already_exists (somebody listens there),
// invalid_argument (keys for a TCP address, over which nothing is encrypted) and the like of key
// files.
Result<std::unique_ptr<Listener>> listen(Loop& loop, const Address& address,
                                         const ListenOptions& options, AcceptEvents& events);

}  // namespace spanwire::transport
