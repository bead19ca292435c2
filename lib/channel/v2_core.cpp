#include "lib/channel/v2_core.hpp"

#include <string>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::channel {
namespace {

constinit NamedCounter frames_in("spanwire.session.frames_in");
constinit NamedCounter frames_out("spanwire.session.frames_out");
constinit NamedCounter requests("spanwire.session.requests");
constinit NamedCounter frames_waited("spanwire.session.frames_waited");
constinit NamedCounter credit_waits("spanwire.session.credit_waits");
constinit NamedCounter unknown_types("spanwire.session.unknown_types");
constinit NamedCounter late_frames("spanwire.session.late_frames");
constinit NamedCounter unasked_replies("spanwire.session.unasked_replies");
constinit NamedCounter damaged_messages("spanwire.session.damaged_messages");
constinit NamedCounter over_budget("spanwire.session.over_budget");
constinit NamedCounter behind_goaway("spanwire.session.requests_behind_goaway");
constinit NamedCounter pings("spanwire.session.pings");
constinit NamedCounter naive_peers("spanwire.session.naive_peers");
constinit NamedCounter peer_restarts("spanwire.session.peer_restarts");

struct Published {
  NamedCounter& counter;
  std::uint64_t session::Counters::* member;
};
constexpr Published kPublished[] = {
    {frames_in, &session::Counters::frames_in},
    {frames_out, &session::Counters::frames_out},
    {requests, &session::Counters::requests},
    {frames_waited, &session::Counters::frames_waited},
    {credit_waits, &session::Counters::credit_waits},
    {unknown_types, &session::Counters::unknown_types},
    {late_frames, &session::Counters::late_frames},
    {unasked_replies, &session::Counters::unasked_replies},
    {damaged_messages, &session::Counters::damaged_messages},
    {over_budget, &session::Counters::over_budget},
    {behind_goaway, &session::Counters::requests_behind_goaway},
    {pings, &session::Counters::pings},
    {naive_peers, &session::Counters::naive_peers},
    {peer_restarts, &session::Counters::peer_restarts},
};

session::SessionOptions session_options(const transport::Link& link, const V2Options& options,
                                        session::Role role) {
  session::SessionOptions result;
  result.role = role;
  result.multipart = link.info().mode == transport::LinkMode::multipart;
  result.naive_peer = options.naive_peer;
  result.incarnation =
      options.incarnation != 0 ? options.incarnation : Random::of_thread().next_nonzero();
  result.ping_interval_min = options.ping_interval_min;
  result.link_queue_bytes_max = transport::kLinkHighWaterBytes;
  result.limits = options.limits;
  return result;
}

// What the peer did to a protocol, as opposed to what a network, a clock or an operator did.
bool is_protocol_error(Errc code) noexcept {
  const auto number = static_cast<int>(code);
  return (number >= static_cast<int>(Errc::truncated) &&
          number < static_cast<int>(Errc::handshake_timeout));
}

}  // namespace

V2Core::V2Core(std::unique_ptr<transport::Link> link, Executor& executor, const V2Options& options,
               session::Role role)
    : executor_(executor),
      info_{"v2", link->info().scheme, link->info().peer, link->info().local},
      link_(std::move(link)),
      session_(session_options(*link_, options, role), *link_, *this),
      role_(role),
      timer_(&V2Core::timer_fired, *this) {}

V2Core::~V2Core() {
  executor_.timers().remove(timer_);
  publish();
}

// Only a server stamps what it receives; to a client the wall clock would be a wasted reading.
session::Now V2Core::now() noexcept {
  return {executor_.now(), role_ == session::Role::server ? executor_.wall_now() : WallTime{}};
}

void V2Core::start_session(LinkState link_state) {
  if (link_state == LinkState::fresh) link_->start(*this);
  session_.start(now());
  arm();
}

void V2Core::on_target_filled(std::size_t bytes) {
  session_.on_target_filled(bytes, now());
  arm();
}

void V2Core::on_bytes(ByteView bytes, Block& block) {
  session_.on_bytes(bytes, &block, now());
  arm();
}

void V2Core::on_message(std::span<Slice> parts) {
  session_.on_message(parts, now());
  arm();
}

void V2Core::on_writable() {
  session_.on_link_writable();
  arm();
}

void V2Core::on_closed(const Error& cause) {
  executor_.timers().remove(timer_);
  session_.on_link_closed(cause);
  closed(cause);
}

void V2Core::on_end(const Error& cause) {
  executor_.timers().remove(timer_);
  const Error explained = explain(cause);
  if (is_protocol_error(cause.code())) {
    log_warn("a v2 connection is closed: its peer broke the protocol",
             {{"peer", info_.peer}, {"cause", cause.code()}});
  }
  link_->close(explained);
}

Error V2Core::explain(const Error& cause) const {
  if (cause.code() != Errc::handshake_timeout || role_ != session::Role::client) return cause;
  const std::string_view likely_cause =
      link_->info().mode == transport::LinkMode::multipart
          ? "a script has none: if it is one, use naive+zmq+tcp:// or naive+zmq+ipc://"
          : "a v1 server would be waiting for the rest of a path: if it is one, use dynamo+tcp://";
  return Error(Errc::handshake_timeout,
               info_.peer + " did not answer the hello of wire v2; " + std::string(likely_cause));
}

void V2Core::arm_timer() {
  TimerWheel& timers = executor_.timers();
  const MonotonicTime at = session_.next_timer();
  timers.remove(timer_);
  if (at != MonotonicTime::max()) timers.add(timer_, at);
}

void V2Core::timer_fired(Timer* timer) noexcept {
  V2Core& core = static_cast<WakeTimer*>(timer)->core;
  core.publish();
  core.session_.on_timer(core.now());
  static_cast<void>(core.session_.timer_moved());
  core.arm_timer();
}

// Once a connection each: what a peer of ours never does, and yet costs it nothing more.
void V2Core::log_oddities(const session::Counters& counters) noexcept {
  if (counters.unasked_replies != 0 && published_.unasked_replies == 0) {
    log_warn("a v2 peer answered what it was not asked", {{"peer", info_.peer}});
  }
  if (counters.damaged_messages != 0 && published_.damaged_messages == 0) {
    log_warn("a v2 peer sent a damaged message", {{"peer", info_.peer}});
  }
}

void V2Core::publish() noexcept {
  const session::Counters& counters = session_.counters();
  for (const Published& one : kPublished) {
    const std::uint64_t added = counters.*one.member - published_.*one.member;
    if (added != 0) one.counter.add(static_cast<std::int64_t>(added));
  }
  log_oddities(counters);
  published_ = counters;
}

}  // namespace spanwire::channel
