// Semaphore: a number of permits, handed out in the order asked for.
#pragma once

#include <coroutine>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include "spanwire/base/result.hpp"
#include "spanwire/base/waiter_list.hpp"

namespace spanwire {

class Semaphore;

// Permits that are held; given back when it goes.  Movable; one thread at a time.
class [[nodiscard]] Permit {
 public:
  Permit() noexcept = default;
  Permit(Permit&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(other.count_) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      semaphore_ = std::exchange(other.semaphore_, nullptr);
      count_ = other.count_;
    }
    return *this;
  }
  ~Permit() { release(); }

  explicit operator bool() const noexcept { return semaphore_ != nullptr; }
  // Gives the permits back early.  May resume who waits for them: see Semaphore.
  void release() noexcept;

 private:
  friend class Semaphore;
  Permit(Semaphore* semaphore, std::size_t count) noexcept : semaphore_(semaphore), count_(count) {}
  Semaphore* semaphore_ = nullptr;
  std::size_t count_ = 0;
};

// Strictly first in, first out: a large request at the front holds back small ones behind it.  Safe
// from any thread.  Must outlive its permits and waiters.  Whoever gets permits that were given
// back is resumed later, never from inside release().
class Semaphore {
 public:
  explicit Semaphore(std::size_t permits) noexcept : free_(permits) {}
  ~Semaphore();
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  class Acquire;
  // co_await acquire(n): Result<Permit>; fails with cancelled.  More than the semaphore will ever
  // have waits for ever.
  Acquire acquire(std::size_t count = 1) noexcept;

  // Nothing if too few are free, or somebody waits.
  std::optional<Permit> try_acquire(std::size_t count = 1) noexcept;
  // Adds permits, to widen the semaphore.
  void release(std::size_t count = 1) noexcept;

  std::size_t free() const noexcept;
  std::size_t waiting() const noexcept;

 private:
  bool take(std::size_t count) noexcept;

  mutable std::mutex mutex_;
  std::size_t free_;
  detail::WaiterList waiters_;
};

class [[nodiscard]] Semaphore::Acquire : private detail::Waiter {
 public:
  Acquire(Semaphore& semaphore, std::size_t count) noexcept
      : semaphore_(semaphore), count_(count) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    const std::lock_guard lock(semaphore_.mutex_);
    granted_ = semaphore_.take(count_);
    if (granted_ || !suspend(handle, &Acquire::on_cancel)) return false;
    semaphore_.waiters_.push(*this);
    return true;
  }
  Result<Permit> await_resume() noexcept {
    if (!granted_) return fail(Errc::cancelled);
    return Permit(&semaphore_, count_);
  }

 private:
  friend class Semaphore;
  static void on_cancel(Suspension* suspension) noexcept;

  Semaphore& semaphore_;
  std::size_t count_;
  bool granted_ = false;
};

inline Semaphore::Acquire Semaphore::acquire(std::size_t count) noexcept { return {*this, count}; }

inline void Permit::release() noexcept {
  if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->release(count_);
}

}  // namespace spanwire
