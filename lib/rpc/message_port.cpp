#include "lib/rpc/message_port.hpp"

#include <algorithm>

#include "lib/rpc/hop.hpp"

namespace spanwire::rpc {

// A task on the loop that waits for a message or for room.
struct MessagePort::Waiter final : Suspension {
  explicit Waiter(Waiter*& s) noexcept : slot(s) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &Waiter::on_cancel)) {
      cancelled = true;
      return false;
    }
    slot = this;
    return true;
  }
  // False: the wait was cancelled.
  bool await_resume() const noexcept { return !cancelled; }

  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Waiter*>(suspension);
    self->cancelled = true;
    self->slot = nullptr;
    self->resume_later();
  }

  Waiter*& slot;
  bool cancelled = false;
};

MessagePort::PortJob::PortJob(MessagePort* p, void (MessagePort::*w)() noexcept) noexcept
    : Job([](Job* job) noexcept {
        const auto* const self = static_cast<PortJob*>(job);
        MessagePort& owner = *self->port;
        (owner.*self->work)();
        owner.port_release();
      }),
      port(p),
      work(w) {}

MessagePort::MessagePort() noexcept = default;
MessagePort::~MessagePort() { SPANWIRE_ASSERT(reader_ == nullptr && writer_ == nullptr); }

void MessagePort::wake(Waiter*& waiter) noexcept {
  if (waiter == nullptr) return;
  Waiter* waiting = std::exchange(waiter, nullptr);
  waiting->resume();
}

void MessagePort::push(channel::InBody data, bool end) {
  if (in_closed_) return;
  // An end flag alone carries no message.
  if (!data.bytes.empty() || !end) in_.push_back(data.take());
  if (end) in_closed_ = true;
  if (reader_ == nullptr) return;
  if (in_.size() >= kMessagesAtOnce) return wake(reader_);
  if (std::exchange(wake_scheduled_, true)) return;
  port_retain();
  port_loop_->at_turn_end(wake_job_);
}

void MessagePort::wake_reader() noexcept {
  wake_scheduled_ = false;
  wake(reader_);
}

void MessagePort::close_reading(const Error& why) {
  if (in_closed_ && in_end_.code() != Errc::ok) return;
  in_closed_ = true;
  in_end_ = why;
  wake(reader_);
}

void MessagePort::close_writing() noexcept {
  out_closed_.store(true, std::memory_order_release);
  wake(writer_);
}

void MessagePort::room() noexcept {
  if (has_outbox()) {
    flush_outbox();
    if (!has_outbox()) outbox_sent();
  }
  if (!has_outbox()) wake(writer_);
}

std::optional<Slice> MessagePort::try_read() {
  if (!port_loop_->runs_here() || in_.empty()) return std::nullopt;
  Slice message = std::move(in_.front());
  in_.pop_front();
  consumed(std::max<std::size_t>(1, message.size()));
  return message;
}

Result<std::optional<Slice>> MessagePort::end_of_reading() const {
  if (in_end_.code() != Errc::ok) return fail(in_end_);
  return std::optional<Slice>();
}

Task<Result<std::optional<Slice>>> MessagePort::read() {
  if (port_loop_->runs_here()) return read_here();
  return [](transport::Loop* loop,
            Task<Result<std::optional<Slice>>> inner) -> Task<Result<std::optional<Slice>>> {
    Result<std::optional<Slice>> message = co_await run_on(*loop, std::move(inner));
    co_return message;
  }(port_loop_, read_here());
}

Task<Result<std::optional<Slice>>> MessagePort::read_here() {
  for (;;) {
    if (!in_.empty()) co_return try_read();
    if (in_closed_) co_return end_of_reading();
    SPANWIRE_ASSERT(reader_ == nullptr);
    Waiter waiter(reader_);
    const bool woken = co_await waiter;
    if (!woken) co_return fail(Errc::cancelled);
  }
}

Task<Result<void>> MessagePort::write(Slice message) {
  if (port_loop_->runs_here()) return write_here(std::move(message));
  return [](transport::Loop* loop, Task<Result<void>> inner) -> Task<Result<void>> {
    Result<void> written = co_await run_on(*loop, std::move(inner));
    co_return written;
  }(port_loop_, write_here(std::move(message)));
}

Task<Result<void>> MessagePort::write_here(Slice message) {
  for (;;) {
    const TryWrite outcome = write_now(message, false);
    if (outcome == TryWrite::ok) co_return Result<void>();
    if (outcome == TryWrite::cancelled) co_return fail(Errc::stream_closed);
    SPANWIRE_ASSERT(writer_ == nullptr);
    Waiter waiter(writer_);
    const bool woken = co_await waiter;
    if (!woken) co_return fail(Errc::cancelled);
  }
}

TryWrite MessagePort::try_write(Slice& message) {
  if (port_loop_->runs_here()) return write_now(message, false);
  return post_message(message, false);
}

void MessagePort::end_writing() {
  Slice nothing;
  if (port_loop_->runs_here()) {
    if (write_now(nothing, true) == TryWrite::full) post_message(nothing, true);
    return;
  }
  post_message(nothing, true);
}

TryWrite MessagePort::write_now(Slice& message, bool end) noexcept {
  if (out_closed_.load(std::memory_order_acquire)) return TryWrite::cancelled;
  // What other threads have written goes first.
  if (outbox_used_.load(std::memory_order_acquire)) return TryWrite::full;
  const Result<channel::WriteResult> written = send_message(message, end);
  if (!written) return TryWrite::cancelled;
  return *written == channel::WriteResult::ok ? TryWrite::ok : TryWrite::full;
}

TryWrite MessagePort::post_message(Slice& message, bool end) {
  if (out_closed_.load(std::memory_order_acquire)) return TryWrite::cancelled;
  {
    const std::lock_guard lock(outbox_mutex_);
    if (!end && outbox_bytes_ >= kForeignOutboxBytesMax) return TryWrite::full;
    outbox_bytes_ += message.size();
    outbox_.push_back({std::move(message), end});
    outbox_used_.store(true, std::memory_order_release);
    if (std::exchange(flush_posted_, true)) return TryWrite::ok;
  }
  port_retain();
  port_loop_->post(flush_job_);
  return TryWrite::ok;
}

void MessagePort::flush_outbox() noexcept {
  const std::lock_guard lock(outbox_mutex_);
  flush_posted_ = false;
  std::size_t sent = 0;
  for (; sent < outbox_.size(); ++sent) {
    Outgoing& item = outbox_[sent];
    if (out_closed_.load(std::memory_order_relaxed)) continue;  // nobody wants it any more
    const std::size_t bytes = item.message.size();
    const Result<channel::WriteResult> written = send_message(item.message, item.end);
    if (written && *written == channel::WriteResult::full) break;
    outbox_bytes_ -= bytes;
  }
  outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!outbox_.empty()) return;
  outbox_bytes_ = 0;
  outbox_used_.store(false, std::memory_order_release);
}

}  // namespace spanwire::rpc
