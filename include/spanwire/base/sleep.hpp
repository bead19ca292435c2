// Waiting for time to pass, inside tasks.
#pragma once

#include <chrono>
#include <coroutine>

#include "spanwire/base/result.hpp"
#include "spanwire/base/suspension.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire {

// Waits until the executor's clock reads `deadline`; never less, at most about a millisecond more
// plus the loop's own delay.  Does not wait if that is past.  Fails with cancelled.
Task<Result<void>> sleep_until(MonotonicTime deadline);

// The same, counted from the time of the turn in which it is awaited.
Task<Result<void>> sleep_for(std::chrono::nanoseconds duration);

// co_await yield(): lets everything else that is ready run first.  Does not look at cancellation.
class [[nodiscard]] Yield : private Suspension {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    static_cast<void>(suspend(handle));
    resume_later();
  }
  void await_resume() const noexcept {}
};
inline Yield yield() noexcept { return {}; }

}  // namespace spanwire
