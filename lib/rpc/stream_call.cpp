#include "lib/rpc/stream_call.hpp"

#include "lib/rpc/client_core.hpp"
#include "lib/rpc/hop.hpp"
#include "spanwire/base/blocking.hpp"

namespace spanwire::rpc {

// The task that waits until the call is open or has failed.
struct StreamCall::Opened final : Suspension {
  explicit Opened(StreamCall* c) noexcept : call(c) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &Opened::on_cancel)) {
      cancelled_early = true;
      return false;
    }
    if (!call->prepare()) {
      stop_waiting();
      return false;
    }
    call->retain();
    call->set_loop(call->loop());
    call->waiting_for_open_ = this;
    if (!call->on_own_loop()) {
      call->start();  // the last use of this object here
      return true;
    }
    starting = true;
    call->start();
    starting = false;
    if (!told) return true;
    stop_waiting();
    return false;
  }
  void await_resume() const noexcept {}

  void tell() noexcept {
    if (starting) {
      told = true;
    } else {
      resume();
    }
  }
  static void on_cancel(Suspension* suspension) noexcept {
    static_cast<Opened*>(suspension)->call->cancel(Errc::cancelled);
  }

  StreamCall* call;
  bool starting = false;
  bool told = false;
  bool cancelled_early = false;
};

Task<Result<Stream>> StreamCall::open(std::shared_ptr<ClientCore> core, trace::Context context,
                                      Path path, Slice payload, CallOptions options) {
  auto* call =
      new StreamCall(*core, std::move(context), std::move(path), std::move(payload), options);
  call->keep_core_ = std::move(core);
  Stream stream(call);
  Opened opened(call);
  co_await opened;
  if (opened.cancelled_early) co_return fail(Errc::cancelled);
  if (!call->is_opened_) co_return fail(call->result().error());
  co_return stream;
}

void StreamCall::opened() noexcept {
  // A call that went elsewhere is opened twice, and was told of once.
  if (std::exchange(is_opened_, true)) return;
  if (waiting_for_open_ != nullptr) std::exchange(waiting_for_open_, nullptr)->tell();
}

void StreamCall::finished() noexcept {
  Result<Reply>& outcome = result();
  close_writing();
  if (outcome) {
    reply_ = std::move(*outcome);
    close_reading(Error());
  } else {
    close_reading(outcome.error());
  }
  if (waiting_for_open_ != nullptr) std::exchange(waiting_for_open_, nullptr)->tell();
  release();
}

void StreamCall::give_up() noexcept {
  if (home() == nullptr || keep_core_->runtime().inherited_over_fork()) return;
  cancel(Errc::cancelled);
}

Result<channel::WriteResult> StreamCall::send_message(Slice& message, bool end) {
  if (!is_open()) return fail(Errc::stream_closed);
  return open_channel().write(open_id(), message, end);
}

void StreamCall::consumed(std::size_t bytes) noexcept {
  if (is_open()) open_channel().grant(open_id(), bytes);
}

Stream::Stream(Stream&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(call_, other.call_);
  return *this;
}

Stream::~Stream() {
  if (call_ == nullptr) return;
  call_->give_up();
  call_->release();
}

Task<Result<std::optional<Slice>>> Stream::read() { return call_->read(); }
std::optional<Slice> Stream::try_read() { return call_->try_read(); }
Task<Result<void>> Stream::write(Slice message) { return call_->write(std::move(message)); }
TryWrite Stream::try_write(Slice& message) { return call_->try_write(message); }
void Stream::end_writing() { call_->end_writing(); }
void Stream::cancel() { call_->give_up(); }
const Reply& Stream::reply() const noexcept { return call_->reply(); }

Result<std::optional<Slice>> Stream::read_blocking() {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "read_blocking on a loop's thread");
  return block_on(call_->stream_loop(), call_->read());
}

Result<void> Stream::write_blocking(Slice message) {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "write_blocking on a loop's thread");
  return block_on(call_->stream_loop(), call_->write(std::move(message)));
}

}  // namespace spanwire::rpc
