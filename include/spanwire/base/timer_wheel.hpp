// TimerWheel: deadlines of one executor.  Made for timers that are added and removed for every call
// and almost never fire: both take a few nanoseconds, nothing is allocated.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/clock.hpp"

namespace spanwire {

namespace detail {
struct TimerLinks {
  TimerLinks* previous = nullptr;
  TimerLinks* next = nullptr;
};
}  // namespace detail

// A member or base of whatever waits.  It must not be destroyed while armed.
class Timer : private detail::TimerLinks {
 public:
  // Called once, on the executor; the timer is no longer armed by then and may be added again or
  // freed.
  using Fire = void (*)(Timer*) noexcept;

  explicit Timer(Fire fire) noexcept : fire_(fire) {}
  ~Timer() { SPANWIRE_ASSERT(!armed()); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const noexcept { return next != nullptr; }
  // Meaningful while armed and until added again.
  MonotonicTime deadline() const noexcept { return deadline_; }

 private:
  friend class TimerWheel;
  Fire fire_;
  MonotonicTime deadline_;
};

// Eight levels of 64 slots; a tick is 2^20 ns (1.05 ms).  A timer never fires early and at most one
// tick, plus the loop's own delay, late; timers of one tick fire in the order added.  One thread.
class TimerWheel {
 public:
  explicit TimerWheel(MonotonicTime now) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // `timer` must not be armed.  A deadline that has passed fires at the next tick.
  void add(Timer& timer, MonotonicTime deadline) noexcept {
    SPANWIRE_ASSERT(!timer.armed());
    timer.deadline_ = deadline;
    place(timer);
    ++armed_;
  }
  // Does nothing if the timer is not armed.
  void remove(Timer& timer) noexcept {
    if (!timer.armed()) return;
    unlink(timer);
    --armed_;
  }

  // Fires what is due at `now`.  Timers that callbacks add are fired too if they fall due by `now`.
  void advance(MonotonicTime now) noexcept;

  // When advance() must be called at the latest; MonotonicTime::max() if no timer is armed.  May be
  // earlier than the first deadline (work inside the wheel), never later by more than one tick.
  MonotonicTime next_expiry() noexcept;

  std::size_t armed() const noexcept { return armed_; }

 private:
  static constexpr unsigned kTickShift = 20;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1u << kSlotBits;
  // 8 * 6 bits of ticks are more than a 63-bit time has, so nothing ever overflows.
  static constexpr unsigned kLevels = 8;

  using Links = detail::TimerLinks;

  struct Event {
    std::uint64_t tick;
    unsigned level;
    unsigned slot;
  };

  static std::uint64_t tick_after(MonotonicTime time) noexcept {
    // A deadline far in the past may lie before the clock's zero.
    const auto ns =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
    return (ns + ((std::uint64_t{1} << kTickShift) - 1)) >> kTickShift;
  }

  static void link_last(Links& list, Links& node) noexcept {
    node.previous = list.previous;
    node.next = &list;
    list.previous->next = &node;
    list.previous = &node;
  }
  // The slot's bit stays set: whoever looks for the next event clears it.
  static void unlink(Links& node) noexcept {
    node.previous->next = node.next;
    node.next->previous = node.previous;
    node.next = nullptr;
  }
  static void take_all(Links& from, Links& into) noexcept;

  void place(Timer& timer) noexcept {
    std::uint64_t tick = tick_after(timer.deadline_);
    if (tick <= tick_) tick = tick_ + 1;
    // The highest digit in which the deadline differs from now chooses the level, so all timers of
    // a level come before all of the next.
    const auto level = static_cast<unsigned>(std::bit_width(tick ^ tick_) - 1) / kSlotBits;
    const unsigned slot = static_cast<unsigned>(tick >> (level * kSlotBits)) % kSlots;
    link_last(slots_[level][slot], timer);
    occupied_[level] |= std::uint64_t{1} << slot;
  }

  bool find_next(Event& event) noexcept;
  void run(const Event& event) noexcept;

  std::uint64_t tick_;
  std::size_t armed_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<std::array<Links, kSlots>, kLevels> slots_;
};

}  // namespace spanwire
