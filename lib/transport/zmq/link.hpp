// ZmqCore: what both ends of a ZeroMQ connection have in common as a Link, whatever socket it
// shares (ROUTER) or has alone (DEALER).
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "lib/transport/incoming.hpp"
#include "lib/transport/ref.hpp"
#include "lib/transport/zmq/message.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/transport/zmq.hpp"

namespace spanwire::transport {

namespace detail {
struct ZmqCloseJob : Job {
  using Job::Job;
};
struct ZmqWritableJob : Job {
  using Job::Job;
};
struct ZmqParkedJob : Job {
  using Job::Job;
};
}  // namespace detail

// The part that survives the Link while jobs and libzmq point at it.  Only on its loop.
class ZmqCore : public RefCounted,
                private Timer,
                private detail::ZmqCloseJob,
                private detail::ZmqWritableJob,
                private detail::ZmqParkedJob {
 public:
  // ---- The Link

  void start(LinkEvents& events);
  void send(wire::OutFrame& frame);
  void pause_reading(bool paused);
  void close(const Error& cause);
  void linger_until(MonotonicTime deadline) noexcept { linger_until_ = deadline; }
  // The Link is gone: no event may follow.
  void abandon();
  std::size_t queued_bytes() const noexcept { return queued_bytes_; }
  std::uint64_t bytes_taken() const noexcept { return taken_; }
  std::uint64_t bytes_submitted() const noexcept { return submitted_; }
  const LinkInfo& info() const noexcept { return info_; }

  // ---- The socket

  // A message of the peer, without what the socket put in front.
  void deliver(std::span<ZmqPart> parts);
  // The connection went without a farewell; what it had sent before has been delivered.
  void gone();
  // A peer's queue may have room again.
  void retry() noexcept;
  bool ended() const noexcept { return state_ == State::closed; }
  bool blocked() const noexcept { return blocked_; }

 protected:
  ZmqCore(Loop& loop, LinkInfo info, const ZmqOptions& options,
          std::chrono::nanoseconds write_timeout, LinkLease lease);

  // Puts in front of a message what the socket wants there.
  virtual void add_envelope(ZmqOut& message) = 0;
  virtual ZmqSent hand_over(std::span<ZmqPart> message) = 0;
  // Messages wait for room at the peer: retry() is wanted.
  virtual void on_blocked() {}
  // Reads again.
  virtual void on_resumed() {}
  // The link has ended; once.
  virtual void on_finished(const Error& cause) = 0;

  // Whether messages are wanted now; one that is closing waits for a farewell.
  bool listening() const noexcept {
    return state_ == State::closing || (!paused_ && events_ != nullptr);
  }
  // The peer sent a request and no hello: a script.
  bool naive() const noexcept { return naive_; }
  void set_naive() noexcept { naive_ = heard_ = true; }
  // The peer has said that nothing follows.
  bool peer_left() const noexcept { return peer_left_; }
  bool connection_gone() const noexcept { return connection_gone_; }
  // Tells the peer that nothing follows, past everything that waits.
  void say_farewell();
  LinkInfo& own_info() noexcept { return info_; }
  const ZmqOptions& options() const noexcept { return options_; }
  MonotonicTime linger_until() const noexcept { return linger_until_; }
  Loop& loop() noexcept { return loop_; }
  void finish(Error cause) noexcept;

 private:
  enum class State : std::uint8_t { open, closing, closed };

  ZmqSent hand_over_with_payload(ZmqOut& message);
  void wait_behind(ZmqOut&& message);
  void lost_connection();
  ZmqOut farewell();
  bool owes_farewell() const noexcept;
  void park(std::span<ZmqPart> parts);
  void take(std::span<ZmqPart> parts);
  void deliver_parked();
  void post_parked();
  void flush() noexcept;
  void wait_for_room(bool progress);
  void written();
  void check_low_water();
  static void run_parked(Job* job) noexcept;
  static void deliver_writable(Job* job) noexcept;
  static void deliver_closed(Job* job) noexcept;
  static void write_timer_fired(Timer* timer) noexcept;

  Loop& loop_;
  LinkInfo info_;
  ZmqOptions options_;
  std::chrono::nanoseconds write_timeout_;
  LinkLease lease_;
  std::shared_ptr<ZmqFlight> flight_;
  LinkEvents* events_ = nullptr;
  State state_ = State::open;
  bool paused_ = false;
  bool blocked_ = false;  // the queue waits for room at the peer
  bool above_high_ = false;
  bool writable_posted_ = false;
  bool parked_posted_ = false;
  bool heard_ = false;  // a message has come
  bool naive_ = false;
  bool peer_left_ = false;
  bool connection_gone_ = false;
  std::uint64_t taken_ = 0;
  std::uint64_t submitted_ = 0;
  std::deque<ZmqOut> queue_;  // found no room
  std::size_t queued_bytes_ = 0;
  std::deque<std::vector<ZmqPart>> parked_;  // came while the link did not read
  std::size_t parked_bytes_ = 0;
  MonotonicTime progress_at_;
  MonotonicTime linger_until_;
  Error cause_;
};

// What the peer did to the protocol, as opposed to what a network, a clock or an operator did.
constexpr bool is_protocol_error(Errc code) noexcept {
  return code >= Errc::truncated && code < Errc::handshake_timeout;
}

// The Link over a core.
std::unique_ptr<Link> make_zmq_link(Ref<ZmqCore> core);

}  // namespace spanwire::transport
