// spawn: lets a task run by itself.
#pragma once

#include <exception>
#include <utility>

#include "spanwire/base/pool.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire {

namespace detail {

// Counts and logs an exception that nobody will see otherwise.
void report_lost_exception(const std::exception_ptr& exception) noexcept;

template <class T, class OnDone>
class Spawned final : public Pooled, private Job, private TaskHook {
 public:
  Spawned(Executor& home, Task<T> task, OnDone on_done, CancelScope* scope)
      : Job(&Spawned::run_posted),
        TaskHook{&Spawned::task_done},
        home_(home),
        task_(std::move(task)),
        on_done_(std::move(on_done)),
        scope_(scope) {}

  void post() noexcept { home_.post(*this); }

 private:
  static void run_posted(Job* job) noexcept {
    auto* self = static_cast<Spawned*>(job);
    self->task_.start(self->home_, *self, self->scope_);
  }
  static void task_done(TaskHook* hook) noexcept {
    auto* self = static_cast<Spawned*>(hook);
    Task<T> task = std::move(self->task_);
    OnDone on_done = std::move(self->on_done_);
    delete self;
    on_done(task);
  }

  Executor& home_;
  Task<T> task_;
  OnDone on_done_;
  CancelScope* scope_;
};

struct ReportException {
  template <class T>
  void operator()(Task<T>& task) const noexcept {
    if (std::exception_ptr exception = task.exception()) report_lost_exception(exception);
  }
};

}  // namespace detail

// Runs `task` on `home`, beginning in a later step of its loop.  Safe from any thread.
// `on_done(Task<T>& done)` is called on `home` when the task has ended; done.take_result() returns
// what it returned or rethrows what it threw.  on_done must not throw.  A given scope must outlive
// the task.
template <class T, class OnDone>
void spawn(Executor& home, Task<T> task, OnDone on_done, CancelScope* scope = nullptr) {
  (new detail::Spawned<T, OnDone>(home, std::move(task), std::move(on_done), scope))->post();
}

// The same for a result that nobody wants; an exception that leaves the task is counted and logged.
template <class T>
void spawn(Executor& home, Task<T> task) {
  spawn(home, std::move(task), detail::ReportException());
}

}  // namespace spanwire
