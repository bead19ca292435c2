#include "lib/transport/zmq/link.hpp"

#include <array>
#include <new>
#include <string>
#include <utility>

#include "spanwire/base/counters.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter write_timeouts("spanwire.transport.write_timeouts");
constinit NamedCounter over_budget("spanwire.zmq.parked_over_budget");

// The parts of a message as slices, each made where it stays: one that was moved there would be
// read before the core has written it.
class PartSlices {
 public:
  explicit PartSlices(std::span<ZmqPart> parts) {
    for (ZmqPart& part : parts) new (&slices_[count_++].slice) Slice(slice_of(part));
  }
  ~PartSlices() {
    for (Slice& slice : view()) slice.~Slice();
  }
  PartSlices(const PartSlices&) = delete;
  PartSlices& operator=(const PartSlices&) = delete;

  std::span<Slice> view() noexcept { return {&slices_[0].slice, count_}; }

 private:
  union Place {
    Place() {}
    ~Place() {}
    Slice slice;
  };

  static_assert(sizeof(Place) == sizeof(Slice));

  std::array<Place, ZmqMessage::kPartsKept> slices_;
  std::size_t count_ = 0;
};

}  // namespace

ZmqCore::ZmqCore(Loop& loop, LinkInfo info, const ZmqOptions& options,
                 std::chrono::nanoseconds write_timeout, LinkLease lease)
    : Timer(&ZmqCore::write_timer_fired),
      ZmqCloseJob(&ZmqCore::deliver_closed),
      ZmqWritableJob(&ZmqCore::deliver_writable),
      ZmqParkedJob(&ZmqCore::run_parked),
      loop_(loop),
      info_(std::move(info)),
      options_(options),
      write_timeout_(write_timeout),
      lease_(std::move(lease)) {
  const auto landed = [](void* core) noexcept { static_cast<ZmqCore*>(core)->retry(); };
  flight_ = std::make_shared<ZmqFlight>(loop, options.flight_bytes_max, landed, this);
}

void ZmqCore::start(LinkEvents& events) {
  events_ = &events;
  post_parked();
  on_resumed();
}

void ZmqCore::pause_reading(bool paused) {
  paused_ = paused;
  if (paused) return;
  post_parked();
  on_resumed();
}

// Nothing waits for the turn's end, as it does in other links: libzmq's thread gathers what it has
// not written yet.
void ZmqCore::send(wire::OutFrame& frame) {
  if (state_ != State::open) return;
  wire::OutParts laid_out;
  wire::lay_out_parts(frame, laid_out);
  ZmqOut message;
  add_envelope(message);
  for (std::size_t i = 0; i < laid_out.count; ++i) {
    const ByteView part = laid_out.parts[i];
    const bool last = laid_out.payload_last && i + 1 == laid_out.count;
    if (last && part.size() >= kZmqCopyBelow) {
      message.add_payload(std::move(frame.payload));
    } else {
      message.add_copy(part);
    }
  }
  taken_ += message.bytes();
  if (queue_.empty()) [[likely]] {
    switch (hand_over_with_payload(message)) {
      case ZmqSent::sent:
        submitted_ += message.bytes();
        return;
      case ZmqSent::full:
        break;
      default:
        return lost_connection();
    }
  }
  wait_behind(std::move(message));
}

void ZmqCore::wait_behind(ZmqOut&& message) {
  queued_bytes_ += message.bytes();
  queue_.push_back(std::move(message));
  above_high_ = above_high_ || queued_bytes_ > kLinkHighWaterBytes;
  if (!blocked_) wait_for_room(false);
}

ZmqSent ZmqCore::hand_over_with_payload(ZmqOut& message) {
  if (!message.payload().empty()) {
    if (flight_->full()) {
      flight_->wait();
      return ZmqSent::full;
    }
    message.parts().back() = flight_->take(std::move(message.payload()));
  }
  return hand_over(message.parts());
}

// A script is told only of its own mistake: it may be between two calls, and would take anything
// for the answer to the next.
bool ZmqCore::owes_farewell() const noexcept {
  return !connection_gone_ && (!naive_ || is_protocol_error(cause_.code()));
}

ZmqOut ZmqCore::farewell() {
  ZmqOut message;
  add_envelope(message);
  message.add_copy(wire::encode_farewell());
  taken_ += message.bytes();
  return message;
}

void ZmqCore::say_farewell() {
  if (owes_farewell()) static_cast<void>(hand_over(farewell().parts()));
}

void ZmqCore::close(const Error& cause) {
  if (state_ != State::open) return;
  state_ = State::closing;
  cause_ = cause;
  if (owes_farewell()) {
    queue_.push_back(farewell());
    queued_bytes_ += queue_.back().bytes();
  }
  if (!blocked_) flush();
}

void ZmqCore::abandon() {
  events_ = nullptr;
  if (state_ == State::closed) return;
  state_ = State::open;  // what is queued is not worth waiting for
  finish(Errc::cancelled);
}

void ZmqCore::deliver(std::span<ZmqPart> parts) {
  if (state_ == State::closed) return;
  if (state_ == State::closing || (listening() && parked_.empty())) [[likely]]
    return take(parts);
  park(parts);
}

void ZmqCore::park(std::span<ZmqPart> parts) {
  std::vector<ZmqPart> kept;
  for (ZmqPart& part : parts) {
    parked_bytes_ += sizeof(ZmqPart) + part.size();
    kept.push_back(std::move(part));
  }
  parked_.push_back(std::move(kept));
  if (parked_bytes_ <= options_.parked_bytes_max) return;
  over_budget.add();
  finish(Error(Errc::out_of_memory_budget, info_.peer + " sent more than " +
                                               std::to_string(options_.parked_bytes_max) +
                                               " bytes that nobody reads"));
}

void ZmqCore::take(std::span<ZmqPart> parts) {
  // An empty message says that a peer is there, which is known.
  if (parts.size() == 1 && parts[0].size() == 0) return;
  if (parts.size() == 1 && wire::is_farewell(part_bytes(parts[0]))) {
    peer_left_ = true;
    return finish(Errc::peer_closed);
  }
  if (state_ != State::open) return;
  if (!std::exchange(heard_, true)) naive_ = wire::is_request(part_bytes(parts[0]));
  PartSlices slices(parts);
  events_->on_message(slices.view());
}

void ZmqCore::post_parked() {
  if (parked_.empty() || std::exchange(parked_posted_, true)) return;
  retain();
  loop_.post(*static_cast<ZmqParkedJob*>(this));
}

void ZmqCore::run_parked(Job* job) noexcept {
  auto* self = static_cast<ZmqCore*>(static_cast<ZmqParkedJob*>(job));
  self->parked_posted_ = false;
  self->deliver_parked();
  self->release();
}

void ZmqCore::deliver_parked() {
  while (state_ != State::closed && events_ != nullptr && !paused_ && !parked_.empty()) {
    std::vector<ZmqPart> parts = std::move(parked_.front());
    parked_.pop_front();
    for (const ZmqPart& part : parts) parked_bytes_ -= sizeof(ZmqPart) + part.size();
    take(parts);
  }
  if (connection_gone_ && parked_.empty()) gone();
}

void ZmqCore::gone() {
  connection_gone_ = true;
  // The reader has not seen all that came before.
  if (state_ == State::open && !parked_.empty()) return;
  finish(naive_ ? Error(Errc::peer_closed)
                : Error(Errc::connection_reset, info_.peer + " went without a farewell"));
}

void ZmqCore::retry() noexcept {
  const Ref<ZmqCore> self(this);
  if (blocked_ && state_ != State::closed) flush();
}

void ZmqCore::flush() noexcept {
  bool progress = false;
  while (!queue_.empty()) {
    switch (hand_over_with_payload(queue_.front())) {
      case ZmqSent::sent:
        break;
      case ZmqSent::full:
        return wait_for_room(progress);
      default:
        return lost_connection();
    }
    submitted_ += queue_.front().bytes();
    queued_bytes_ -= queue_.front().bytes();
    queue_.pop_front();
    progress = true;
  }
  written();
}

void ZmqCore::lost_connection() {
  connection_gone_ = true;
  finish(Error(Errc::connection_reset, info_.peer + " is no longer connected"));
}

void ZmqCore::wait_for_room(bool progress) {
  if (progress || !blocked_) progress_at_ = loop_.clock().monotonic();
  blocked_ = true;
  if (!Timer::armed()) loop_.timers().add(*this, progress_at_ + write_timeout_);
  on_blocked();
  check_low_water();
}

void ZmqCore::written() {
  blocked_ = false;
  loop_.timers().remove(*this);
  if (state_ == State::closing) return finish(cause_);
  check_low_water();
}

// Posted, so that an endless supply of output cannot keep the loop from its other sockets.
void ZmqCore::check_low_water() {
  if (!above_high_ || queued_bytes_ >= kLinkLowWaterBytes || writable_posted_) return;
  above_high_ = false;
  writable_posted_ = true;
  retain();
  loop_.post(*static_cast<ZmqWritableJob*>(this));
}

void ZmqCore::deliver_writable(Job* job) noexcept {
  auto* self = static_cast<ZmqCore*>(static_cast<ZmqWritableJob*>(job));
  self->writable_posted_ = false;
  if (self->events_ != nullptr && self->state_ == State::open) self->events_->on_writable();
  self->release();
}

void ZmqCore::write_timer_fired(Timer* timer) noexcept {
  auto* self = static_cast<ZmqCore*>(timer);
  const MonotonicTime due = self->progress_at_ + self->write_timeout_;
  if (due > self->loop_.now()) {
    self->loop_.timers().add(*self, due);
    return;
  }
  write_timeouts.add();
  self->finish(Error(Errc::write_timeout, self->info_.peer + " took no byte of " +
                                              std::to_string(self->queued_bytes()) +
                                              " that are queued"));
}

// The one end.  Events are told in a later step: whoever caused it may be in the middle of his own.
void ZmqCore::finish(Error cause) noexcept {
  if (state_ == State::closed) return;
  if (state_ == State::open) cause_ = std::move(cause);
  const bool in_order = state_ == State::closing && queue_.empty();
  state_ = State::closed;
  loop_.timers().remove(*this);
  const Ref<ZmqCore> self(this);
  if (!in_order) say_farewell();
  queue_.clear();
  queued_bytes_ = 0;
  parked_.clear();
  flight_->abandon();
  lease_ = LinkLease();
  on_finished(cause_);
  if (events_ == nullptr) return;
  retain();
  loop_.post(*static_cast<ZmqCloseJob*>(this));
}

void ZmqCore::deliver_closed(Job* job) noexcept {
  auto* self = static_cast<ZmqCore*>(static_cast<ZmqCloseJob*>(job));
  LinkEvents* events = std::exchange(self->events_, nullptr);
  if (events != nullptr) events->on_closed(self->cause_);
  self->release();
}

namespace {

class ZmqLink final : public Link {
 public:
  explicit ZmqLink(Ref<ZmqCore> core) : core_(std::move(core)) {}
  ~ZmqLink() override { core_->abandon(); }

  void start(LinkEvents& events) override { core_->start(events); }
  void send(wire::OutFrame& frame) override { core_->send(frame); }
  // Only byte links have a preface.
  void send_raw(ByteView) override {}
  void pause_reading(bool paused) override { core_->pause_reading(paused); }
  void close(const Error& cause) override { core_->close(cause); }
  void linger_until(MonotonicTime deadline) override { core_->linger_until(deadline); }
  std::size_t queued_bytes() const noexcept override { return core_->queued_bytes(); }
  std::uint64_t bytes_taken() const noexcept override { return core_->bytes_taken(); }
  std::uint64_t bytes_submitted() const noexcept override { return core_->bytes_submitted(); }
  const LinkInfo& info() const noexcept override { return core_->info(); }

 private:
  Ref<ZmqCore> core_;
};

}  // namespace

std::unique_ptr<Link> make_zmq_link(Ref<ZmqCore> core) {
  return std::make_unique<ZmqLink>(std::move(core));
}

}  // namespace spanwire::transport
