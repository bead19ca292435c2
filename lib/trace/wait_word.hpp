// A number that threads wait on, by the kernel's futex: no owner and no lock, so that a forked
// child inherits nothing that could be stuck.
#pragma once

#include <atomic>
#include <cstdint>

#include "spanwire/base/clock.hpp"

namespace spanwire::trace::detail {

class WaitWord {
 public:
  std::uint32_t load() const noexcept { return word_.load(std::memory_order_acquire); }
  // Changes the number and wakes all who wait.  Costs a system call only when somebody waits.
  void notify() noexcept;
  // Returns once the number is not `seen` any more (true) or at `deadline` of the monotonic clock;
  // may return early.
  bool wait(std::uint32_t seen, MonotonicTime deadline) noexcept;

 private:
  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> waiting_{0};
};

}  // namespace spanwire::trace::detail
