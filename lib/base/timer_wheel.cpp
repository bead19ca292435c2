#include "spanwire/base/timer_wheel.hpp"

namespace spanwire {

TimerWheel::TimerWheel(MonotonicTime now) noexcept
    : tick_(static_cast<std::uint64_t>(now.time_since_epoch().count()) >> kTickShift) {
  for (auto& level : slots_) {
    for (Links& list : level) list.previous = list.next = &list;
  }
}

void TimerWheel::take_all(Links& from, Links& into) noexcept {
  if (from.next == &from) {
    into.previous = into.next = &into;
    return;
  }
  into.next = from.next;
  into.previous = from.previous;
  into.next->previous = &into;
  into.previous->next = &into;
  from.previous = from.next = &from;
}

bool TimerWheel::find_next(Event& event) noexcept {
  for (unsigned level = 0; level < kLevels; ++level) {
    const unsigned shift = level * kSlotBits;
    const unsigned digit = static_cast<unsigned>(tick_ >> shift) % kSlots;
    while (occupied_[level] != 0) {
      const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      if (slots_[level][slot].next == &slots_[level][slot]) {
        occupied_[level] &= occupied_[level] - 1;
        continue;
      }
      SPANWIRE_ASSERT(slot > digit);
      const std::uint64_t block = tick_ >> shift >> kSlotBits << kSlotBits;
      event = Event{(block | slot) << shift, level, slot};
      return true;
    }
  }
  return false;
}

void TimerWheel::run(const Event& event) noexcept {
  tick_ = event.tick;
  Links due;
  take_all(slots_[event.level][event.slot], due);
  while (due.next != &due) {
    auto& timer = static_cast<Timer&>(*due.next);
    unlink(timer);
    if (tick_after(timer.deadline_) > tick_) {
      place(timer);
      continue;
    }
    --armed_;
    timer.fire_(&timer);
  }
}

void TimerWheel::advance(MonotonicTime now) noexcept {
  const std::uint64_t target =
      static_cast<std::uint64_t>(now.time_since_epoch().count()) >> kTickShift;
  Event event;
  while (tick_ < target && find_next(event) && event.tick <= target) run(event);
  if (tick_ < target) tick_ = target;
}

MonotonicTime TimerWheel::next_expiry() noexcept {
  Event event;
  if (armed_ == 0 || !find_next(event)) return MonotonicTime::max();
  return MonotonicTime(std::chrono::nanoseconds(event.tick << kTickShift));
}

}  // namespace spanwire
