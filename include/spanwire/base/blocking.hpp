// block_on: waits for a task on a thread that runs no executor.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "spanwire/base/result.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire {

namespace detail {

template <class T>
struct BlockingResult {
  using Type = Result<T>;
};
template <class T>
struct BlockingResult<Result<T>> {
  using Type = Result<T>;
};

// A flag that one thread raises and another waits for.
class Latch {
 public:
  void raise() noexcept {
    // Under the lock: the waiter may destroy the latch as soon as it has seen the flag.
    const std::lock_guard lock(mutex_);
    raised_ = true;
    condition_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return raised_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool raised_ = false;
};

template <class T>
class Blocking final : private Job, private TaskHook {
 public:
  Blocking(Executor& home, Task<T> task)
      : Job(&Blocking::run_posted),
        TaskHook{&Blocking::task_done},
        home_(home),
        task_(std::move(task)) {}

  typename BlockingResult<T>::Type run() {
    home_.post(*this);
    latch_.wait();
    if constexpr (std::is_void_v<T>) {
      task_.take_result();
      return {};
    } else {
      return task_.take_result();
    }
  }

 private:
  static void run_posted(Job* job) noexcept {
    auto* self = static_cast<Blocking*>(job);
    self->task_.start(self->home_, *self);
  }
  static void task_done(TaskHook* hook) noexcept { static_cast<Blocking*>(hook)->latch_.raise(); }

  Executor& home_;
  Task<T> task_;
  Latch latch_;
};

}  // namespace detail

// Runs `task` on `home`, whose loop runs on another thread, and returns what it returns (a
// Result<T> stays one, a plain T becomes one) or rethrows what it threw.  Fails with
// would_deadlock, and runs nothing, on the thread of any executor.
template <class T>
typename detail::BlockingResult<T>::Type block_on(Executor& home, Task<T> task) {
  if (Executor::current() != nullptr) return fail(Errc::would_deadlock);
  return detail::Blocking<T>(home, std::move(task)).run();
}

}  // namespace spanwire
