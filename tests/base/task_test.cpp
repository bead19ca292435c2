#include "spanwire/base/task.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/base/cancellation.hpp"
#include "spanwire/base/semaphore.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/base/when.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/support/manual_executor.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using testing::LeakCheck;
using testing::LogCapture;
using testing::ManualExecutor;

// Waits until the test lets it go on; deaf to cancellation.
class Gate {
 public:
  class Wait : private Suspension {
   public:
    explicit Wait(Gate& gate) noexcept : gate_(gate) {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      const bool waits = suspend(handle);
      gate_.waiter_ = this;
      return waits;
    }
    void await_resume() const noexcept {}

   private:
    Gate& gate_;
  };

  Wait wait() noexcept { return Wait(*this); }
  bool awaited() const noexcept { return waiter_ != nullptr; }
  void open() { std::exchange(waiter_, nullptr)->resume(); }

 private:
  friend class Wait;
  Suspension* waiter_ = nullptr;
};

// Resumes its waiter before await_suspend has returned.
class Immediate : private Suspension {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    static_cast<void>(suspend(handle));
    resume();
  }
  int await_resume() const noexcept { return 7; }
};

class Note : public TaskHook {
 public:
  Note() : TaskHook{[](TaskHook* hook) noexcept { ++static_cast<Note*>(hook)->calls; }} {}
  int calls = 0;
};

class TaskTest : public ::testing::Test {
 protected:
  template <class T>
  void start(Task<T>& task, TaskHook& hook, CancelScope* scope = nullptr) {
    executor.in_turn([&] { task.start(executor, hook, scope); });
  }
  void open(Gate& gate) {
    executor.in_turn([&] { gate.open(); });
  }

  LeakCheck leaks;
  ManualExecutor executor;
};

Task<int> number(int value) { co_return value; }

Task<std::string> throwing(bool wait_first) {
  if (wait_first) co_await yield();
  throw std::runtime_error("broken");
}

Task<void> append(std::vector<int>& log, int value) {
  log.push_back(value);
  co_return;
}

TEST_F(TaskTest, RunsNothingBeforeItIsAwaited) {
  std::vector<int> log;
  {
    Task<void> task = append(log, 1);
    EXPECT_FALSE(task.started());
  }
  EXPECT_TRUE(log.empty());
}

TEST_F(TaskTest, StartsInlineAndCallsItsHookOnce) {
  std::vector<int> log;
  Note note;
  Task<void> task = append(log, 1);
  start(task, note);
  EXPECT_EQ(log, std::vector<int>{1});
  EXPECT_EQ(note.calls, 1);
  EXPECT_TRUE(task.done());
}

Task<long> sum_of_synchronous(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await number(i);
    sum += value;
  }
  co_return sum;
}

TEST_F(TaskTest, AMillionSynchronousAwaitsKeepTheStack) {
  EXPECT_EQ(executor.run(sum_of_synchronous(1'000'000)), 499'999'500'000L);
}

Task<long> sum_of_immediate(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await Immediate();
    sum += value;
  }
  co_return sum;
}

TEST_F(TaskTest, AMillionResumptionsInsideTheAwaitKeepTheStack) {
  EXPECT_EQ(executor.run(sum_of_immediate(1'000'000)), 7'000'000L);
}

Task<int> yielding(int value) {
  co_await yield();
  co_return value;
}

Task<long> sum_of_yielding(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await yielding(i);
    sum += value;
  }
  co_return sum;
}

TEST_F(TaskTest, ManyAwaitsThatWaitKeepTheStack) {
  EXPECT_EQ(executor.run(sum_of_yielding(100'000)), 4'999'950'000L);
}

Task<int> nested(int depth, Gate& gate) {
  if (depth == 0) {
    co_await gate.wait();
    co_return 0;
  }
  const int below = co_await nested(depth - 1, gate);
  co_return below + 1;
}

// Going down takes stack, as calls do; coming back up after a wait must not.
TEST_F(TaskTest, ReturnsThroughManyWaitingParents) {
  Gate gate;
  Note note;
  Task<int> task = nested(1000, gate);
  start(task, note);
  ASSERT_TRUE(gate.awaited());
  open(gate);
  ASSERT_EQ(note.calls, 1);
  EXPECT_EQ(task.take_result(), 1000);
}

Task<std::string> catching(bool wait_first) {
  try {
    const std::string text = co_await throwing(wait_first);
    co_return text;
  } catch (const std::runtime_error& error) {
    co_return std::string("caught ") + error.what();
  }
}

TEST_F(TaskTest, RethrowsWhereItIsAwaited) {
  EXPECT_EQ(executor.run(catching(false)), "caught broken");
  EXPECT_EQ(executor.run(catching(true)), "caught broken");
}

TEST_F(TaskTest, OffersTheExceptionOfARoot) {
  Note note;
  Task<std::string> task = throwing(true);
  start(task, note);
  executor.run_until_idle();
  ASSERT_EQ(note.calls, 1);
  EXPECT_NE(task.exception(), nullptr);
  EXPECT_THROW(task.take_result(), std::runtime_error);
}

Task<std::unique_ptr<int>> boxed(int value) { co_return std::make_unique<int>(value); }

TEST_F(TaskTest, MovesItsResultOut) { EXPECT_EQ(*executor.run(boxed(5)), 5); }

Task<Executor*> home_after_waiting() {
  co_await yield();
  co_return Executor::current();
}

TEST_F(TaskTest, ResumesAtHome) { EXPECT_EQ(executor.run(home_after_waiting()), &executor); }

// The hook may free the call that the task is a part of.
TEST_F(TaskTest, HookMayDestroyTheTask) {
  struct Call : TaskHook {
    Call() : TaskHook{[](TaskHook* hook) noexcept { delete static_cast<Call*>(hook); }} {}
    Task<int> task;
  };
  for (const bool waits : {false, true}) {
    auto* call = new Call;
    call->task = waits ? yielding(1) : number(1);
    executor.in_turn([&] { call->task.start(executor, *call); });
    executor.run_until_idle();
  }
}

// --- Dropping.

Task<void> hold(std::shared_ptr<int> token, Gate& gate, bool& ended) {
  co_await gate.wait();
  ended = token != nullptr;
}

TEST_F(TaskTest, DroppedBeforeStartFreesItsParameters) {
  auto token = std::make_shared<int>(1);
  Gate gate;
  bool ended = false;
  {
    const Task<void> task = hold(token, gate, ended);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(ended);
}

TEST_F(TaskTest, DroppedWhileWaitingRunsToItsEndAlone) {
  auto token = std::make_shared<int>(1);
  Gate gate;
  Note note;
  bool ended = false;
  {
    Task<void> task = hold(token, gate, ended);
    start(task, note);
  }
  EXPECT_EQ(token.use_count(), 2);
  open(gate);
  EXPECT_TRUE(ended);
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(note.calls, 0);
}

Task<void> parent_of_hold(std::shared_ptr<int> token, Gate& gate, bool& ended) {
  co_await hold(token, gate, ended);
}

TEST_F(TaskTest, DroppedParentKeepsItsChildUntilTheEnd) {
  auto token = std::make_shared<int>(1);
  Gate gate;
  Note note;
  bool ended = false;
  {
    Task<void> task = parent_of_hold(token, gate, ended);
    start(task, note);
  }
  open(gate);
  EXPECT_TRUE(ended);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(TaskTest, ReplacedByAssignmentIsDropped) {
  auto token = std::make_shared<int>(1);
  Gate gate;
  Note note;
  bool ended = false;
  Task<void> task = hold(token, gate, ended);
  start(task, note);
  task = Task<void>();
  EXPECT_FALSE(task);
  open(gate);
  EXPECT_TRUE(ended);
}

// --- Depth.

// Each resumption wakes the next from inside: the stack would hold them all.
Task<void> link(Gate& mine, Gate* following, int& deepest, int& depth) {
  co_await mine.wait();
  ++depth;
  deepest = std::max(deepest, depth);
  if (following != nullptr) following->open();
  --depth;
}

TEST_F(TaskTest, ResumptionDeeperThanTheLimitIsPosted) {
  constexpr int kLinks = 1000;
  std::vector<Gate> gates(kLinks);
  std::vector<Note> notes(kLinks);
  std::vector<Task<void>> tasks;
  int deepest = 0;
  int depth = 0;
  for (int i = 0; i < kLinks; ++i) {
    const auto at = static_cast<std::size_t>(i);
    tasks.push_back(link(gates[at], i + 1 < kLinks ? &gates[at + 1] : nullptr, deepest, depth));
    start(tasks.back(), notes[at]);
  }
  open(gates[0]);
  executor.run_until_idle();
  EXPECT_EQ(notes.back().calls, 1);
  EXPECT_EQ(deepest, static_cast<int>(Executor::kResumeDepthMax));
}

// --- spawn.

TEST_F(TaskTest, SpawnRunsLaterAndAlone) {
  std::vector<int> log;
  spawn(executor, append(log, 1));
  EXPECT_TRUE(log.empty());
  executor.run_until_idle();
  EXPECT_EQ(log, std::vector<int>{1});
}

TEST_F(TaskTest, SpawnHandsTheResultToItsCallback) {
  int result = 0;
  spawn(executor, yielding(4), [&result](Task<int>& done) { result = done.take_result(); });
  executor.run_until_idle();
  EXPECT_EQ(result, 4);
}

TEST_F(TaskTest, SpawnReportsAnExceptionThatNobodySees) {
  const LogCapture log;
  spawn(executor, throwing(true));
  executor.run_until_idle();
  EXPECT_TRUE(log.contains("nobody waits for what=broken"));
}

TEST_F(TaskTest, SpawnedNeverRunIsFreedByItsExecutor) {
  auto token = std::make_shared<int>(1);
  Gate gate;
  bool ended = false;
  {
    ManualExecutor other;
    spawn(other, hold(token, gate, ended), [](Task<void>&) {});
    other.run_until_idle();
    ASSERT_TRUE(gate.awaited());
    other.in_turn([&] { gate.open(); });
  }
  EXPECT_EQ(token.use_count(), 1);
}

struct NotForCoroutines {
  std::string text;
};
static_assert(AsyncValue<int> && AsyncValue<std::string> && AsyncValue<void>);
static_assert(AsyncValue<Result<std::string>> && AsyncValue<std::unique_ptr<int>>);
static_assert(!AsyncValue<NotForCoroutines>);
static_assert(AsyncValue<Error> && AsyncValue<Slice> && AsyncValue<Buffer>);
static_assert(AsyncValue<Cancellation> && AsyncValue<Permit> && AsyncValue<WhenAny<int>>);
static_assert(AsyncValue<Task<int>> && AsyncValue<Task<void>>);

}  // namespace
}  // namespace spanwire
