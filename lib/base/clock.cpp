#include "spanwire/base/clock.hpp"

#include <atomic>
#include <ctime>

namespace spanwire {
namespace {

class SystemClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return std::chrono::steady_clock::now(); }
  MonotonicTime coarse() const noexcept override {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return MonotonicTime(std::chrono::seconds(time.tv_sec) +
                         std::chrono::nanoseconds(time.tv_nsec));
  }
  WallTime wall() const noexcept override {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  }
};

constexpr std::int64_t kManualStartNs = 1'000'000'000;
constexpr std::int64_t kManualWallStartNs = 1'700'000'000'000'000'000;

// Never destroyed: threads may read the time while the process ends.  No static of a function: a
// fork that catches another thread in the making of one leaves the child waiting for it.
union Storage {
  constexpr Storage() noexcept : clock() {}
  ~Storage() {}
  SystemClock clock;
};
constinit Storage storage;

}  // namespace

const Clock& Clock::system() noexcept { return storage.clock; }

ManualClock::ManualClock() noexcept
    : monotonic_ns_(kManualStartNs), wall_offset_ns_(kManualWallStartNs - kManualStartNs) {}

MonotonicTime ManualClock::monotonic() const noexcept {
  return MonotonicTime(std::chrono::nanoseconds(std::atomic_ref(monotonic_ns_).load()));
}

WallTime ManualClock::wall() const noexcept {
  return WallTime(std::chrono::nanoseconds(std::atomic_ref(monotonic_ns_).load() +
                                           std::atomic_ref(wall_offset_ns_).load()));
}

void ManualClock::advance(std::chrono::nanoseconds by) noexcept {
  std::atomic_ref(monotonic_ns_).fetch_add(by.count());
}

void ManualClock::step_wall(std::chrono::nanoseconds by) noexcept {
  std::atomic_ref(wall_offset_ns_).fetch_add(by.count());
}

}  // namespace spanwire
