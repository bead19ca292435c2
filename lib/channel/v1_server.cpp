#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lib/channel/alive.hpp"
#include "lib/session/budget.hpp"
#include "spanwire/base/assert.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/channel/v1.hpp"

namespace spanwire::channel {
namespace {

constinit NamedCounter count_damaged("spanwire.channel.v1.damaged_requests");
constinit NamedCounter count_dropped("spanwire.channel.v1.results_dropped");
constinit NamedCounter count_over_budget("spanwire.channel.v1.over_budget");
constinit NamedCounter count_slow("spanwire.channel.slow_peers");

constexpr std::uint8_t kOk = 0;
constexpr std::uint8_t kResourceExhausted = 8;
constexpr std::uint8_t kUnimplemented = 12;
constexpr std::size_t kRefusalBytesMax = 1u << 10;
// A large message on a slow line moves at least this much in each frame_timeout.
constexpr std::size_t kProgressBytes = 64u << 10;
constexpr CallId kNoCall = ~CallId{0};

class V1Server final : public ServerChannel, private transport::LinkEvents, private Timer {
 public:
  V1Server(std::unique_ptr<transport::Link> link, Executor& executor, const V1Options& options,
           bool link_started)
      : Timer(&V1Server::timer_fired),
        link_(std::move(link)),
        executor_(executor),
        options_(options),
        info_{"v1", link_->info().scheme, link_->info().peer, link_->info().local},
        link_started_(link_started),
        requests_(options.limits, options.message_bytes_max) {}

  ~V1Server() override {
    executor_.timers().remove(*this);
    session::unhold_in_process(pinned_bytes_);
  }

  void start(ServerChannelEvents& events) override {
    events_ = &events;
    last_heard_ = executor_.now();
    arm_timer();
    if (!link_started_) link_->start(*this);
  }

  transport::LinkEvents& link_events() noexcept { return *this; }

  void attach(CallId id, ServedCallSink& sink) override {
    SPANWIRE_ASSERT(id == current_);
    current_ = kNoCall;
    calls_[id].sink = &sink;
    ++attached_;
    answer({});
  }

  void head(CallId, ByteView) override {}
  Result<WriteResult> write(CallId, Slice&) override { return fail(Errc::not_supported); }
  void grant(CallId, std::size_t) override {}

  void reply(CallId id, ReplyOut& reply) override {
    if (id == current_) {
      current_ = kNoCall;
      free_id(id);
      if (reply.status == kOk) count_dropped.add();
      return refuse(reply);
    }
    if (state_ == State::closed || id >= calls_.size() || calls_[id].sink == nullptr) return;
    release(id);
    count_dropped.add();
    close_if_drained();
  }

  std::size_t in_flight() const noexcept override { return attached_; }
  const ChannelInfo& info() const noexcept override { return info_; }

  void drain() override {
    if (state_ != State::ready) return;
    state_ = State::draining;
    close_if_drained();
  }

  void close(const Error& cause) override {
    if (state_ == State::closed) return;
    const Error kept = cause;
    if (lose_all(kept)) link_->close(kept);
  }

 private:
  MutableByteView read_target() noexcept override {
    return state_ == State::closed ? MutableByteView() : requests_.target();
  }

  void on_target_filled(std::size_t bytes) override {
    if (state_ == State::closed) return;
    requests_.filled(bytes);
    serve(bytes);
  }

  void on_bytes(ByteView bytes, Block& block) override {
    if (state_ == State::closed) return;
    requests_.feed(bytes, &block);
    serve(bytes.size());
  }

  void serve(std::size_t bytes) {
    last_heard_ = executor_.now();
    const AliveWatch watch(alive_);
    wire::InRequest request;
    bool ended_one = false;
    while (requests_.next(request)) {
      ended_one = true;
      if (request.damage != Errc::ok) {
        refuse_damaged(request);
      } else if (state_ == State::draining) {
        decline(wire::kAckDraining);
      } else {
        dispatch(request);
      }
      if (watch.gone() || state_ == State::closed) return;
    }
    note_progress(bytes, ended_one);
    if (link_->queued_bytes() > transport::kLinkHighWaterBytes) link_->pause_reading(true);
  }

  void dispatch(wire::InRequest& request) {
    if (attached_ >= options_.served_max) return decline(wire::kAckOverloaded);
    // Smaller ones are only lent.
    const std::size_t pinned =
        request.payload.size() < wire::kCopyPayloadBelow ? 0 : request.payload.size();
    if (pinned > options_.limits.queued_bytes_max - pinned_bytes_ ||
        !session::process_has_room(pinned)) {
      count_over_budget.add();
      return decline(wire::kAckOverloaded);
    }
    RequestIn in;
    in.id = take_id();
    calls_[in.id].pinned = pinned;
    pinned_bytes_ += pinned;
    session::hold_in_process(pinned);
    in.path = request.path;
    in.headers = request.headers;
    in.payload.bytes = request.payload;
    if (pinned != 0) {
      in.payload.owned = request.take_payload();
      in.payload.bytes = in.payload.owned.view();
    }
    in.received = executor_.wall_now();
    current_ = in.id;
    path_ = request.path;
    const AliveWatch watch(alive_);
    events_->on_request(*this, in);
    // Every request has its answer, in its place.
    if (!watch.gone()) SPANWIRE_ASSERT(current_ == kNoCall || state_ == State::closed);
  }

  void refuse_damaged(const wire::InRequest& request) {
    count_damaged.add();
    if (!std::exchange(damage_logged_, true)) {
      log_warn("refused a damaged v1 request", {{"peer", info_.peer}, {"cause", request.damage}});
    }
    decline(wire::ack_text(request.damage));
  }

  // Without asking whoever serves.
  void decline(std::string_view text) {
    answer(text);
    events_->on_refused(*this);
  }

  // Only texts with one of the two prefixes: a Dynamo client takes any other for success.
  void refuse(const ReplyOut& reply) {
    if (reply.status == kOk) return answer({});
    if (reply.status == kResourceExhausted) return answer(wire::kAckOverloaded);
    if (reply.status == kUnimplemented) return answer(wire::unknown_endpoint_text(path_));
    std::string text(wire::kUnavailablePrefix);
    text += ' ';
    text += reply.message.substr(0, kRefusalBytesMax);
    answer(text);
  }

  void answer(std::string_view text) {
    if (state_ == State::closed) return;
    std::array<std::byte, 64> small;
    const std::size_t bytes = wire::reply_bytes(text);
    if (bytes <= small.size()) {
      wire::encode_reply(text, small.data());
      return link_->send_raw({small.data(), bytes});
    }
    std::vector<std::byte> large(bytes);
    wire::encode_reply(text, large.data());
    link_->send_raw(large);
  }

  CallId take_id() {
    if (!free_ids_.empty()) {
      const CallId id = free_ids_.back();
      free_ids_.pop_back();
      return id;
    }
    calls_.emplace_back();
    return static_cast<CallId>(calls_.size() - 1);
  }

  void free_id(CallId id) {
    pinned_bytes_ -= calls_[id].pinned;
    session::unhold_in_process(calls_[id].pinned);
    calls_[id] = Served();
    free_ids_.push_back(id);
  }

  void release(CallId id) {
    free_id(id);
    --attached_;
    if (attached_ == 0) last_heard_ = executor_.now();
  }

  void on_writable() override {
    if (state_ != State::closed) link_->pause_reading(false);
  }

  void on_message(std::span<Slice>) override {
    give_up(Error(Errc::not_supported, "v1 needs a byte link"));
  }

  void on_closed(const Error& cause) override {
    Error kept = cause;
    if (state_ == State::closed) {
      kept = cause_;
    } else {
      if (cause.code() == Errc::peer_closed && requests_.in_message()) {
        kept = Error(Errc::truncated, info_.peer + " closed in the middle of a request");
      }
      if (!lose_all(kept)) return;
    }
    events_->on_closed(*this, kept);
  }

  void give_up(const Error& cause) {
    log_warn("closed a v1 connection", {{"peer", info_.peer}, {"cause", cause.message()}});
    close(cause);
  }

  void close_if_drained() {
    if (state_ == State::draining && attached_ == 0) close(Errc::shutting_down);
  }

  bool lose_all(const Error& cause) {
    state_ = State::closed;
    cause_ = cause;
    executor_.timers().remove(*this);
    const AliveWatch watch(alive_);
    for (std::size_t id = 0; id < calls_.size(); ++id) {
      ServedCallSink* sink = std::exchange(calls_[id].sink, nullptr);
      if (sink == nullptr) continue;
      --attached_;
      sink->on_lost(cause);
      if (watch.gone()) return false;
    }
    return true;
  }

  void note_progress(std::size_t bytes, bool ended_one) {
    if (!requests_.in_message()) {
      message_since_ = MonotonicTime::max();
      return;
    }
    progress_ += bytes;
    const bool begun = ended_one || message_since_ == MonotonicTime::max();
    if (!begun && progress_ < kProgressBytes) return;
    message_since_ = executor_.now();
    progress_ = 0;
    if (deadline() > next_deadline()) arm_timer();
  }

  MonotonicTime next_deadline() const noexcept {
    if (message_since_ != MonotonicTime::max()) {
      return message_since_ + options_.limits.frame_timeout;
    }
    return (attached_ == 0 ? last_heard_ : executor_.now()) + options_.limits.idle_timeout;
  }

  void arm_timer() {
    executor_.timers().remove(*this);
    executor_.timers().add(*this, next_deadline());
  }

  static void timer_fired(Timer* timer) noexcept {
    auto* self = static_cast<V1Server*>(timer);
    if (self->next_deadline() > self->executor_.now()) return self->arm_timer();
    if (self->message_since_ == MonotonicTime::max()) return self->close(Errc::idle_timeout);
    count_slow.add();
    self->give_up(
        Error(Errc::frame_timeout, self->info_.peer + " began a request and did not finish it"));
  }

  std::unique_ptr<transport::Link> link_;
  Executor& executor_;
  const V1Options options_;
  const ChannelInfo info_;
  const bool link_started_;
  ServerChannelEvents* events_ = nullptr;
  State state_ = State::ready;
  wire::RequestDecoder requests_;
  struct Served {
    ServedCallSink* sink = nullptr;  // null: free, or not attached
    std::size_t pinned = 0;          // bytes of the payload that the handler keeps
  };
  std::vector<Served> calls_;  // by CallId
  std::vector<CallId> free_ids_;
  std::size_t attached_ = 0;
  std::size_t pinned_bytes_ = 0;  // of all calls
  CallId current_ = kNoCall;      // the request whose answer is owed
  std::string_view path_;         // its path
  bool damage_logged_ = false;
  MonotonicTime last_heard_;
  MonotonicTime message_since_ = MonotonicTime::max();  // its last progress
  std::size_t progress_ = 0;
  Error cause_;
  Alive alive_;
};

}  // namespace

std::unique_ptr<ServerChannel> make_v1_server(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V1Options& options) {
  return std::make_unique<V1Server>(std::move(link), executor, options, false);
}

V1Handover make_v1_server_on_started_link(std::unique_ptr<transport::Link> link, Executor& executor,
                                          const V1Options& options) {
  auto channel = std::make_unique<V1Server>(std::move(link), executor, options, true);
  transport::LinkEvents& events = channel->link_events();
  return {std::move(channel), &events};
}

}  // namespace spanwire::channel
