#include "lib/transport/stream_link.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "lib/transport/read_block.hpp"
#include "lib/transport/send_queue.hpp"
#include "lib/transport/turn_output.hpp"
#include "spanwire/base/counters.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter write_timeouts("spanwire.transport.write_timeouts");

constexpr std::size_t kVectorsMax = 64;
// Reads of one readiness before other connections get their turn.
constexpr int kReadsPerTurn = 4;

struct CloseJob : Job {
  using Job::Job;
};
struct WritableJob : Job {
  using Job::Job;
};

// The part that survives the Link while jobs and operations point at it.
class Core final : public RefCounted,
                   public StreamEvents,
                   private OutputItem,
                   private Timer,
                   private CloseJob,
                   private WritableJob {
 public:
  Core(Executor& executor, Ref<ByteStream> stream, LinkInfo link_info,
       std::chrono::nanoseconds write_timeout, LinkLease lease)
      : OutputItem(&Core::flush_item),
        Timer(&Core::write_timer_fired),
        CloseJob(&Core::deliver_closed),
        WritableJob(&Core::deliver_writable),
        info(std::move(link_info)),
        executor_(executor),
        stream_(std::move(stream)),
        write_timeout_(write_timeout),
        lease_(std::move(lease)) {}

  void start(LinkEvents& events) {
    events_ = &events;
    stream_->start(*this);
    wait_readable();
  }

  void send(wire::OutFrame& frame) {
    if (state_ != State::open) return;
    const std::size_t head = wire::byte_head_bytes(frame);
    const std::size_t payload = frame.payload.size();
    if (payload < kCopyIntoQueueBelow) {
      std::byte* out = queue_.reserve(head + payload);
      wire::write_byte_head(frame, head, out);
      if (payload != 0) std::memcpy(out + head, frame.payload.data(), payload);
      queue_.commit(head + payload);
    } else {
      wire::write_byte_head(frame, head, queue_.reserve(head));
      queue_.commit(head);
      queue_.append(std::move(frame.payload));
    }
    sent(head + payload);
  }

  void send_raw(ByteView bytes) {
    if (state_ != State::open || bytes.empty()) return;
    queue_.append(bytes);
    sent(bytes.size());
  }

  void pause_reading(bool paused) {
    paused_ = paused;
    if (!paused) wait_readable();
  }

  void close(const Error& cause) {
    if (state_ != State::open) return;
    state_ = State::closing;
    cause_ = cause;
    if (!blocked_) flush();
  }

  // The Link is gone: no event may follow.
  void abandon() {
    events_ = nullptr;
    finish(Errc::cancelled);
  }

  std::size_t queued_bytes() const noexcept { return queue_.queued_bytes(); }
  std::uint64_t bytes_taken() const noexcept { return taken_; }
  std::uint64_t bytes_submitted() const noexcept { return submitted_; }

  const LinkInfo info;

 private:
  enum class State : std::uint8_t { open, closing, closed };

  bool reading() const noexcept { return state_ == State::open && !paused_ && events_ != nullptr; }

  void sent(std::size_t bytes) {
    taken_ += bytes;
    if (!listed() && !blocked_) TurnOutput::of_thread().list(executor_, *this);
    if (queue_.queued_bytes() >= kLinkFlushBytes) [[unlikely]] {
      above_high_ = above_high_ || queue_.queued_bytes() > kLinkHighWaterBytes;
      if (!blocked_) flush();
    }
    TurnOutput::of_thread().sent(executor_);
  }

  void wait_readable() {
    if (!reading() || read_waiting_) return;
    read_waiting_ = true;
    stream_->wait_readable();
  }

  void on_readable() override {
    const Ref<Core> self(this);
    read_waiting_ = false;
    for (int reads = 0; reads < kReadsPerTurn && reading(); ++reads) {
      if (!read_once(reads)) break;
    }
    ReadBlock::of_thread().rest();
    wait_readable();
  }

  // True if there may be more to read.
  bool read_once(int reads_before) {
    // What came meanwhile must not look as if it had come when the turn began.
    if (reads_before != 0) executor_.refresh_time();
    ReadBlock& read_block = ReadBlock::of_thread();
    const MutableByteView target = events_->read_target();
    const MutableByteView room = read_block.room();
    std::array<iovec, 2> into{};
    std::size_t vectors = 0;
    if (!target.empty()) into[vectors++] = {target.data(), target.size()};
    into[vectors++] = {room.data(), room.size()};

    const IoResult result = stream_->read({into.data(), vectors});
    if (result.status == IoStatus::would_block) return false;
    if (result.status == IoStatus::ended) {
      finish(Errc::peer_closed);
      return false;
    }
    if (result.status == IoStatus::failed) {
      finish(result.error);
      return false;
    }
    deliver(result.bytes, target.size(), room, read_block);
    return result.bytes == target.size() + room.size();
  }

  void deliver(std::size_t bytes, std::size_t target_bytes, MutableByteView room,
               ReadBlock& read_block) {
    const std::size_t in_target = std::min(bytes, target_bytes);
    const std::size_t in_block = bytes - in_target;
    if (in_target != 0) events_->on_target_filled(in_target);
    if (in_block == 0 || events_ == nullptr || state_ != State::open) return;
    // What was read is handed on also when reading was paused meanwhile: it is here.
    events_->on_bytes({room.data(), in_block}, read_block.block());
    read_block.used(in_block);
  }

  static void flush_item(OutputItem* item) noexcept {
    auto* self = static_cast<Core*>(item);
    if (self->state_ != State::closed && !self->blocked_) self->flush();
  }

  void flush() noexcept {
    while (!queue_.empty()) {
      std::array<iovec, kVectorsMax> vectors;
      const std::size_t count = queue_.fill(vectors);
      std::size_t offered = 0;
      for (std::size_t i = 0; i < count; ++i) offered += vectors[i].iov_len;
      const IoResult result = stream_->write({vectors.data(), count});
      if (result.status == IoStatus::failed) return finish(result.error);
      submitted_ += result.bytes;
      queue_.consume(result.bytes);
      if (result.bytes < offered) return wait_writable(result.bytes != 0);
    }
    written();
  }

  void wait_writable(bool progress) {
    if (progress || !blocked_) progress_at_ = executor_.clock().monotonic();
    blocked_ = true;
    if (!Timer::armed()) executor_.timers().add(*this, progress_at_ + write_timeout_);
    stream_->wait_writable();
    check_low_water();
  }

  void written() {
    blocked_ = false;
    executor_.timers().remove(*this);
    if (state_ == State::closing) return finish(cause_);
    check_low_water();
  }

  // Posted, so that an endless supply of output cannot keep the loop from its other sockets.
  void check_low_water() {
    if (!above_high_ || queue_.queued_bytes() >= kLinkLowWaterBytes || writable_posted_) return;
    above_high_ = false;
    writable_posted_ = true;
    retain();
    executor_.post(*static_cast<WritableJob*>(this));
  }

  static void deliver_writable(Job* job) noexcept {
    auto* self = static_cast<Core*>(static_cast<WritableJob*>(job));
    self->writable_posted_ = false;
    if (self->events_ != nullptr && self->state_ == State::open) self->events_->on_writable();
    self->release();
  }

  void on_writable() override {
    const Ref<Core> self(this);
    if (state_ != State::closed) flush();
  }

  static void write_timer_fired(Timer* timer) noexcept {
    auto* self = static_cast<Core*>(timer);
    const MonotonicTime due = self->progress_at_ + self->write_timeout_;
    if (due > self->executor_.now()) {
      self->executor_.timers().add(*self, due);
      return;
    }
    write_timeouts.add();
    self->finish(Error(Errc::write_timeout, self->info.peer + " took no byte of " +
                                                std::to_string(self->queued_bytes()) +
                                                " that are queued"));
  }

  // The one end.  Events are told in a later step: whoever caused it may be in the middle of his
  // own.
  void finish(Error cause) noexcept {
    if (state_ == State::closed) return;
    const bool in_order = state_ == State::closing && queue_.empty();
    if (state_ == State::open) cause_ = std::move(cause);
    state_ = State::closed;
    TurnOutput::of_thread().remove(*this);
    executor_.timers().remove(*this);
    queue_.clear();
    if (in_order) stream_->end_writing();
    stream_->close();
    lease_ = LinkLease();
    if (events_ == nullptr) return;
    retain();
    executor_.post(*static_cast<CloseJob*>(this));
  }

  static void deliver_closed(Job* job) noexcept {
    auto* self = static_cast<Core*>(static_cast<CloseJob*>(job));
    LinkEvents* events = std::exchange(self->events_, nullptr);
    if (events != nullptr) events->on_closed(self->cause_);
    self->release();
  }

  Executor& executor_;
  Ref<ByteStream> stream_;
  std::chrono::nanoseconds write_timeout_;
  LinkLease lease_;
  LinkEvents* events_ = nullptr;
  State state_ = State::open;
  bool paused_ = false;
  bool read_waiting_ = false;
  bool blocked_ = false;  // a write found no room; writability is awaited
  bool above_high_ = false;
  bool writable_posted_ = false;
  std::uint64_t taken_ = 0;
  std::uint64_t submitted_ = 0;
  SendQueue queue_;
  MonotonicTime progress_at_;
  Error cause_;
};

class StreamLink final : public Link {
 public:
  explicit StreamLink(Core* core) : core_(core) {}
  ~StreamLink() override { core_->abandon(); }

  void start(LinkEvents& events) override { core_->start(events); }
  void send(wire::OutFrame& frame) override { core_->send(frame); }
  void send_raw(ByteView bytes) override { core_->send_raw(bytes); }
  void pause_reading(bool paused) override { core_->pause_reading(paused); }
  void close(const Error& cause) override { core_->close(cause); }
  std::size_t queued_bytes() const noexcept override { return core_->queued_bytes(); }
  std::uint64_t bytes_taken() const noexcept override { return core_->bytes_taken(); }
  std::uint64_t bytes_submitted() const noexcept override { return core_->bytes_submitted(); }
  const LinkInfo& info() const noexcept override { return core_->info; }

 private:
  Ref<Core> core_;
};

}  // namespace

std::unique_ptr<Link> make_stream_link(Executor& executor, Ref<ByteStream> stream, LinkInfo info,
                                       std::chrono::nanoseconds write_timeout, LinkLease lease) {
  return std::make_unique<StreamLink>(
      new Core(executor, std::move(stream), std::move(info), write_timeout, std::move(lease)));
}

}  // namespace spanwire::transport
