// The queue, the semaphore, when_all and when_any.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/blocking.hpp"
#include "spanwire/base/bounded_queue.hpp"
#include "spanwire/base/semaphore.hpp"
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

// --- BoundedQueue.

Task<void> push_all(BoundedQueue<int>& queue, int count) {
  for (int i = 0; i < count; ++i) {
    const Result<void> pushed = co_await queue.push(i);
    if (!pushed) co_return;
  }
  queue.close();
}

Task<std::vector<int>> pop_all(BoundedQueue<int>& queue, Errc& end) {
  std::vector<int> items;
  for (;;) {
    const Result<int> item = co_await queue.pop();
    if (!item) {
      end = item.error().code();
      co_return items;
    }
    items.push_back(*item);
  }
}

TEST(BoundedQueue, CarriesAllInOrderThroughASmallRoom) {
  const LeakCheck leaks;
  ManualExecutor executor;
  BoundedQueue<int> queue(3);
  Errc end = Errc::ok;
  std::vector<int> items;
  spawn(executor, push_all(queue, 1000));
  spawn(executor, pop_all(queue, end), [&](Task<std::vector<int>>& t) { items = t.take_result(); });
  executor.run_until_idle();
  ASSERT_EQ(items.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(items[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(end, Errc::stream_closed);
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST(BoundedQueue, RefusesMoreThanItsCapacityAndKeepsTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_TRUE(queue.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_EQ(queue.try_push(std::move(second)).error(), Errc::queue_full);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(**queue.try_pop(), 1);
  EXPECT_TRUE(queue.try_push(std::move(second)));
  EXPECT_EQ(queue.size(), 1u);
}

TEST(BoundedQueue, GivesWhatItHoldsAfterCloseAndThenTheCause) {
  ManualExecutor executor;
  BoundedQueue<int> queue(4);
  ASSERT_TRUE(queue.try_push(1));
  queue.close(Errc::connection_lost);
  queue.close(Errc::cancelled);
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(queue.try_push(2).error(), Errc::connection_lost);
  Errc end = Errc::ok;
  EXPECT_EQ(executor.run(pop_all(queue, end)), std::vector<int>{1});
  EXPECT_EQ(end, Errc::connection_lost);
}

Task<Errc> push_one(BoundedQueue<int>& queue, int item) {
  const Result<void> pushed = co_await queue.push(item);
  co_return pushed ? Errc::ok : pushed.error().code();
}

TEST(BoundedQueue, CloseEndsWhoWaits) {
  const LeakCheck leaks;
  ManualExecutor executor;
  BoundedQueue<int> full(1);
  BoundedQueue<int> empty(1);
  ASSERT_TRUE(full.try_push(0));
  Errc pushed = Errc::ok;
  Errc popped = Errc::ok;
  spawn(executor, push_one(full, 1), [&](Task<Errc>& done) { pushed = done.take_result(); });
  spawn(executor, pop_all(empty, popped), [](Task<std::vector<int>>&) {});
  executor.run_until_idle();
  EXPECT_EQ(full.waiting() + empty.waiting(), 2u);
  full.close(Errc::shutting_down);
  empty.close(Errc::peer_closed);
  executor.run_until_idle();
  EXPECT_EQ(pushed, Errc::shutting_down);
  EXPECT_EQ(popped, Errc::peer_closed);
}

TEST(BoundedQueue, FeedsATaskFromOtherThreads) {
  const LeakCheck leaks;
  constexpr int kThreads = 3;
  constexpr int kItems = 500;
  ThreadExecutor executor;
  BoundedQueue<int> queue(16);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&queue] {
      for (int i = 0; i < kItems; ++i) {
        while (!queue.try_push(1)) std::this_thread::yield();
      }
    });
  }
  std::thread closer([&] {
    for (std::thread& thread : threads) thread.join();
    queue.close();
  });
  Errc end = Errc::ok;
  const Result<std::vector<int>> items = block_on(executor, pop_all(queue, end));
  closer.join();
  ASSERT_TRUE(items);
  EXPECT_EQ(items->size(), static_cast<std::size_t>(kThreads * kItems));
}

// --- Semaphore.

Task<void> use(Semaphore& semaphore, std::size_t count, int id, std::vector<int>& order) {
  Result<Permit> permit = co_await semaphore.acquire(count);
  if (!permit) co_return;
  order.push_back(id);
  const Result<void> slept = co_await sleep_for(10ms);
  EXPECT_TRUE(slept);
}

TEST(Semaphore, GivesPermitsInTheOrderAskedFor) {
  const LeakCheck leaks;
  ManualExecutor executor;
  Semaphore semaphore(2);
  std::vector<int> order;
  spawn(executor, use(semaphore, 1, 1, order));
  spawn(executor, use(semaphore, 2, 2, order));
  spawn(executor, use(semaphore, 1, 3, order));  // would fit, but stands behind 2
  executor.run_until_idle();
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_EQ(semaphore.waiting(), 2u);
  EXPECT_FALSE(semaphore.try_acquire());
  executor.advance(1s);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(semaphore.free(), 2u);
}

TEST(Semaphore, CancelOfTheFirstLetsTheNextIn) {
  const LeakCheck leaks;
  ManualExecutor executor;
  Semaphore semaphore(1);
  std::vector<int> order;
  CancelScope scope;
  spawn(executor, use(semaphore, 2, 1, order), [](Task<void>&) {}, &scope);
  spawn(executor, use(semaphore, 1, 2, order));
  executor.run_until_idle();
  EXPECT_TRUE(order.empty());
  executor.in_turn([&] { scope.request_cancel(); });
  executor.advance(1s);
  EXPECT_EQ(order, std::vector<int>{2});
  EXPECT_EQ(semaphore.waiting(), 0u);
  EXPECT_EQ(semaphore.free(), 1u);
}

TEST(Semaphore, PermitReturnsOnce) {
  Semaphore semaphore(3);
  std::optional<Permit> permit = semaphore.try_acquire(2);
  ASSERT_TRUE(permit);
  EXPECT_EQ(semaphore.free(), 1u);
  Permit moved = std::move(*permit);
  permit.reset();
  EXPECT_EQ(semaphore.free(), 1u);
  moved.release();
  moved.release();
  EXPECT_EQ(semaphore.free(), 3u);
  semaphore.release(2);
  EXPECT_EQ(semaphore.free(), 5u);
}

// --- when_all, when_any.

Task<int> after(std::chrono::nanoseconds delay, int value) {
  const Result<void> slept = co_await sleep_for(delay);
  co_return slept ? value : -value;
}

Task<int> breaks_after(std::chrono::nanoseconds delay, std::string text) {
  const Result<void> slept = co_await sleep_for(delay);
  if (slept) throw std::runtime_error(text);
  co_return 0;
}

Task<void> pause(std::chrono::nanoseconds delay) {
  const Result<void> slept = co_await sleep_for(delay);
  EXPECT_TRUE(slept);
}

class WhenTest : public ::testing::Test {
 protected:
  // Runs a task that takes time; the message of its exception if it throws.
  template <class T>
  std::optional<T> run(Task<T> task) {
    std::optional<T> result;
    spawn(executor, std::move(task), [&](Task<T>& done) {
      try {
        result = done.take_result();
      } catch (const std::runtime_error& error) {
        thrown = error.what();
      }
    });
    executor.advance(1h);
    return result;
  }

  LeakCheck leaks;
  ManualExecutor executor;
  std::string thrown;
};

TEST_F(WhenTest, AllRunSideBySide) {
  const MonotonicTime start = executor.manual().monotonic();
  MonotonicTime end;
  auto all = when_all(after(2s, 1), pause(1s), after(0s, 3));
  std::tuple<int, std::monostate, int> results;
  spawn(executor, std::move(all), [&](auto& done) {
    results = done.take_result();
    end = executor.now();
  });
  executor.advance(1h);
  EXPECT_EQ(results, std::make_tuple(1, std::monostate(), 3));
  EXPECT_LT(end - start, 2100ms);
}

TEST_F(WhenTest, AllOfAListKeepTheirOrder) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(after(std::chrono::seconds(5 - i), i));
  EXPECT_EQ(run(when_all(std::move(tasks))), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(run(when_all(std::vector<Task<int>>())), std::vector<int>());
}

TEST_F(WhenTest, AllWaitForEachAndRethrowTheFirstInOrder) {
  Task<int> late = breaks_after(3s, "first in order");
  Task<int> soon = breaks_after(1s, "first in time");
  EXPECT_FALSE(run(when_all(std::move(late), after(2s, 1), std::move(soon))));
  EXPECT_EQ(thrown, "first in order");
}

TEST_F(WhenTest, AnyCancelsTheLosersAndWaitsForTheirEnd) {
  bool ended = false;
  // The shielded loser does not listen, so that its end is waited for.
  auto any = when_any(after(1h, 1), after(1s, 2), pause(2h).shielded());
  spawn(executor, std::move(any), [&ended](auto& done) {
    EXPECT_EQ(done.take_result().index(), 1u);
    ended = true;
  });
  executor.advance(2s);
  EXPECT_EQ(executor.timers().armed(), 1u);
  EXPECT_FALSE(ended);
  executor.advance(2h);
  EXPECT_TRUE(ended);
}

TEST_F(WhenTest, AnyGivesTheFirst) {
  const auto winner = run(when_any(after(3s, 1), after(1s, 2)));
  ASSERT_TRUE(winner);
  EXPECT_EQ(winner->index(), 1u);
  EXPECT_EQ(std::get<1>(*winner), 2);
  EXPECT_EQ(executor.timers().armed(), 0u);
}

TEST_F(WhenTest, AnyStopsAtOneThatNeedsNoWait) {
  const auto winner = run(when_any(after(3s, 1), after(-1s, 2), breaks_after(0s, "never started")));
  ASSERT_TRUE(winner);
  EXPECT_EQ(winner->index(), 1u);
  EXPECT_EQ(thrown, "");
}

TEST_F(WhenTest, AnyRethrowsWhatTheFirstThrew) {
  EXPECT_FALSE(run(when_any(after(3s, 1), breaks_after(1s, "broken"))));
  EXPECT_EQ(thrown, "broken");
}

TEST_F(WhenTest, AnyOfAListNamesTheIndex) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(after(std::chrono::seconds(i == 3 ? 1 : 9), i));
  auto winner = run(when_any(std::move(tasks)));
  ASSERT_TRUE(winner);
  EXPECT_EQ(winner->index(), 3u);
  EXPECT_EQ(winner->value(), 3);
}

}  // namespace
}  // namespace spanwire
