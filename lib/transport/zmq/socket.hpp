// ZmqSocket: a libzmq socket as part of a Loop.  libzmq's descriptor tells once that something
// happened, and any call on the socket may swallow that: so whoever is told drains the socket, and
// at the end of a turn that sent something after that the socket looks by itself.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib/transport/ref.hpp"
#include "lib/transport/zmq/part.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::transport {

class ZmqIoThread;
class ZmqSocket;
class ZmqUnfinished;

struct ZmqSocketOptions {
  // Messages that wait on each side of a connection: libzmq's high-water marks.
  int send_messages_max = 1'000;
  int receive_messages_max = 1'000;
  // A larger part ends its connection before it is stored.
  std::int64_t part_bytes_max = -1;
  // A tcp connection that brought more than so much of one message without its end is ended, where
  // a monitor watches; 0: no bound.
  std::uint64_t message_bytes_max = 0;
  // Called before the socket is bound or connected, for what must be set by then: security.  An
  // error of it is the error of open().
  std::function<Result<void>(ZmqSocket&)> configure;
};

// Told in a turn of the socket's loop.  The socket may be closed and released in there.
class ZmqSocketEvents {
 public:
  // Messages may be there, or a peer may have room again.  Receives until there is nothing more,
  // or calls look_again(), or, to leave them there, rest().
  virtual void on_zmq_ready() = 0;

 protected:
  ~ZmqSocketEvents() = default;
};

// A message that came in.  Reused from one to the next.
class ZmqMessage {
 public:
  // Parts that are kept: the longest message of ours with the identity and the delimiter in front,
  // and one more to be one too many.
  static constexpr std::size_t kPartsKept = 8;

  std::span<ZmqPart> parts() noexcept { return {parts_.data(), count_}; }
  // Parts behind those that are kept; they are gone.
  std::size_t surplus() const noexcept { return surplus_; }

 private:
  friend class ZmqSocket;
  std::array<ZmqPart, kPartsKept> parts_;
  std::size_t count_ = 0;
  std::size_t surplus_ = 0;
};

enum class ZmqSent : std::uint8_t {
  sent,         // all parts are libzmq's now
  full,         // the peer's queue is: none was taken
  unreachable,  // ROUTER: no connection has this identity; none was taken
  failed,       // the connection went while the parts were handed over: the message is lost
};

// Of the connection that it came over; below zero where that has none.
int descriptor_of(ZmqPart& part) noexcept;

// Only on its loop, which outlives it.  The loop holds the context until it is destroyed, so that
// what sockets still have to write has left by then.
class ZmqSocket final : public RefCounted {
 public:
  // `type` is ZMQ_DEALER and so on.  Fails with out_of_resources: the sentence says which.
  static Result<Ref<ZmqSocket>> open(Loop& loop, int type, const ZmqSocketOptions& options = {});

  // Fails with invalid_argument; the sentence names the option's number and libzmq's reason.
  Result<void> set(int option, int value);
  Result<void> set(int option, std::int64_t value);
  Result<void> set(int option, std::string_view bytes);
  // Fails with already_exists (somebody listens there) or listen_failed.
  Result<void> bind(const std::string& endpoint);
  // Takes no more connections there; those that are open stay.
  void unbind(const std::string& endpoint) noexcept;
  // Fails with connect_failed; that it succeeded means only that libzmq will try.
  Result<void> connect(const std::string& endpoint);
  // What it was really bound to: the port that the system chose for port 0.
  std::string last_endpoint() const;
  // Events of its connections, to be read from `endpoint` ("inproc://NAME") by a PAIR socket.
  Result<void> monitor(const std::string& endpoint);
  // Before the PAIR socket is closed: libzmq's own thread would wait for it at the next event.
  void stop_monitor() noexcept;

  // From now on `events` is told; in a turn.  It looks at once.
  void start(ZmqSocketEvents& events);
  // True if `message` is one; false if there is none now.
  bool receive(ZmqMessage& message);
  // One message; its parts are empty when it is sent.  After `full`, on_zmq_ready comes when there
  // is room again; not from a ROUTER, which has room for other peers: try again after a while.
  ZmqSent send(std::span<ZmqPart> parts);
  // on_zmq_ready comes again in a later step.
  void look_again();
  // Whether a whole message of anybody waits; on_zmq_ready comes in a later step.
  bool has_unread() noexcept;
  // Messages stay where they are: on_zmq_ready comes when something else has happened.
  void rest() noexcept {
    resting_ = true;
    ready_events();
  }

  // Nothing is told any more.  What was sent is written for `linger` more.  Idempotent; the
  // destructor closes without linger.
  void close(std::chrono::milliseconds linger) noexcept;
  bool closed() const noexcept { return handle_ == nullptr; }
  Loop& loop() noexcept { return loop_; }
  void* handle() noexcept { return handle_; }
  std::uint64_t message_bytes_max() const noexcept { return message_bytes_max_; }
  int receive_messages_max() const noexcept { return receive_messages_max_; }
  // Who is told of the messages that are received, while it asks; null: nobody.
  void tell_messages_to(ZmqUnfinished* unfinished) noexcept { unfinished_ = unfinished; }

 private:
  struct Wait;
  struct Ready;

  ZmqSocket(Loop& loop, int type, void* handle, ZmqIoThread& io_thread,
            const ZmqSocketOptions& options) noexcept;
  ~ZmqSocket() override;

  Result<void> set_raw(int option, const void* value, std::size_t size);
  Result<void> watch();
  // False if there is none now; flags of 0: it is there.
  bool receive_part(ZmqPart& part, int flags) noexcept;
  // The rest of a message; returns its number of parts.
  std::size_t skip_parts() noexcept;
  void arm();
  void tell();
  int ready_events() noexcept;
  void look_at_turn_end() noexcept;
  static void look(Job* job) noexcept;
  static void turn_ended(Job* job) noexcept;
  void look_at_burst() noexcept;
  void end_burst() noexcept;
  static void burst_timer_fired(Timer* timer) noexcept;

  struct OwnJob : Job {
    OwnJob(Run run_function, ZmqSocket& owner) noexcept : Job(run_function), socket(owner) {}
    ZmqSocket& socket;
  };
  struct BurstTimer : Timer {
    BurstTimer(Fire fire, ZmqSocket& owner) noexcept : Timer(fire), socket(owner) {}
    ZmqSocket& socket;
  };

  Loop& loop_;
  int type_;
  void* handle_;
  std::uint64_t message_bytes_max_;
  int receive_messages_max_;
  ZmqUnfinished* unfinished_ = nullptr;
  ZmqIoThread& io_thread_;
  std::unique_ptr<Wait> wait_;
  ZmqSocketEvents* events_ = nullptr;
  bool armed_ = false;
  bool monitored_ = false;
  bool sent_ = false;      // since the last receive()
  bool unheard_ = false;   // a send may have heard what nobody was told of
  bool resting_ = false;   // until the next receive()
  bool was_full_ = false;  // a send of this turn found no room
  bool look_posted_ = false;
  bool look_listed_ = false;
  OwnJob look_job_;
  OwnJob turn_end_;
  BurstTimer burst_timer_;
};

// "Address already in use", libzmq's own errors too.
std::string zmq_text(int error);

}  // namespace spanwire::transport
