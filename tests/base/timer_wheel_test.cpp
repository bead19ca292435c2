#include "spanwire/base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "spanwire/base/random.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{std::chrono::nanoseconds(1'000'000'000)};
// A tick, rounded up: how late the wheel may be.
constexpr auto kTick = std::chrono::nanoseconds(1 << 20);

class Alarm : public Timer {
 public:
  Alarm() : Timer(&Alarm::ring) {}
  int rings = 0;
  std::vector<Alarm*>* order = nullptr;
  TimerWheel* again_in = nullptr;
  std::chrono::nanoseconds again_after{};
  Alarm* removes = nullptr;
  TimerWheel* wheel = nullptr;

 private:
  static void ring(Timer* timer) noexcept {
    auto* self = static_cast<Alarm*>(timer);
    ++self->rings;
    if (self->order != nullptr) self->order->push_back(self);
    if (self->removes != nullptr) self->wheel->remove(*self->removes);
    if (self->again_in != nullptr) self->again_in->add(*self, self->deadline() + self->again_after);
  }
};

class TimerWheelTest : public ::testing::Test {
 protected:
  TimerWheel wheel{kStart};
};

class TimerWheelDelays : public TimerWheelTest,
                         public ::testing::WithParamInterface<std::chrono::nanoseconds> {};

TEST_P(TimerWheelDelays, FireNeverEarlyAndAtMostATickLate) {
  Alarm alarm;
  const MonotonicTime deadline = kStart + GetParam();
  wheel.add(alarm, deadline);
  EXPECT_LE(wheel.next_expiry(), deadline + kTick);
  wheel.advance(deadline - 1ns);
  EXPECT_EQ(alarm.rings, 0);
  EXPECT_EQ(wheel.armed(), 1u);
  wheel.advance(deadline + kTick);
  EXPECT_EQ(alarm.rings, 1);
  EXPECT_EQ(wheel.armed(), 0u);
  EXPECT_EQ(wheel.next_expiry(), MonotonicTime::max());
}

INSTANTIATE_TEST_SUITE_P(Delays, TimerWheelDelays,
                         ::testing::Values(1ns, 1ms, 2ms, 63ms, 64ms, 65ms, 70ms, 4s, 5s, 30s, 5min,
                                           1h, 24h, 24h * 400, 24h * 365 * 200));

TEST_F(TimerWheelTest, FiresWhatIsPastAtTheNextTick) {
  Alarm alarm;
  wheel.add(alarm, kStart - 5s);
  EXPECT_EQ(alarm.rings, 0);
  wheel.advance(kStart + kTick);
  EXPECT_EQ(alarm.rings, 1);
}

TEST_F(TimerWheelTest, ForgetsWhatWasRemoved) {
  Alarm alarm;
  wheel.add(alarm, kStart + 5s);
  wheel.remove(alarm);
  wheel.remove(alarm);
  EXPECT_EQ(wheel.armed(), 0u);
  EXPECT_EQ(wheel.next_expiry(), MonotonicTime::max());
  wheel.advance(kStart + 10s);
  EXPECT_EQ(alarm.rings, 0);
}

// A loop that sleeps until next_expiry() wakes at most once a level before it fires the timer.
TEST_F(TimerWheelTest, NextExpiryLeadsToTheTimerInFewSteps) {
  for (const std::chrono::nanoseconds delay : {50ms, 30'000ms, 86'400'000ms}) {
    TimerWheel fresh(kStart);
    Alarm removed;
    Alarm alarm;
    fresh.add(removed, kStart + 5ms);
    fresh.add(alarm, kStart + delay);
    fresh.remove(removed);
    int steps = 0;
    for (; alarm.armed(); ++steps) {
      ASSERT_LE(fresh.next_expiry(), kStart + delay + kTick);
      fresh.advance(fresh.next_expiry());
    }
    EXPECT_LE(steps, 8);
    EXPECT_EQ(alarm.rings, 1);
  }
}

TEST_F(TimerWheelTest, FiresOneTickInTheOrderAdded) {
  std::vector<Alarm*> order;
  std::deque<Alarm> alarms(10);
  std::vector<Alarm*> added;
  for (Alarm& alarm : alarms) {
    alarm.order = &order;
    wheel.add(alarm, kStart + 3s);
    added.push_back(&alarm);
  }
  wheel.advance(kStart + 4s);
  EXPECT_EQ(order, added);
}

TEST_F(TimerWheelTest, CallbackMayAddItselfAgain) {
  Alarm alarm;
  alarm.again_in = &wheel;
  alarm.again_after = 10ms;
  wheel.add(alarm, kStart + 10ms);
  wheel.advance(kStart + 105ms);
  EXPECT_EQ(alarm.rings, 10);
  wheel.remove(alarm);
}

TEST_F(TimerWheelTest, CallbackMayRemoveAnotherOfItsTick) {
  Alarm first;
  Alarm second;
  first.removes = &second;
  first.wheel = &wheel;
  wheel.add(first, kStart + 3s);
  wheel.add(second, kStart + 3s);
  wheel.advance(kStart + 4s);
  EXPECT_EQ(first.rings, 1);
  EXPECT_EQ(second.rings, 0);
  EXPECT_EQ(wheel.armed(), 0u);
}

TEST_F(TimerWheelTest, TimeThatStandsOrGoesBackFiresNothing) {
  Alarm alarm;
  wheel.add(alarm, kStart + 1ms);
  wheel.advance(kStart);
  wheel.advance(kStart - 1s);
  EXPECT_EQ(alarm.rings, 0);
  wheel.remove(alarm);
}

// Against a model: random deadlines, random removals, random steps, driven by next_expiry().
TEST_F(TimerWheelTest, AgreesWithASortedList) {
  constexpr std::uint64_t kSeed = 20240117;
  Random random(kSeed);
  std::deque<Alarm> alarms(2000);
  MonotonicTime now = kStart;
  std::size_t expected_armed = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 100; ++i) {
      Alarm& alarm = alarms[random.below(alarms.size())];
      if (alarm.armed()) {
        wheel.remove(alarm);
      } else {
        // From below a tick to weeks.
        const auto delay = std::chrono::nanoseconds(random.next() >> (14 + random.below(40)));
        alarm.rings = 0;
        wheel.add(alarm, now + delay);
      }
    }
    const MonotonicTime next = wheel.next_expiry();
    now = random.below(2) == 0 && next != MonotonicTime::max()
              ? std::max(now, next)
              : now + std::chrono::nanoseconds(random.next() >> (20 + random.below(30)));
    wheel.advance(now);
    expected_armed = 0;
    for (const Alarm& alarm : alarms) {
      if (alarm.armed()) {
        ++expected_armed;
        ASSERT_GT(alarm.deadline() + kTick, now) << "seed " << kSeed << " round " << round;
      } else if (alarm.rings != 0) {
        ASSERT_EQ(alarm.rings, 1) << "seed " << kSeed;
        ASSERT_LE(alarm.deadline(), now) << "seed " << kSeed << " round " << round;
      }
    }
    ASSERT_EQ(wheel.armed(), expected_armed);
  }
  for (Alarm& alarm : alarms) wheel.remove(alarm);
}

}  // namespace
}  // namespace spanwire
