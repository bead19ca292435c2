// The promise of every Task: where it runs, who waits for it, how it ends.  Part of task.hpp.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/cancel_scope.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/pool.hpp"
#include "spanwire/base/suspension.hpp"

namespace spanwire {

// What start() calls when the task has ended.
struct TaskHook {
  void (*done)(TaskHook*) noexcept = nullptr;
};

namespace detail {

class PromiseBase {
 public:
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { pool_free(frame, bytes); }

  PromiseBase() noexcept = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  // Only the owner's thread, between start and end.
  Executor& home() const noexcept { return *home_; }
  // Null for a task that cannot be cancelled.
  CancelScope* scope() const noexcept { return scope_; }

  bool started() const noexcept { return home_ != nullptr; }
  bool done() const noexcept { return done_; }

  std::suspend_always initial_suspend() noexcept { return {}; }

  // Begins to run as a part of `parent`.
  void begin_within(const PromiseBase& parent) noexcept {
    SPANWIRE_ASSERT(!started());
    home_ = parent.home_;
    if (!shielded_) scope_ = parent.scope_;
  }
  // The parent could not go on at once and is resumed at the end.
  void set_waiter(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }

  // Begins to run as a root.
  void begin(Executor& home, TaskHook& hook, CancelScope* scope) {
    SPANWIRE_ASSERT(!started());
    if (scope == nullptr && !shielded_) {
      scope = new (pool_allocate(sizeof(CancelScope))) CancelScope;
      owns_scope_ = true;
    }
    home_ = &home;
    hook_ = &hook;
    if (!shielded_) scope_ = scope;
  }
  // Nobody will take the result: the frame frees itself at its end.
  void abandon() noexcept {
    hook_ = nullptr;
    abandoned_ = true;
    if (scope_ != nullptr) scope_->request_cancel();
  }
  void shield() noexcept { shielded_ = true; }

 protected:
  ~PromiseBase() {
    if (owns_scope_) free_scope();
  }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    // The frame may be gone when finish() returns.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      handle.promise().finish(handle);
    }
    void await_resume() const noexcept {}
  };

 private:
  friend struct FinalAwaiter;

  void finish(std::coroutine_handle<> self) noexcept {
    done_ = true;
    if (waiter_) {
      home_->next_ = waiter_;
    } else if (hook_ != nullptr) {
      hook_->done(hook_);
    } else if (abandoned_) {
      self.destroy();
    }
  }
  void free_scope() noexcept {
    scope_->~CancelScope();
    pool_free(scope_, sizeof(CancelScope));
  }

  std::coroutine_handle<> waiter_;
  Executor* home_ = nullptr;
  CancelScope* scope_ = nullptr;
  TaskHook* hook_ = nullptr;
  bool done_ = false;
  bool abandoned_ = false;
  bool owns_scope_ = false;
  bool shielded_ = false;
};

enum class Outcome : unsigned char { none, value, exception };

template <class T>
class PromiseResult : public PromiseBase {
 public:
  PromiseResult() noexcept {}
  ~PromiseResult() { clear(); }

  template <class U>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U&&>) {
    std::construct_at(&value_, std::forward<U>(value));
    outcome_ = Outcome::value;
  }
  void unhandled_exception() noexcept {
    std::construct_at(&exception_, std::current_exception());
    outcome_ = Outcome::exception;
  }

  std::exception_ptr exception() const noexcept {
    return outcome_ == Outcome::exception ? exception_ : std::exception_ptr();
  }
  T take() {
    SPANWIRE_ASSERT(outcome_ != Outcome::none);
    if (outcome_ == Outcome::exception) std::rethrow_exception(exception_);
    return std::move(value_);
  }

 private:
  void clear() noexcept {
    if (outcome_ == Outcome::value) std::destroy_at(&value_);
    if (outcome_ == Outcome::exception) std::destroy_at(&exception_);
  }
  union {
    T value_;
    std::exception_ptr exception_;
  };
  Outcome outcome_ = Outcome::none;
};

template <>
class PromiseResult<void> : public PromiseBase {
 public:
  void return_void() noexcept {}
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }
  std::exception_ptr exception() const noexcept { return exception_; }
  void take() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::exception_ptr exception_;
};

}  // namespace detail

inline bool Suspension::suspend(std::coroutine_handle<> handle, detail::PromiseBase& promise,
                                OnCancel on_cancel) noexcept {
  CancelScope* scope = promise.scope();
  if (on_cancel != nullptr && scope != nullptr && !scope->attach(*this)) return false;
  handle_ = handle;
  home_ = &promise.home();
  on_cancel_ = on_cancel;
  label_ = scope != nullptr ? scope->label() : std::string_view();
  return true;
}

}  // namespace spanwire
