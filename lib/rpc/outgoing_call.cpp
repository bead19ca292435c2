#include "spanwire/rpc/outgoing_call.hpp"

#include <algorithm>

#include "lib/rpc/call_headers.hpp"
#include "lib/rpc/client_core.hpp"
#include "lib/rpc/metrics.hpp"
#include "lib/rpc/span_attributes.hpp"
#include "spanwire/base/fork.hpp"
#include "spanwire/rpc/interceptor.hpp"

namespace spanwire::rpc {
namespace {

constexpr Errc kTooLate = Errc::stream_closed;  // in cancel_reason_: the call has ended

// Whether another connection may do what this one could not.
bool connection_cannot(Errc code) noexcept {
  return code == Errc::queue_full || code == Errc::not_connected || code == Errc::draining ||
         code == Errc::shutting_down || code == Errc::out_of_memory_budget;
}

}  // namespace

OutgoingCall::OutgoingCall(ClientCore& core, CallKind kind, trace::Context&& context, Path&& path,
                           Slice&& payload, const CallOptions& options)
    : Timer(&OutgoingCall::deadline_passed),
      CancelListener(&OutgoingCall::context_cancelled),
      CallStartJob(&OutgoingCall::start_posted),
      CallCancelJob(&OutgoingCall::cancel_posted),
      core_(&core),
      kind_(kind),
      wait_for_ready_(options.wait_for_ready || core.options().wait_for_ready),
      idempotent_(options.idempotent && kind == CallKind::unary),
      from_elsewhere_(kind == CallKind::stream),
      path_(std::move(path)),
      payload_(std::move(payload)),
      timeout_(options.timeout),
      context_(std::move(context)) {
  if (!options.headers.empty()) extra_headers_ = std::make_unique<Headers>(options.headers);
}

OutgoingCall::OutgoingCall(OutgoingCall&& other) noexcept
    : Timer(&OutgoingCall::deadline_passed),
      CancelListener(&OutgoingCall::context_cancelled),
      CallStartJob(&OutgoingCall::start_posted),
      CallCancelJob(&OutgoingCall::cancel_posted),
      core_(other.core_),
      kind_(other.kind_),
      wait_for_ready_(other.wait_for_ready_),
      idempotent_(other.idempotent_),
      from_elsewhere_(other.from_elsewhere_),
      path_(std::move(other.path_)),
      payload_(std::move(other.payload_)),
      extra_headers_(std::move(other.extra_headers_)),
      timeout_(other.timeout_),
      context_(std::move(other.context_)) {
  SPANWIRE_ASSERT(other.stage_ == Stage::made);
}

OutgoingCall::~OutgoingCall() {
  SPANWIRE_ASSERT(stage_ == Stage::made || stage_ == Stage::finished);
}

transport::Loop& OutgoingCall::loop() noexcept { return home_->loop(); }
bool OutgoingCall::on_own_loop() const noexcept { return home_->loop().runs_here(); }
channel::ClientChannel& OutgoingCall::open_channel() noexcept { return connection_->channel(); }

void OutgoingCall::deadline_passed(Timer* timer) noexcept {
  static_cast<OutgoingCall*>(timer)->cancel_here(Errc::deadline_exceeded);
}
void OutgoingCall::context_cancelled(CancelListener* listener, Errc reason) noexcept {
  static_cast<OutgoingCall*>(listener)->cancel(reason);
}
void OutgoingCall::start_posted(Job* job) noexcept {
  static_cast<OutgoingCall*>(static_cast<CallStartJob*>(job))->begin();
}
void OutgoingCall::cancel_posted(Job* job) noexcept {
  static_cast<OutgoingCall*>(static_cast<CallCancelJob*>(job))->run_cancel();
}

bool OutgoingCall::prepare() noexcept {
  stage_ = Stage::starting;
  if (!core_->runtime().inherited_over_fork()) {
    home_ = &core_->home();
    return true;
  }
  // Nothing of the parent's loops may be touched here: the call ends where it stands.
  CallFailure failure;
  failure.path = path_.text();
  failure.status = status_code_of(Errc::forked);
  result_ = fail(make_call_error(Errc::forked, std::move(failure)));
  stage_ = Stage::finished;
  return false;
}

void OutgoingCall::start() noexcept {
  if (on_own_loop()) {
    begin();
    return;
  }
  from_elsewhere_ = true;
  home_->loop().post(static_cast<CallStartJob&>(*this));
}

void OutgoingCall::begin() noexcept {
  const MonotonicTime now = loop().now();
  started_ = now;
  const std::chrono::nanoseconds timeout = timeout_.count() != 0 ? timeout_ : default_timeout();
  deadline_at_ = context_.deadline();
  if (timeout.count() > 0 && (!context_.has_deadline() || now + timeout < deadline_at_)) {
    deadline_at_ = now + timeout;
  }
  span_ = start_client_span(context_, path_.text(), kind_, home_->only_target());
  if (CancelState* state = context_.cancellation(); state != nullptr) {
    listening_ = state->attach(*this);
    if (!listening_) {
      fail_with(state->reason(), {}, Reached::not_sent);
      return;
    }
  }
  if (const Errc reason = cancel_reason_.load(std::memory_order_relaxed); reason != Errc::ok) {
    fail_with(reason, {}, Reached::not_sent);
    return;
  }
  if (deadline_at_ != MonotonicTime{} && deadline_at_ <= now) {
    fail_with(Errc::deadline_exceeded, "the deadline had passed before the call",
              Reached::not_sent);
    return;
  }
  if (!ready_to_go()) return;
  context_.move_to(span_.context());
  if (deadline_at_ != MonotonicTime{}) loop().timers().add(*this, deadline_at_);
  home_->submit(*this);
}

std::chrono::nanoseconds OutgoingCall::default_timeout() const noexcept {
  return kind_ == CallKind::stream ? kNoTimeout : core_->options().default_timeout;
}

bool OutgoingCall::ready_to_go() noexcept {
  if (home_->refuses_new()) {
    home_->count_refused();
    fail_with(Errc::shutting_down, "the client is being shut down", Reached::not_sent);
    return false;
  }
  if (core_->bad_address()) {
    fail_with(*core_->bad_address());
    return false;
  }
  if (!path_.plain()) {
    if (Result<void> good = check_path(path_.text()); !good) {
      fail_with(good.error());
      return false;
    }
  }
  if (extra_headers_ == nullptr && core_->options().interceptors.empty()) return true;
  if (Result<void> passed = intercept(); !passed) {
    fail_with(passed.error());
    return false;
  }
  return true;
}

Result<void> OutgoingCall::intercept() {
  if (extra_headers_ == nullptr) extra_headers_ = std::make_unique<Headers>();
  for (const auto& interceptor : core_->options().interceptors) {
    SPANWIRE_TRY_VOID(interceptor->before(context_, path_.text(), *extra_headers_));
  }
  return check_user_headers(*extra_headers_);
}

OutgoingCall::Sent OutgoingCall::try_send(Connection& connection) noexcept {
  channel::ClientChannel& channel = connection.channel();
  const MonotonicTime now = loop().now();
  CallHeaders headers;
  headers.write_request(context_, extra_headers_.get(), attempt_,
                        deadline_at_ != MonotonicTime{} ? deadline_at_ - now : kNoTimeout,
                        connection.is_v1());
  if (headers.failed()) {
    fail_with(headers.error());
    return Sent::ended;
  }
  channel::RequestOut request;
  request.path = path_.text();
  request.path_is_utf8 = true;  // ready_to_go() has seen to it
  request.headers = headers.view();
  // A small payload is copied and comes back; a large one may be needed for another attempt.
  const bool small = payload_.size() < wire::kCopyPayloadBelow;
  request.payload = small ? std::move(payload_) : payload_;
  request.stream = kind_ == CallKind::stream;
  request.end = kind_ != CallKind::stream;
  request.one_way = kind_ == CallKind::one_way;
  Result<channel::CallId> id = channel.open(request, *this);
  if (small) payload_ = std::move(request.payload);
  if (!id) {
    if (connection_cannot(id.error().code())) return Sent::cannot;
    const Error error = id.error();
    fail_with(error);
    return Sent::ended;
  }
  id_ = *id;
  connection_ = &connection;
  stage_ = Stage::in_flight;
  home_->in_flight_.push_back(*this);
  sent_ = now;
  opened();
  return Sent::yes;
}

void OutgoingCall::on_head(ByteView /*headers*/) { note_first_byte(); }

void OutgoingCall::note_first_byte() noexcept {
  if (saw_first_byte_) return;
  saw_first_byte_ = true;
  first_byte_ = loop().now();
  if (span_.recording()) span_.add_event("rpc.first_byte");
}

void OutgoingCall::on_data(channel::InBody data, bool end) {
  note_first_byte();
  received(std::move(data), end);
}

void OutgoingCall::on_writable() { writable(); }

void OutgoingCall::on_reply(channel::ReplyIn& reply) {
  if (reply.status == 0) {
    succeed(reply);
    return;
  }
  if (reply.not_started && !went_elsewhere_ && home_->has_other(*connection_)) {
    went_elsewhere_ = true;
    send_again("rpc.elsewhere");
    return;
  }
  // A server that says when to come back is not asked earlier.
  if (idempotent_ && status_code_of(reply.status) == StatusCode::unavailable && !saw_first_byte_ &&
      home_->has_other(*connection_) && retry_after_of(reply.headers).count() == 0 &&
      may_repeat()) {
    send_again("rpc.retry");
    return;
  }
  refuse(reply);
}

void OutgoingCall::succeed(channel::ReplyIn& reply) noexcept {
  if (idempotent_) home_->retry_budget().succeeded();
  result_->payload_ = reply.payload.take();
  if (!reply.headers.empty()) result_->header_block_ = Slice::copy_of(reply.headers);
  result_->handler_time_ = reply.duration;
  if (span_.recording()) {
    add_reply_times(span_, ReplyTimes{sent_, loop().now(), reply.received, reply.duration},
                    loop().wall_now());
  }
  // The reply came when this turn began, if not the call itself began in it: no clock is read.
  const MonotonicTime now = loop().now();
  end(StatusCode::ok, now > started_ ? now : MonotonicTime{});
}

void OutgoingCall::refuse(channel::ReplyIn& reply) noexcept {
  CallFailure failure = facts(reply.not_started ? Reached::not_started : Reached::first_byte);
  failure.status = status_code_of(reply.status);
  failure.status_message = reply.message;
  failure.phases.handler = reply.duration;
  failure.retry_after = retry_after_of(reply.headers);
  const StatusCode status = failure.status;
  result_ = fail(make_call_error(Errc::call_failed, std::move(failure)));
  end(status);
}

CallFailure OutgoingCall::facts(Reached reached) const {
  CallFailure failure;
  failure.path = path_.text();
  if (connection_ != nullptr) failure.peer = connection_->channel().info().peer;
  failure.attempt = attempt_;
  failure.reached = reached;
  failure.phases = waiting();
  if (sent_ != MonotonicTime{}) failure.phases.network = home_->loop().now() - sent_;
  return failure;
}

Phases OutgoingCall::waiting() const noexcept {
  Phases phases;
  if (sent_ == MonotonicTime{}) {
    phases.pool_wait = home_->loop().now() - started_;
    return phases;
  }
  if (sent_ > started_) {
    phases.pool_wait = sent_ - started_;
    if (connection_ != nullptr) connection_->add_waiting(phases, started_, sent_);
  }
  if (saw_first_byte_) phases.first_byte = first_byte_ - sent_;
  return phases;
}

void OutgoingCall::fail_with(Errc code, std::string detail, Reached reached, Errc cause) noexcept {
  CallFailure failure = facts(reached);
  failure.status = status_code_of(code);
  failure.cause = cause;
  failure.detail = std::move(detail);
  result_ = fail(make_call_error(code, std::move(failure)));
  end(status_code_of(code));
}

void OutgoingCall::fail_with(const Error& error) noexcept {
  fail_with(error.code(), std::string(error.detail()), Reached::not_sent);
}

void OutgoingCall::end(StatusCode status, MonotonicTime at) noexcept {
  loop().timers().remove(*this);
  if (listening_) context_.cancellation()->detach(*this);
  if (stage_ == Stage::in_flight) home_->in_flight_.remove(*this);
  stage_ = Stage::finished;
  if (span_.recording()) {
    if (connection_ != nullptr) {
      // Of several, the one that took the call; a single one was told at the start.
      if (home_->only_target() == nullptr) connection_->endpoint().target.add_to(span_);
      connection_->peer().add_to(span_);
    }
    add_phases(span_, waiting());
    add_status(span_, status, result_ ? std::string_view() : result_.error().detail());
  }
  span_.end(at);
  const MonotonicTime now = loop().now();
  home_->called(path_).count(status, now - started_, span_.context(), now);
  for (const auto& interceptor : core_->options().interceptors) {
    interceptor->after(context_, path_.text(), status);
  }
  connection_ = nullptr;
  home_->tell_if_idle();
  if (cancel_is_posted()) {
    finish_after_cancel_ = true;
    return;
  }
  finished();
}

bool OutgoingCall::cancel_is_posted() noexcept {
  if (cancel_ran_) return false;
  if (!from_elsewhere_) return cancel_reason_.load(std::memory_order_acquire) != Errc::ok;
  // Whoever cancels from another thread either was first, or finds that it is too late.
  Errc none = Errc::ok;
  return !cancel_reason_.compare_exchange_strong(none, kTooLate, std::memory_order_acq_rel);
}

void OutgoingCall::cancel(Errc reason) noexcept {
  Errc none = Errc::ok;
  if (!cancel_reason_.compare_exchange_strong(none, reason, std::memory_order_acq_rel)) return;
  home_->loop().post(static_cast<CallCancelJob&>(*this));
}

void OutgoingCall::run_cancel() noexcept {
  cancel_ran_ = true;
  if (finish_after_cancel_) {
    finished();
    return;
  }
  if (stage_ == Stage::finished) return;
  cancel_here(cancel_reason_.load(std::memory_order_relaxed));
}

Reached OutgoingCall::cancel_here(Errc reason, std::string detail) noexcept {
  Reached reached = Reached::not_sent;
  if (stage_ == Stage::waiting) {
    if (reason == Errc::deadline_exceeded) detail = home_->waited_for();
    home_->forget(*this);
  } else if (stage_ == Stage::in_flight) {
    if (!connection_->channel().cancel(id_, reason)) {
      reached = saw_first_byte_ ? Reached::first_byte : Reached::sent;
    }
    if (span_.recording()) span_.add_event("rpc.cancel");
  }
  fail_with(reason, std::move(detail), reached);
  return reached;
}

}  // namespace spanwire::rpc
