// run_on: awaits a task that runs on another executor.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <utility>

#include "spanwire/base/cancel_scope.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/suspension.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire::rpc {

// Runs `task` on `executor` and resumes at the awaiting task's own home with its result. Cancelling
// the awaiting task cancels the one that runs; the wait ends when that has ended.
template <class T>
class [[nodiscard]] Hop final : private Suspension, private TaskHook {
 public:
  Hop(Executor& executor, Task<T> task)
      : TaskHook{&Hop::task_done}, executor_(executor), task_(std::move(task)) {}
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    // A scope that is cancelled already is told to the task by the task's own first wait.
    if (!suspend(handle, &Hop::on_cancel)) {
      scope_.request_cancel();
      static_cast<void>(suspend(handle));
    }
    executor_.post(start_job_);
    return true;
  }
  T await_resume() { return task_.take_result(); }

 private:
  struct StartJob : Job {
    explicit StartJob(Hop* o) noexcept
        : Job([](Job* job) noexcept { static_cast<StartJob*>(job)->owner->run(); }), owner(o) {}
    Hop* owner;
  };
  struct CancelJob : Job {
    explicit CancelJob(Hop* o) noexcept
        : Job([](Job* job) noexcept { static_cast<CancelJob*>(job)->owner->run_cancel(); }),
          owner(o) {}
    Hop* owner;
  };

  static void task_done(TaskHook* hook) noexcept {
    auto* self = static_cast<Hop*>(hook);
    self->done_ = true;
    if (!self->take_end()) return;
    self->resume();
  }
  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Hop*>(suspension);
    State running = State::running;
    if (self->state_.compare_exchange_strong(running, State::cancelling))
      self->executor_.post(self->cancel_job_);
  }
  void run() noexcept { task_.start(executor_, *this, &scope_); }
  // False: a cancel job still refers to this object and finishes in our stead.
  bool take_end() noexcept {
    State running = State::running;
    return state_.compare_exchange_strong(running, State::ended) || cancel_ran_;
  }
  void run_cancel() noexcept {
    cancel_ran_ = true;
    if (done_) {
      resume();
    } else {
      scope_.request_cancel();
    }
  }

  enum class State : std::uint8_t { running, cancelling, ended };

  Executor& executor_;
  Task<T> task_;
  CancelScope scope_;
  StartJob start_job_{this};
  CancelJob cancel_job_{this};
  std::atomic<State> state_{State::running};
  bool done_ = false;
  bool cancel_ran_ = false;
};

template <class T>
Hop<T> run_on(Executor& executor, Task<T> task) {
  return Hop<T>(executor, std::move(task));
}

}  // namespace spanwire::rpc
