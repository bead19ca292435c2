// Task<T>: the coroutine type of Spanwire.  Lazy; runs on one executor, its home, from start to
// end.
//
//   Task<Result<Reply>> ask(Client& client, Context context, Slice question);
//
// - Nothing runs until the task is awaited, started or spawned.  Awaiting costs a frame from the
// pool and a
//   few instructions; a child that ends without waiting never suspends its parent.
// - A child inherits home and cancel scope; every await resumes at home.
// - An exception that leaves a task is rethrown where it is awaited.
// - A cancelled task goes on: awaits that would wait return Errc::cancelled.  Frames end only at
// their end.
//   Dropping a task that waits requests cancel and lets it run out by itself.
// - Inside a task, await other tasks and awaitables made with Suspension, nothing else.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include "spanwire/base/promise.hpp"

namespace spanwire {

// Types that are safe in the signature of a coroutine under every supported compiler: say so once
// per type with a static_assert.  Aggregates with members to destroy are not (g++ 12 frees them
// twice).
template <class T>
concept AsyncValue =
    std::is_void_v<T> || (std::movable<T> && std::default_initializable<T> &&
                          (!std::is_aggregate_v<T> || std::is_trivially_destructible_v<T>));

// One thread at a time until started, then only on its home executor.  Movable at any time.
template <class T = void>
class [[nodiscard]] Task {
 public:
  class promise_type final : public detail::PromiseResult<T> {
   public:
    Task get_return_object() noexcept {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    detail::PromiseBase::FinalAwaiter final_suspend() noexcept { return {}; }
  };

  Task() noexcept = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      drop();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { drop(); }

  // False for a default-constructed task and one that was moved from.
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  bool started() const noexcept { return handle_ && handle_.promise().started(); }
  bool done() const noexcept { return handle_ && handle_.promise().done(); }

  // Runs the task inline until it first waits.  The caller is on `home`.  `hook.done` is called
  // exactly once, at the end, maybe before start() returns; it may destroy the task.  It is not
  // called if the task is dropped before its end.  Without a scope the task gets one of its own; a
  // given scope must outlive the task's end, also after a drop.
  void start(Executor& home, TaskHook& hook, CancelScope* scope = nullptr) {
    SPANWIRE_ASSERT(handle_ && home.runs_here());
    handle_.promise().begin(home, hook, scope);
    handle_.resume();
  }
  // The scope of a started task; null if it is shielded.
  CancelScope* scope() const noexcept { return handle_.promise().scope(); }

  // What a done task returned, or rethrows what it threw.  Once.
  T take_result() {
    SPANWIRE_ASSERT(done());
    return handle_.promise().take();
  }
  // What a done task threw, or null.
  std::exception_ptr exception() const noexcept { return handle_.promise().exception(); }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> child) noexcept : child_(child) {}
    bool await_ready() const noexcept { return false; }
    template <class Parent>
    bool await_suspend(std::coroutine_handle<Parent> parent) const noexcept {
      promise_type& promise = child_.promise();
      promise.begin_within(parent.promise());
      child_.resume();
      // The flag instead of a transfer: a loop over children that end at once keeps its stack.
      if (promise.done()) return false;
      promise.set_waiter(parent);
      return true;
    }
    T await_resume() const { return child_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> child_;
  };
  Awaiter operator co_await() && noexcept {
    SPANWIRE_ASSERT(handle_ != nullptr);
    return Awaiter(handle_);
  }

  // Makes the task deaf to cancellation, for cleaning up; before it is awaited or started.
  Task&& shielded() && noexcept {
    handle_.promise().shield();
    return std::move(*this);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  void drop() noexcept {
    if (!handle_) return;
    std::coroutine_handle<promise_type> handle = std::exchange(handle_, nullptr);
    if (handle.promise().started() && !handle.promise().done()) {
      handle.promise().abandon();
    } else {
      handle.destroy();
    }
  }

  std::coroutine_handle<promise_type> handle_;
};

}  // namespace spanwire
