#include <algorithm>
#include <string>
#include <utility>

#include "lib/channel/alive.hpp"
#include "lib/channel/v1_requests.hpp"
#include "lib/session/budget.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/channel/v1.hpp"

namespace spanwire::channel {
namespace {

constinit NamedCounter count_unknown_replies("spanwire.channel.v1.unknown_replies");
constinit NamedCounter count_unexpected_replies("spanwire.channel.v1.unexpected_replies");
constinit NamedCounter count_late_replies("spanwire.channel.v1.late_replies");
constinit NamedCounter count_silent_servers("spanwire.channel.v1.acknowledgement_timeouts");

// gRPC's numbers; rpc's enumeration is a layer above.
constexpr std::uint8_t kResourceExhausted = 8;
constexpr std::uint8_t kUnavailable = 14;
constexpr std::size_t kQuotedTextMax = 200;

std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text.substr(0, kQuotedTextMax)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  return result + (text.size() > kQuotedTextMax ? "...'" : "'");
}

class V1Client final : public ClientChannel, private transport::LinkEvents, private Timer {
 public:
  V1Client(std::unique_ptr<transport::Link> link, Executor& executor, const V1Options& options)
      : Timer(&V1Client::timer_fired),
        link_(std::move(link)),
        executor_(executor),
        options_(options),
        info_{"v1", link_->info().scheme, link_->info().peer, link_->info().local} {}

  ~V1Client() override {
    executor_.timers().remove(*this);
    take_waiting(waiting_bytes_);
  }

  void start(ClientChannelEvents& events) override {
    events_ = &events;
    last_heard_ = executor_.now();
    state_ = State::ready;
    arm_timer();
    link_->start(*this);
    events.on_ready();
  }

  State state() const noexcept override { return state_; }
  std::size_t in_flight() const noexcept override { return sent_.size() + waiting_.size(); }
  const ChannelInfo& info() const noexcept override { return info_; }

  Result<CallId> open(RequestOut& request, CallSink& sink) override {
    SPANWIRE_TRY_VOID(check_open(request));
    const CallId id = next_id_++;
    const bool idle = in_flight() == 0;
    if (!waiting_.empty() || link_->queued_bytes() > transport::kLinkHighWaterBytes) {
      wait(id, request, sink);
    } else {
      transmit(id, request, sink);
    }
    if (idle) arm_timer();
    return id;
  }

  Result<WriteResult> write(CallId, Slice&, bool) override { return fail(Errc::not_supported); }
  void grant(CallId, std::size_t) override {}

  bool cancel(CallId id, Errc) override {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [id](const V1Waiting& item) { return item.id == id; });
    if (found == waiting_.end()) {
      sent_.forget(id);
      return false;
    }
    take_waiting(found->bytes());
    waiting_.erase(found);
    close_if_drained();
    return true;
  }

  void drain() override {
    if (state_ != State::ready) return;
    state_ = State::draining;
    const AliveWatch watch(alive_);
    events_->on_draining();
    if (!watch.gone()) close_if_drained();
  }

  void close(const Error& cause) override {
    if (state_ == State::closed) return;
    const Error kept = cause;
    if (lose_all(kept)) link_->close(kept);
  }
  void linger_until(MonotonicTime deadline) override { link_->linger_until(deadline); }
  std::size_t unwritten_bytes() const noexcept override { return link_->queued_bytes(); }

 private:
  Result<void> check_open(const RequestOut& request) {
    if (request.stream || !request.end) {
      return fail(Errc::not_supported, "v1 carries no streams");
    }
    if (state_ != State::ready) {
      return fail(state_ == State::draining ? Errc::draining : Errc::not_connected);
    }
    const Errc damage = wire::check_request(request.path, request.headers, request.payload.size(),
                                            options_.limits, options_.message_bytes_max);
    if (damage != Errc::ok) return fail(damage);
    const std::size_t queued = waiting_bytes_ + link_->queued_bytes();
    const std::size_t room =
        options_.limits.queued_bytes_max - std::min(queued, options_.limits.queued_bytes_max);
    const bool over_budget = queued != 0 && (request.payload.size() > room ||
                                             !session::process_has_room(request.payload.size()));
    if (in_flight() >= options_.in_flight_max || over_budget) {
      free_wanted_ = true;
      return fail(Errc::queue_full);
    }
    return {};
  }

  // The head, in scratch_.
  void encode_head(const RequestOut& request, std::size_t room_behind) {
    scratch_.clear();
    const std::size_t bytes = wire::request_head_bytes(request.path, request.headers);
    const MutableByteView out = scratch_.reserve(bytes + room_behind);
    wire::encode_request_head(request.path, request.headers,
                              static_cast<std::uint32_t>(request.payload.size()), out.data());
    scratch_.commit(bytes);
  }

  void transmit(CallId id, RequestOut& request, CallSink& sink) {
    sent_.push({id, &sink, link_->bytes_taken(), executor_.now()});
    const bool small = request.payload.size() < wire::kCopyPayloadBelow;
    encode_head(request, small ? request.payload.size() : 0);
    if (small) scratch_.append(request.payload.view());
    link_->send_raw(scratch_.view());
    if (!small) link_->send_raw(request.payload.view());
    request.payload = Slice();
  }

  void wait(CallId id, RequestOut& request, CallSink& sink) {
    encode_head(request, 0);
    waiting_.push_back({id, &sink, scratch_.take(), std::move(request.payload)});
    waiting_bytes_ += waiting_.back().bytes();
    session::hold_in_process(waiting_.back().bytes());
  }

  void take_waiting(std::size_t bytes) noexcept {
    waiting_bytes_ -= bytes;
    session::unhold_in_process(bytes);
  }

  void pump() {
    while (!waiting_.empty() && link_->queued_bytes() <= transport::kLinkHighWaterBytes) {
      const V1Waiting request = std::move(waiting_.front());
      waiting_.pop_front();
      take_waiting(request.bytes());
      sent_.push({request.id, request.sink, link_->bytes_taken(), executor_.now()});
      link_->send_raw(request.head.view());
      link_->send_raw(request.payload.view());
    }
  }

  void on_bytes(ByteView bytes, Block&) override {
    if (state_ == State::closed) return;
    last_heard_ = executor_.now();
    replies_.feed(bytes);
    const AliveWatch watch(alive_);
    std::string_view text;
    while (replies_.next(text)) {
      if (sent_.empty()) {
        count_unexpected_replies.add();
        return give_up(
            Error(Errc::unexpected_frame, "a reply that answers nothing: " + quoted(text)));
      }
      CallSink* sink = sent_.pop().sink;
      if (sink == nullptr) {
        count_late_replies.add();
        continue;
      }
      deliver(*sink, text);
      if (watch.gone() || state_ == State::closed) return;
    }
    if (replies_.error() != Errc::ok) {
      return give_up(Error(replies_.error(),
                           "a reply beyond " + std::to_string(wire::kV1ReplyBytesMax) + " bytes"));
    }
    pump();
    tell_free(watch);
  }

  void deliver(CallSink& sink, std::string_view text) {
    ReplyIn reply;
    switch (wire::classify_ack(text)) {
      case wire::Acknowledgement::accepted:
        break;
      case wire::Acknowledgement::overloaded:
        reply.status = kResourceExhausted;
        reply.not_started = true;
        break;
      case wire::Acknowledgement::unavailable:
        reply.status = kUnavailable;
        reply.not_started = true;
        break;
      case wire::Acknowledgement::unknown:
        count_unknown_replies.add();
        return sink.on_lost(Error(Errc::not_an_acknowledgement, quoted(text)), Progress::sent);
    }
    reply.message = text;
    sink.on_reply(reply);
  }

  void tell_free(const AliveWatch& watch) {
    if (free_wanted_ && state_ == State::ready && in_flight() < options_.in_flight_max) {
      free_wanted_ = false;
      events_->on_free();
      if (watch.gone()) return;
    }
    close_if_drained();
  }

  void on_writable() override {
    if (state_ == State::closed) return;
    pump();
    const AliveWatch watch(alive_);
    tell_free(watch);
  }

  void on_message(std::span<Slice>) override {
    give_up(Error(Errc::not_supported, "v1 needs a byte link"));
  }

  void on_closed(const Error& cause) override {
    Error kept = cause;
    if (state_ == State::closed) {
      kept = cause_;
    } else if (!lose_all(kept)) {
      return;
    }
    events_->on_closed(kept);
  }

  // The connection cannot be used any more because of what the peer did.
  void give_up(const Error& cause) {
    log_warn("closed a v1 connection", {{"peer", info_.peer}, {"cause", cause.message()}});
    close(cause);
  }

  void close_if_drained() {
    if (state_ == State::draining && in_flight() == 0) close(Errc::shutting_down);
  }

  // False: this channel was destroyed by one of the calls.
  bool lose_all(const Error& cause) {
    state_ = State::closed;
    cause_ = cause;
    executor_.timers().remove(*this);
    const AliveWatch watch(alive_);
    const std::uint64_t submitted = link_->bytes_submitted();
    while (!sent_.empty()) {
      const V1Sent call = sent_.pop();
      if (call.sink == nullptr) continue;
      call.sink->on_lost(cause, call.first_byte < submitted ? Progress::sent : Progress::not_sent);
      if (watch.gone()) return false;
    }
    while (!waiting_.empty()) {
      CallSink* sink = waiting_.front().sink;
      waiting_.pop_front();
      sink->on_lost(cause, Progress::not_sent);
      if (watch.gone()) return false;
    }
    take_waiting(waiting_bytes_);
    return true;
  }

  MonotonicTime next_deadline() const noexcept {
    if (in_flight() == 0) return last_heard_ + options_.limits.idle_timeout;
    if (sent_.empty() || options_.acknowledgement_timeout == std::chrono::nanoseconds::zero()) {
      return executor_.now() + options_.limits.idle_timeout;
    }
    return sent_.front().since + options_.acknowledgement_timeout;
  }

  // Armed always, and looked at only when it fires or when the connection stops being idle: an
  // acknowledgement then costs nothing.
  void arm_timer() {
    executor_.timers().remove(*this);
    executor_.timers().add(*this, next_deadline());
  }

  static void timer_fired(Timer* timer) noexcept {
    auto* self = static_cast<V1Client*>(timer);
    if (self->next_deadline() > self->executor_.now()) return self->arm_timer();
    if (self->in_flight() == 0) return self->close(Errc::idle_timeout);
    count_silent_servers.add();
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
        self->executor_.now() - self->sent_.front().since);
    self->give_up(Error(Errc::acknowledgement_timeout, self->info_.peer + " was silent for " +
                                                           std::to_string(waited.count()) + " ms"));
  }

  std::unique_ptr<transport::Link> link_;
  Executor& executor_;
  const V1Options options_;
  const ChannelInfo info_;
  ClientChannelEvents* events_ = nullptr;
  State state_ = State::handshake;
  bool free_wanted_ = false;
  CallId next_id_ = 1;
  V1SentQueue sent_;
  std::deque<V1Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  wire::AckDecoder replies_;
  Buffer scratch_;
  MonotonicTime last_heard_;
  Error cause_;
  Alive alive_;
};

}  // namespace

std::unique_ptr<ClientChannel> make_v1_client(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V1Options& options) {
  return std::make_unique<V1Client>(std::move(link), executor, options);
}

}  // namespace spanwire::channel
