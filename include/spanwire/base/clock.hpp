// Time, injected: monotonic for deadlines and durations, wall for what leaves the process.
#pragma once

#include <chrono>
#include <cstdint>

namespace spanwire {

// Nanoseconds of the monotonic clock since an arbitrary start; 0 is never a reading.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
// Nanoseconds since 1970, UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

// Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime monotonic() const noexcept = 0;
  virtual WallTime wall() const noexcept = 0;
  // monotonic() as of the latest tick, some milliseconds ago at most; a quarter of its price.
  virtual MonotonicTime coarse() const noexcept { return monotonic(); }

  // The machine's clocks; lives for ever.
  static const Clock& system() noexcept;
};

// A clock that stands still until told otherwise, for tests.  Safe from any thread.
class ManualClock final : public Clock {
 public:
  ManualClock() noexcept;
  MonotonicTime monotonic() const noexcept override;
  WallTime wall() const noexcept override;
  void advance(std::chrono::nanoseconds by) noexcept;
  // Moves the wall clock alone, as an operator or NTP would.
  void step_wall(std::chrono::nanoseconds by) noexcept;

 private:
  alignas(8) mutable std::int64_t monotonic_ns_;
  alignas(8) mutable std::int64_t wall_offset_ns_;
};

}  // namespace spanwire
