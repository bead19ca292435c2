#include "spanwire/base/executor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "spanwire/base/blocking.hpp"
#include "spanwire/base/bounded_queue.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/base/when.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/support/thread_executor.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using testing::LeakCheck;
using testing::ManualExecutor;
using testing::ThreadExecutor;

struct Call : Job {
  explicit Call(std::function<void()> f) : Job(&Call::run_it), function(std::move(f)) {}
  std::function<void()> function;

 private:
  static void run_it(Job* job) noexcept { static_cast<Call*>(job)->function(); }
};

TEST(JobQueue, GivesJobsInTheOrderPushed) {
  JobQueue queue;
  Job first;
  Job second;
  EXPECT_TRUE(queue.push(first));
  EXPECT_FALSE(queue.push(second));
  JobList list;
  queue.take_all(list);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(list.pop(), &first);
  EXPECT_EQ(list.pop(), &second);
  EXPECT_EQ(list.pop(), nullptr);
}

TEST(JobQueue, TakesFromManyThreadsInTheOrderOfEach) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 2000;
  struct Numbered : Job {
    int thread = 0;
    int number = 0;
  };
  std::vector<std::vector<Numbered>> jobs(kThreads, std::vector<Numbered>(kJobs));
  JobQueue queue;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&queue, &mine = jobs[static_cast<std::size_t>(t)], t] {
      for (int i = 0; i < kJobs; ++i) {
        Numbered& job = mine[static_cast<std::size_t>(i)];
        job.thread = t;
        job.number = i;
        queue.push(job);
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  int taken = 0;
  JobList list;
  while (taken < kThreads * kJobs) {
    queue.take_all(list);
    for (Job* job = list.pop(); job != nullptr; job = list.pop(), ++taken) {
      auto* numbered = static_cast<Numbered*>(job);
      ASSERT_EQ(numbered->number, next[static_cast<std::size_t>(numbered->thread)]++);
    }
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Executor, IsCurrentInsideItsTurnsOnly) {
  ManualExecutor executor;
  EXPECT_EQ(Executor::current(), nullptr);
  executor.in_turn([&] {
    EXPECT_TRUE(executor.runs_here());
    ManualExecutor other;
    other.in_turn([&] { EXPECT_FALSE(executor.runs_here()); });
    EXPECT_TRUE(executor.runs_here());
  });
  EXPECT_EQ(Executor::current(), nullptr);
}

TEST(Executor, KeepsTheTimeOfTheTurn) {
  ManualExecutor executor;
  executor.in_turn([&] {
    const MonotonicTime before = executor.now();
    const WallTime wall_before = executor.wall_now();
    executor.manual().advance(5ms);
    EXPECT_EQ(executor.now(), before);
    EXPECT_EQ(executor.wall_now(), wall_before);
    executor.refresh_time();
    EXPECT_EQ(executor.now(), before + 5ms);
    EXPECT_EQ(executor.wall_now(), wall_before + 5ms);
  });
}

TEST(Executor, RunsTurnEndJobsOnceAtTheEndOfTheOuterTurn) {
  ManualExecutor executor;
  std::vector<int> log;
  Call late([&] { log.push_back(3); });
  Call end([&] {
    log.push_back(2);
    executor.at_turn_end(late);
  });
  executor.in_turn([&] {
    executor.in_turn([&] { executor.at_turn_end(end); });
    log.push_back(1);
  });
  executor.run_until_idle();
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(Executor, PostedJobsRunInOrder) {
  ManualExecutor executor;
  std::vector<int> log;
  Call first([&] { log.push_back(1); });
  Call second([&] { log.push_back(2); });
  executor.post(first);
  executor.post(second);
  EXPECT_TRUE(log.empty());
  executor.run_until_idle();
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

// --- Tasks and other threads.

// Resumed by a thread of its own.
class FromThread : private Suspension {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    const bool waits = suspend(handle);
    // The resumption may overtake the end of this function.
    std::thread([this] { resume(); }).detach();
    return waits;
  }
  void await_resume() const noexcept {}
};

Task<bool> stays_home(Executor& home, int rounds) {
  bool always = home.runs_here();
  for (int i = 0; i < rounds; ++i) {
    FromThread foreign;
    co_await foreign;
    always = always && home.runs_here();
  }
  co_return always;
}

TEST(BlockOn, ReturnsWhatTheTaskReturns) {
  const LeakCheck leaks;
  ThreadExecutor executor;
  const Result<bool> home = block_on(executor, stays_home(executor, 50));
  ASSERT_TRUE(home);
  EXPECT_TRUE(*home);
  EXPECT_TRUE(block_on(executor, sleep_for(1ms)));
}

Task<void> throws() {
  co_await yield();
  throw std::runtime_error("broken");
}

TEST(BlockOn, RethrowsWhatTheTaskThrew) {
  ThreadExecutor executor;
  EXPECT_THROW(static_cast<void>(block_on(executor, throws())), std::runtime_error);
}

TEST(BlockOn, RefusesOnTheThreadOfAnExecutor) {
  ManualExecutor executor;
  ManualExecutor other;
  executor.in_turn([&] {
    EXPECT_EQ(block_on(other, sleep_for(1s)).error(), Errc::would_deadlock);
    EXPECT_EQ(block_on(executor, throws()).error(), Errc::would_deadlock);
  });
}

TEST(Spawn, WorksFromAnyThread) {
  const LeakCheck leaks;
  std::atomic<int> ended{0};
  {
    ThreadExecutor executor;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          spawn(executor, stays_home(executor, 0), [&ended](Task<bool>&) { ++ended; });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(ended, 400);
}

Task<int> yielding(int times) {
  for (int i = 0; i < times; ++i) co_await yield();
  co_return times;
}

Task<bool> pop_one(BoundedQueue<int>& queue) {
  const Result<int> item = co_await queue.pop();
  co_return item.has_value();
}

// Runs one after the other in scopes that are cancelled at any moment, while another thread pushes.
Task<int> pop_under_cancel(BoundedQueue<int>& queue, int rounds) {
  int popped = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto first = co_await when_any(pop_one(queue), yielding(i % 5));
    if (first.index() == 0 && std::get<0>(first)) ++popped;
  }
  co_return popped;
}

// An item that was handed to a loser of the race is lost with it; nothing else is lost or doubled.
TEST(Suspension, IsResumedOnceWhenCancelMeetsAResumptionFromAnotherThread) {
  const LeakCheck leaks;
  constexpr int kRounds = 3000;
  ThreadExecutor executor;
  BoundedQueue<int> queue(4);
  std::atomic<bool> stop{false};
  int pushed = 0;
  std::thread pusher([&] {
    while (!stop) {
      if (queue.try_push(1)) ++pushed;
      std::this_thread::yield();
    }
  });
  const Result<int> popped = block_on(executor, pop_under_cancel(queue, kRounds));
  stop = true;
  pusher.join();
  ASSERT_TRUE(popped);
  EXPECT_LE(*popped + static_cast<int>(queue.size()), pushed);
  EXPECT_EQ(queue.waiting(), 0u);
}

// --- sleep.

TEST(Sleep, LastsAtLeastAsLongAsAsked) {
  const LeakCheck leaks;
  ManualExecutor executor;
  const MonotonicTime start = executor.manual().monotonic();
  MonotonicTime end;
  spawn(executor, sleep_for(250ms), [&](Task<Result<void>>&) { end = executor.now(); });
  executor.advance(249ms);
  EXPECT_EQ(end, MonotonicTime());
  executor.advance(3ms);
  EXPECT_GE(end - start, 250ms);
}

TEST(Sleep, UntilThePastDoesNotWait) {
  ManualExecutor executor;
  EXPECT_TRUE(executor.run(sleep_until(executor.manual().monotonic())));
}

}  // namespace
}  // namespace spanwire
