// Suspension: what an awaitable holds while a task waits in it.
//
// An awaitable that waits for something derives from Suspension and follows one pattern:
//
//   bool await_suspend(std::coroutine_handle<P> handle) {
//     if (!suspend(handle, &MyAwaitable::on_cancel)) return false;   // cancelled: await_resume
//     says so
//     ... hand `this` to whoever will call resume() ...              // the last use of `this`
//     return true;
//   }
#pragma once

#include <coroutine>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/cancel_scope.hpp"
#include "spanwire/base/executor.hpp"

namespace spanwire {

namespace detail {

// The part of every task's promise that awaitables see.
class PromiseBase;

}  // namespace detail

// One wait of one task.  suspend() belongs to the task's executor; resume() may come from any
// thread, exactly once per successful suspend().
class Suspension : protected Job, protected CancelHook {
 public:
  // Called on the task's executor, at most once and never after the task was resumed, when its
  // scope is cancelled.  It must take the waiter out of whatever would resume it and then call
  // resume(), or start something that ends in resume() soon, or, if it finds that a resume() is
  // already under way on another thread, do nothing.
  using OnCancel = void (*)(Suspension*) noexcept;

  Suspension() noexcept : Job(&Suspension::run_posted), CancelHook(&Suspension::on_scope_cancel) {}

  // Notes who waits.  False, and nothing is noted, if `on_cancel` is given and the task's scope has
  // been cancelled: the await then does not suspend and reports Errc::cancelled.
  template <class Promise>
  [[nodiscard]] bool suspend(std::coroutine_handle<Promise> handle,
                             OnCancel on_cancel = nullptr) noexcept {
    return suspend(handle, handle.promise(), on_cancel);
  }

  // Lets the task go on: at once if this is its executor's thread and the stack allows, posted
  // otherwise.  The task, the awaitable and whoever owns them may be gone when it returns: call it
  // last, with nothing half changed and no lock held.
  void resume() noexcept {
    if (home_->runs_here()) {
      CancelHook::detach();
      if (home_->may_resume_here()) {
        Executor& home = *home_;
        const std::string_view before = home.current_label();
        home.label(label_);
        home.resume_chain(handle_);
        home.label(before);
        return;
      }
    }
    home_->post(*this);
  }
  // The same, but never from inside the caller.
  void resume_later() noexcept {
    if (home_->runs_here()) CancelHook::detach();
    home_->post(*this);
  }

  // Takes suspend() back, for an await_suspend that returns false after all.
  void stop_waiting() noexcept { CancelHook::detach(); }

  // The waiting task's executor; valid after suspend().
  Executor& home() const noexcept { return *home_; }

 private:
  bool suspend(std::coroutine_handle<> handle, detail::PromiseBase& promise,
               OnCancel on_cancel) noexcept;

  static void run_posted(Job* job) noexcept;
  static void on_scope_cancel(CancelHook* hook) noexcept;

  std::coroutine_handle<> handle_;
  Executor* home_ = nullptr;
  OnCancel on_cancel_ = nullptr;
  std::string_view label_;  // of the task's scope
};

}  // namespace spanwire
