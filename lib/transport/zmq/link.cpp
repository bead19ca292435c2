#include "lib/transport/zmq/link.hpp"

#include <string>
#include <utility>

#include "spanwire/base/counters.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::transport {
namespace {

// What waits for the end of a turn at most.  Less than other links keep: libzmq's thread sends what
// it has got while this one goes on with its turn.
constexpr std::size_t kHandOverBytes = 8u << 10;

constinit NamedCounter write_timeouts("spanwire.transport.write_timeouts");
constinit NamedCounter over_budget("spanwire.zmq.parked_over_budget");

}  // namespace

ZmqCore::ZmqCore(Loop& loop, LinkInfo info, const ZmqOptions& options,
                 std::chrono::nanoseconds write_timeout, LinkLease lease)
    : OutputItem(&ZmqCore::flush_item),
      Timer(&ZmqCore::write_timer_fired),
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

void ZmqCore::send(wire::OutFrame& frame) {
  if (state_ != State::open) return;
  wire::OutParts out;
  wire::lay_out_parts(frame, out);
  add_envelope(queue_);
  std::size_t bytes = 0;
  Slice large;
  for (std::size_t i = 0; i < out.count; ++i) {
    const ByteView part = out.parts[i];
    bytes += part.size();
    const bool keep = part.size() >= kZmqCopyBelow && out.payload_last && i + 1 == out.count;
    queue_.add(keep ? ZmqPart() : copied_part(part));
    if (keep) large = std::move(frame.payload);
  }
  queue_.end(bytes, std::move(large));
  sent(bytes);
}

void ZmqCore::sent(std::size_t bytes) {
  taken_ += bytes;
  if (!listed() && !blocked_) TurnOutput::of_thread().list(loop_, *this);
  if (queue_.bytes() >= kHandOverBytes) [[unlikely]] {
    above_high_ = above_high_ || queue_.bytes() > kLinkHighWaterBytes;
    if (!blocked_) flush();
  }
  TurnOutput::of_thread().sent(loop_);
}

// A script is told only of its own mistake: it may be between two calls, and would take anything
// for the answer to the next.
bool ZmqCore::owes_farewell() const noexcept {
  return !connection_gone_ && (!naive_ || is_protocol_error(cause_.code()));
}

void ZmqCore::add_farewell() {
  const auto control = wire::encode_farewell();
  add_envelope(queue_);
  queue_.add(copied_part(control));
  queue_.end(control.size());
  taken_ += control.size();
}

void ZmqCore::say_farewell() {
  if (!owes_farewell()) return;
  queue_.clear();
  add_farewell();
  static_cast<void>(hand_over(queue_.front()));
  queue_.clear();
}

void ZmqCore::close(const Error& cause) {
  if (state_ != State::open) return;
  state_ = State::closing;
  cause_ = cause;
  if (owes_farewell()) add_farewell();
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
  const ByteView control = part_bytes(parts[0]);
  // An empty message says that a peer is there, which is known.
  if (parts.size() == 1 && control.empty()) return;
  if (parts.size() == 1 && wire::is_farewell(control)) {
    peer_left_ = true;
    return finish(Errc::peer_closed);
  }
  if (state_ != State::open) return;
  if (!std::exchange(heard_, true)) naive_ = wire::is_request(control);
  std::array<Slice, ZmqMessage::kPartsKept> slices;
  for (std::size_t i = 0; i < parts.size(); ++i) slices[i] = slice_of(parts[i]);
  events_->on_message({slices.data(), parts.size()});
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

void ZmqCore::flush_item(OutputItem* item) noexcept {
  auto* self = static_cast<ZmqCore*>(item);
  if (self->state_ != State::closed && !self->blocked_) self->flush();
}

void ZmqCore::retry() noexcept {
  const Ref<ZmqCore> self(this);
  if (blocked_ && state_ != State::closed) flush();
}

void ZmqCore::flush() noexcept {
  bool progress = false;
  while (!queue_.empty()) {
    if (!queue_.front_payload().empty()) {
      if (flight_->full()) {
        flight_->wait();
        return wait_for_room(progress);
      }
      queue_.front().back() = flight_->take(std::move(queue_.front_payload()));
    }
    const std::size_t bytes = queue_.front_bytes();
    switch (hand_over(queue_.front())) {
      case ZmqSent::sent:
        break;
      case ZmqSent::full:
        return wait_for_room(progress);
      case ZmqSent::unreachable:
      case ZmqSent::failed:
        connection_gone_ = true;
        return finish(Error(Errc::connection_reset, info_.peer + " is no longer connected"));
    }
    submitted_ += bytes;
    queue_.pop();
    progress = true;
  }
  written();
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
  if (!above_high_ || queue_.bytes() >= kLinkLowWaterBytes || writable_posted_) return;
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
  TurnOutput::of_thread().remove(*this);
  loop_.timers().remove(*this);
  const Ref<ZmqCore> self(this);
  if (!in_order) say_farewell();
  queue_.clear();
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
