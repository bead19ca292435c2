#include "spanwire/transport/loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/sleep.hpp"
#include "spanwire/transport/use_task.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::transport {
namespace {

using testing::TestLoop;

struct Counting : Job {
  explicit Counting(std::function<void()> work) : Job(&Counting::go), function(std::move(work)) {}
  static void go(Job* job) noexcept { static_cast<Counting*>(job)->function(); }
  std::function<void()> function;
};

TEST(Loop, RunsJobsInOrderAndThoseTheyPostInALaterStep) {
  TestLoop test;
  std::vector<std::string> seen;
  std::uint64_t turn_of_second = 0;
  std::uint64_t turn_of_third = 0;
  Counting third([&] {
    seen.push_back("third");
    turn_of_third = test.loop().stats().turns;
  });
  Counting first([&] {
    seen.push_back("first");
    test.loop().post(third);
  });
  Counting second([&] {
    seen.push_back("second");
    turn_of_second = test.loop().stats().turns;
  });
  test.loop().post(first);
  test.loop().post(second);
  ASSERT_TRUE(test.until([&] { return seen.size() == 3; }));
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(turn_of_third, turn_of_second + 1);
}

TEST(Loop, TurnEndJobsRunBeforeTheTurnIsOver) {
  TestLoop test;
  std::vector<int> seen;
  Counting at_end([&] { seen.push_back(2); });
  test.in_turn([&] {
    EXPECT_TRUE(test.loop().runs_here());
    test.loop().at_turn_end(at_end);
    const Loop::Step within(test.loop());
    seen.push_back(1);
  });
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_FALSE(test.loop().runs_here());
}

struct Arriving : Job {
  Arriving() : Job(&Arriving::go) {}
  static void go(Job* job) noexcept {
    auto* self = static_cast<Arriving*>(job);
    ++*self->arrived;
    if (*self->arrived == self->expected) self->loop->stop();
  }
  Loop* loop = nullptr;
  int* arrived = nullptr;
  int expected = 0;
};

TEST(Loop, TakesJobsFromManyThreadsWhileItRunsAndSleeps) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 2'000;
  Loop loop;
  int arrived = 0;
  std::vector<Arriving> jobs(kThreads * kJobs);
  for (Arriving& job : jobs) {
    job.loop = &loop;
    job.arrived = &arrived;
    job.expected = kThreads * kJobs;
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kJobs; ++i) loop.post(jobs[static_cast<std::size_t>(t * kJobs + i)]);
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(arrived, kThreads * kJobs);
  EXPECT_LE(loop.stats().wakes, static_cast<std::uint64_t>(arrived));
}

TEST(Loop, AStopBeforeRunIsNotForgottenAndRunMayBeCalledAgain) {
  Loop loop;
  loop.stop();
  loop.run();
  Counting stop([&] { loop.stop(); });
  loop.post(stop);
  loop.run();
  EXPECT_EQ(loop.stats().wakes, 1u);
}

TEST(Loop, RunsAtAStopWhatWasPostedBefore) {
  Loop loop;
  std::vector<int> seen;
  Counting last([&] { seen.push_back(3); });
  Counting second([&] {
    seen.push_back(2);
    loop.post(last);
  });
  Counting first([&] {
    seen.push_back(1);
    loop.post(second);
    loop.stop();
  });
  loop.post(first);
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(Loop, IsNotKeptFromItsEndByJobsThatPostEachOther) {
  Loop loop;
  int times = 0;
  std::function<void()> again;
  Counting endless([&] { again(); });
  again = [&] {
    if (++times == 1) loop.stop();
    loop.post(endless);
  };
  loop.post(endless);
  loop.run();
  EXPECT_GT(times, 1);
}

TEST(Loop, TheTimeOfATurnStandsStill) {
  ManualClock clock;
  TestLoop test(clock);
  test.in_turn([&] {
    const MonotonicTime begin = test.loop().now();
    const WallTime wall = test.loop().wall_now();
    clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(test.loop().now(), begin);
    EXPECT_EQ(test.loop().wall_now(), wall);
    test.loop().refresh_time();
    EXPECT_EQ(test.loop().now(), begin + std::chrono::seconds(1));
  });
}

struct Firing : Timer {
  explicit Firing(std::function<void()> work) : Timer(&Firing::go), function(std::move(work)) {}
  static void go(Timer* timer) noexcept { static_cast<Firing*>(timer)->function(); }
  std::function<void()> function;
};

TEST(Loop, FiresTimersByTheSystemsClock) {
  TestLoop test;
  std::vector<int> fired;
  Firing late([&] { fired.push_back(2); });
  Firing early([&] { fired.push_back(1); });
  Firing removed([&] { fired.push_back(3); });
  test.in_turn([&] {
    TimerWheel& timers = test.loop().timers();
    timers.add(late, test.loop().now() + std::chrono::hours(2));
    timers.add(removed, test.loop().now() + std::chrono::hours(1));
  });
  // Earlier than what the loop has armed already.
  test.in_turn([&] {
    test.loop().timers().remove(removed);
    test.loop().timers().add(early, test.loop().now() + std::chrono::milliseconds(1));
  });
  ASSERT_TRUE(test.until([&] { return fired.size() == 1; }));
  test.in_turn([&] {
    test.loop().timers().remove(late);
    test.loop().timers().add(late, test.loop().now() + std::chrono::milliseconds(1));
  });
  ASSERT_TRUE(test.until([&] { return fired.size() == 2; }));
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
}

TEST(Loop, FiresTimersThatAManualClockHasMadeDue) {
  ManualClock clock;
  TestLoop test(clock);
  int fired = 0;
  Firing timer([&] { ++fired; });
  test.in_turn([&] { test.loop().timers().add(timer, test.loop().now() + std::chrono::hours(1)); });
  clock.advance(std::chrono::minutes(59));
  test.in_turn([] {});
  EXPECT_EQ(fired, 0);
  clock.advance(std::chrono::minutes(2));
  test.in_turn([] {});
  EXPECT_EQ(fired, 1);
}

struct SlowReport {
  std::string label;
  std::chrono::nanoseconds took{};
  int reports = 0;
};
void note_slow(void* context, std::string_view label, std::chrono::nanoseconds took) noexcept {
  auto& report = *static_cast<SlowReport*>(context);
  report.label = label;
  report.took = took;
  ++report.reports;
}

TEST(Loop, NamesTheSegmentThatHeldIt) {
  ManualClock clock;
  TestLoop test(clock);
  SlowReport report;
  test.loop().on_slow_segment(&note_slow, &report);
  test.in_turn([&] {
    test.loop().label("quick");
    clock.advance(std::chrono::milliseconds(9));
    test.loop().label("slow");
    clock.advance(std::chrono::milliseconds(50));
    test.loop().label("quick again");
  });
  EXPECT_EQ(report.reports, 1);
  EXPECT_EQ(report.label, "slow");
  EXPECT_EQ(report.took, std::chrono::milliseconds(50));
  EXPECT_EQ(test.loop().stats().slow_segments, 1u);

  test.in_turn([&] { clock.advance(std::chrono::milliseconds(11)); });
  EXPECT_EQ(report.reports, 2);
  EXPECT_EQ(report.label, "");
}

TEST(Loop, LogsOnlyTheBeginningOfALongLabel) {
  ManualClock clock;
  TestLoop test(clock);
  const testing::LogCapture log;
  const std::string label(4'000, 'l');
  test.in_turn([&] {
    test.loop().label(label);
    clock.advance(std::chrono::milliseconds(50));
  });
  EXPECT_TRUE(log.contains("what=" + label.substr(0, 256) + " ms=50"));
}

Task<void> block_when_resumed(ManualClock* clock) {
  static_cast<void>(co_await sleep_for(std::chrono::seconds(1)));
  clock->advance(std::chrono::milliseconds(30));
}

TEST(Loop, NamesATaskThatHeldItInALaterTurn) {
  ManualClock clock;
  TestLoop test(clock);
  SlowReport report;
  test.loop().on_slow_segment(&note_slow, &report);
  CancelScope scope;
  scope.set_label("the task");
  test.in_turn([&] { spawn(test.loop(), block_when_resumed(&clock), [](Task<void>&) {}, &scope); });
  test.settle();
  EXPECT_EQ(report.reports, 0);
  clock.advance(std::chrono::seconds(2));
  test.in_turn([] {});
  EXPECT_EQ(report.reports, 1);
  EXPECT_EQ(report.label, "the task");
}

TEST(Loop, WorksInAnAdoptedContextAndLeavesItUsable) {
  asio::io_context context;
  int ran = 0;
  Counting job([&] { ++ran; });
  Firing timer([] {});
  {
    Loop loop(context);
    loop.post(job);
    context.run();
    EXPECT_EQ(ran, 1);
    {
      const Loop::Step step(loop);
      loop.timers().add(timer, loop.now() + std::chrono::hours(1));
    }
    {
      const Loop::Step step(loop);
      loop.timers().remove(timer);
    }
  }
  // The loop's own timer is still in the context and must find the loop gone.
  context.restart();
  context.poll();
  SUCCEED();
}

TEST(LoopDeathTest, AnAdoptedContextHasOneRunner) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        Loop loop;
        {
          const Loop::Step here(loop);
        }
        std::thread([&] { const Loop::Step there(loop); }).join();
      },
      "runner");
}

Task<std::string> sleep_and_say(std::chrono::milliseconds duration) {
  const Result<void> slept = co_await sleep_for(duration);
  co_return slept ? "slept" : "failed";
}

TEST(Loop, RunsTasks) {
  TestLoop test;
  EXPECT_EQ(test.run(sleep_and_say(std::chrono::milliseconds(2))), "slept");
}

Task<std::error_code> wait_for(asio::steady_timer& timer) {
  const auto outcome = co_await timer.async_wait(use_task);
  co_return outcome.error;
}

TEST(UseTask, AwaitsATimer) {
  TestLoop test;
  asio::steady_timer timer(test.loop().context(), std::chrono::milliseconds(1));
  EXPECT_EQ(test.run(wait_for(timer)), std::error_code());
}

TEST(UseTask, CancellationReachesTheOperation) {
  TestLoop test;
  asio::steady_timer timer(test.loop().context(), std::chrono::hours(1));
  CancelScope scope;
  std::optional<std::error_code> ended;
  spawn(
      test.loop(), wait_for(timer),
      [&](Task<std::error_code>& task) { ended = task.take_result(); }, &scope);
  test.settle();
  EXPECT_FALSE(ended);
  test.in_turn([&] { scope.request_cancel(); });
  ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
  EXPECT_EQ(*ended, asio::error::operation_aborted);
}

TEST(UseTask, ACancelledTaskDoesNotBegin) {
  TestLoop test;
  asio::steady_timer timer(test.loop().context(), std::chrono::hours(1));
  CancelScope scope;
  scope.request_cancel();
  std::optional<std::error_code> ended;
  spawn(
      test.loop(), wait_for(timer),
      [&](Task<std::error_code>& task) { ended = task.take_result(); }, &scope);
  ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
  EXPECT_EQ(*ended, asio::error::operation_aborted);
}

using LocalSocket = asio::local::stream_protocol::socket;

Task<std::string> echo_once(LocalSocket& here, LocalSocket& there) {
  const std::string text = "through asio";
  const auto written = co_await asio::async_write(here, asio::buffer(text), use_task);
  std::string read(text.size(), ' ');
  const auto got = co_await asio::async_read(there, asio::buffer(read), use_task);
  if (written.error || got.error || got.value != text.size()) co_return "failed";
  co_return read;
}

TEST(UseTask, AwaitsComposedOperations) {
  TestLoop test;
  LocalSocket here(test.loop().context());
  LocalSocket there(test.loop().context());
  asio::local::connect_pair(here, there);
  EXPECT_EQ(test.run(echo_once(here, there)), "through asio");
}

TEST(UseTask, ResumesAtHomeFromAForeignContext) {
  TestLoop test;
  asio::io_context foreign;
  asio::steady_timer timer(foreign, std::chrono::milliseconds(1));
  std::optional<std::error_code> ended;
  bool at_home = false;
  spawn(test.loop(), wait_for(timer), [&](Task<std::error_code>& task) {
    ended = task.take_result();
    at_home = test.loop().runs_here();
  });
  test.settle();
  std::thread runner([&] { foreign.run(); });
  EXPECT_TRUE(test.until([&] { return ended.has_value(); }));
  runner.join();
  EXPECT_TRUE(at_home);
}

}  // namespace
}  // namespace spanwire::transport
