// Cancellation: gives up work from any thread, with a reason.  The twin for one executor is
// CancelScope.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "spanwire/base/errc.hpp"

namespace spanwire {

class CancelState;

// Wants to know of a cancellation.  A member or base of whoever wants to; attached to one state at
// a time and detached before it is destroyed.
class CancelListener {
 public:
  // Called at most once, on the thread that cancels; the listener is detached by then.  It may
  // detach and destroy itself, and must not block.
  using OnCancel = void (*)(CancelListener*, Errc reason) noexcept;

  explicit CancelListener(OnCancel on_cancel) noexcept : on_cancel_(on_cancel) {}
  CancelListener(const CancelListener&) = delete;
  CancelListener& operator=(const CancelListener&) = delete;

 private:
  friend class CancelState;
  CancelListener* previous_ = nullptr;
  CancelListener* next_ = nullptr;
  OnCancel on_cancel_;
};

// The shared part: a reference count and a reason.  A class that is counted anyway derives from it
// and hands out Cancellation handles to itself.  Safe from any thread.
class CancelState {
 public:
  CancelState(const CancelState&) = delete;
  CancelState& operator=(const CancelState&) = delete;

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.load(std::memory_order_acquire) == 1 ||
        references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy();
    }
  }
  bool unique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

  bool cancelled() const noexcept { return reason_.load(std::memory_order_relaxed) != Errc::ok; }
  // Why; ok while not cancelled.
  Errc reason() const noexcept { return reason_.load(std::memory_order_acquire); }

  // Calls the listeners on the calling thread.  True for the first call; later ones do nothing.
  bool cancel(Errc reason) noexcept;

  // False, and not attached, if already cancelled.
  bool attach(CancelListener& listener) noexcept;
  // When it returns, the listener is not called any more: waits for a call that is under way on
  // another thread.  Does nothing if it is not attached.  Never call it with a lock held that the
  // callback takes.
  void detach(CancelListener& listener) noexcept;

 protected:
  // Begins with one reference, the creator's.
  CancelState() noexcept = default;
  virtual ~CancelState();
  // Runs when the last reference is gone.
  virtual void destroy() noexcept { delete this; }

 private:
  struct Calling;

  std::atomic<std::uint32_t> references_{1};
  std::atomic<Errc> reason_{Errc::ok};
  std::mutex mutex_;
  CancelListener* first_ = nullptr;
  Calling* calling_ = nullptr;  // the call that is under way
};

// A counted handle: source and token in one.  A copy costs one reference count, an empty handle
// nothing; it is never cancelled.  One thread at a time per handle, any thread per state.
class Cancellation {
 public:
  Cancellation() noexcept = default;
  // A state of its own.
  static Cancellation make();
  // Shares `state`, whose count goes up by one.
  static Cancellation share(CancelState& state) noexcept {
    state.retain();
    return Cancellation(&state);
  }
  // Takes over one reference of `state`.
  static Cancellation adopt(CancelState& state) noexcept { return Cancellation(&state); }

  Cancellation(const Cancellation& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->retain();
  }
  Cancellation(Cancellation&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Cancellation& operator=(Cancellation other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Cancellation() {
    if (state_ != nullptr) state_->release();
  }

  explicit operator bool() const noexcept { return state_ != nullptr; }
  CancelState* state() const noexcept { return state_; }

  bool cancelled() const noexcept { return state_ != nullptr && state_->cancelled(); }
  Errc reason() const noexcept { return state_ != nullptr ? state_->reason() : Errc::ok; }
  // True for the first call on a state; false also for an empty handle.
  bool cancel(Errc reason = Errc::cancelled) const noexcept {
    return state_ != nullptr && state_->cancel(reason);
  }
  // An empty handle accepts and never calls.
  bool attach(CancelListener& listener) const noexcept {
    return state_ == nullptr || state_->attach(listener);
  }
  void detach(CancelListener& listener) const noexcept {
    if (state_ != nullptr) state_->detach(listener);
  }

 private:
  explicit Cancellation(CancelState* state) noexcept : state_(state) {}
  CancelState* state_ = nullptr;
};

}  // namespace spanwire
