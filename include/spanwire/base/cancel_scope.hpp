// CancelScope: cancels a tree of tasks on one executor.
#pragma once

#include <string_view>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/errc.hpp"

namespace spanwire {

namespace detail {
struct CancelLinks {
  CancelLinks* previous = nullptr;
  CancelLinks* next = nullptr;
};
}  // namespace detail

// What a scope calls when it is cancelled.  A member or base of whatever can be cancelled; it must
// be detached when it is destroyed.
class CancelHook : private detail::CancelLinks {
 public:
  // Called at most once; the hook is detached by then.  It must not run a user's code, and may be
  // called from inside one's own calls: see CancelScope::request_cancel().
  using OnCancel = void (*)(CancelHook*) noexcept;

  explicit CancelHook(OnCancel on_cancel) noexcept : on_cancel_(on_cancel) {}
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;

  bool attached() const noexcept { return next != nullptr; }
  void detach() noexcept {
    if (next == nullptr) return;
    previous->next = next;
    next->previous = previous;
    next = nullptr;
  }

 private:
  friend class CancelScope;
  OnCancel on_cancel_;
};

// Tasks that are started with a scope, and all they await, share it.  Only on its executor.  It
// must outlive the end of every task in it.
class CancelScope : private CancelHook {
 public:
  CancelScope() noexcept : CancelHook(&CancelScope::on_parent_cancel) {
    hooks_.previous = hooks_.next = &hooks_;
  }
  // Is cancelled when `parent` is; at once if that has happened.  `parent` must outlive it.
  explicit CancelScope(CancelScope& parent) noexcept : CancelScope() {
    parent_ = &parent;
    label_ = parent.label_;
    if (!parent.attach(*this)) reason_ = parent.reason_;
  }
  ~CancelScope() {
    CancelHook::detach();
    SPANWIRE_ASSERT(idle());
  }

  // Calls the hooks; only the first call counts.  Waiting tasks leave what they wait for at once
  // and are resumed later, with Errc::cancelled: no task's code runs before this returns, so it may
  // be called where state is half changed, also from a destructor.
  void request_cancel(Errc reason = Errc::cancelled) noexcept;

  // What its tasks are called where one of them holds its executor (Executor::label()); of scopes
  // under it that are made later, too.  A view, valid until the turn after the last task's end.
  void set_label(std::string_view label) noexcept { label_ = label; }
  std::string_view label() const noexcept { return label_; }

  bool requested() const noexcept { return reason_ != Errc::ok; }
  // Why; ok while nobody has asked.
  Errc reason() const noexcept { return reason_; }

  // False, and not attached, if cancel was requested already.
  bool attach(CancelHook& hook) noexcept {
    if (requested()) return false;
    SPANWIRE_ASSERT(!hook.attached());
    hook.previous = hooks_.previous;
    hook.next = &hooks_;
    hooks_.previous->next = &hook;
    hooks_.previous = &hook;
    return true;
  }
  // True if no hook is attached, that is, nothing in the scope waits.
  bool idle() const noexcept { return hooks_.next == &hooks_; }

 private:
  static void on_parent_cancel(CancelHook* hook) noexcept;

  detail::CancelLinks hooks_;
  CancelScope* parent_ = nullptr;
  std::string_view label_;
  Errc reason_ = Errc::ok;
};

}  // namespace spanwire
