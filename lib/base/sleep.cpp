#include "spanwire/base/sleep.hpp"

namespace spanwire {
namespace {

class Sleep : private Suspension, private Timer {
 public:
  explicit Sleep(MonotonicTime deadline) noexcept : Timer(&Sleep::on_time), until_(deadline) {}

  bool await_ready() const noexcept { return false; }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    Executor& home = handle.promise().home();
    if (until_ <= home.now()) return false;
    if (!suspend(handle, &Sleep::on_cancel)) {
      cancelled_ = true;
      return false;
    }
    home.timers().add(*this, until_);
    return true;
  }

  Result<void> await_resume() const {
    if (cancelled_) return fail(Errc::cancelled);
    return {};
  }

 private:
  static void on_time(Timer* timer) noexcept { static_cast<Sleep*>(timer)->resume(); }
  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Sleep*>(suspension);
    // Not armed: it has fired, and the resumption is on its way.
    if (!self->armed()) return;
    self->home().timers().remove(*self);
    self->cancelled_ = true;
    self->resume();
  }

  MonotonicTime until_;
  bool cancelled_ = false;
};

struct Now {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    time = handle.promise().home().now();
    return false;
  }
  MonotonicTime await_resume() const noexcept { return time; }
  MonotonicTime time;
};

}  // namespace

Task<Result<void>> sleep_until(MonotonicTime deadline) {
  Sleep sleep(deadline);
  co_return co_await sleep;
}

Task<Result<void>> sleep_for(std::chrono::nanoseconds duration) {
  Now now;
  const MonotonicTime start = co_await now;
  Sleep sleep(start + duration);
  co_return co_await sleep;
}

}  // namespace spanwire
