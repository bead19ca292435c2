// Cancellation of tasks, at every await that this layer offers.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/bounded_queue.hpp"
#include "spanwire/base/cancel_scope.hpp"
#include "spanwire/base/semaphore.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/base/when.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/manual_executor.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using testing::LeakCheck;
using testing::ManualExecutor;

// What awaits may wait for, and whether anything waits there.
struct World {
  World() : full(1), permits(0) { static_cast<void>(full.try_push(0)); }
  BoundedQueue<int> empty{1};
  BoundedQueue<int> full;
  Semaphore permits;
  std::size_t waiting(ManualExecutor& executor) const {
    return empty.waiting() + full.waiting() + permits.waiting() + executor.timers().armed();
  }
};

Task<Errc> sleeps(World&) {
  const Result<void> slept = co_await sleep_for(1h);
  co_return slept ? Errc::ok : slept.error().code();
}
Task<Errc> pops(World& world) {
  const Result<int> item = co_await world.empty.pop();
  co_return item ? Errc::ok : item.error().code();
}
Task<Errc> pushes(World& world) {
  const Result<void> pushed = co_await world.full.push(1);
  co_return pushed ? Errc::ok : pushed.error().code();
}
Task<Errc> acquires(World& world) {
  const Result<Permit> permit = co_await world.permits.acquire();
  co_return permit ? Errc::ok : permit.error().code();
}
Task<Errc> awaits_all(World& world) {
  const auto [first, second] = co_await when_all(sleeps(world), pops(world));
  co_return first == Errc::cancelled ? second : Errc::ok;
}
Task<Errc> awaits_any(World& world) {
  const auto first = co_await when_any(sleeps(world), pops(world));
  co_return std::visit([](Errc code) { return code; }, first);
}
Task<Errc> awaits_list(World& world) {
  std::vector<Task<Errc>> tasks;
  tasks.push_back(pushes(world));
  tasks.push_back(acquires(world));
  WhenAny<Errc> first = co_await when_any(std::move(tasks));
  co_return first.value();
}
Task<Errc> awaits_child(World& world) {
  const Errc code = co_await pops(world);
  co_return code;
}

struct CancelCase {
  const char* name;
  Task<Errc> (*make)(World&);
};
std::ostream& operator<<(std::ostream& out, const CancelCase& c) { return out << c.name; }

class CancelTest : public ::testing::TestWithParam<CancelCase> {
 protected:
  struct Note : TaskHook {
    Note() : TaskHook{[](TaskHook* hook) noexcept { ++static_cast<Note*>(hook)->calls; }} {}
    int calls = 0;
  };
  void start(Task<Errc>& task, CancelScope* scope = nullptr) {
    executor.in_turn([&] { task.start(executor, note, scope); });
  }

  LeakCheck leaks;
  World world;
  ManualExecutor executor;
  Note note;
};

TEST_P(CancelTest, WaitsUntilCancelled) {
  Task<Errc> task = GetParam().make(world);
  CancelScope scope;
  start(task, &scope);
  executor.run_until_idle();
  EXPECT_EQ(note.calls, 0);
  EXPECT_NE(world.waiting(executor), 0u);

  executor.in_turn([&] {
    scope.request_cancel();
    // It has left what it waited for, and none of its code has run.
    EXPECT_EQ(world.waiting(executor), 0u);
    EXPECT_EQ(note.calls, 0);
  });
  executor.run_until_idle();
  ASSERT_EQ(note.calls, 1);
  EXPECT_EQ(task.take_result(), Errc::cancelled);
  EXPECT_TRUE(scope.idle());
}

TEST_P(CancelTest, DoesNotWaitInAScopeThatIsCancelled) {
  Task<Errc> task = GetParam().make(world);
  CancelScope scope;
  executor.in_turn([&] { scope.request_cancel(Errc::deadline_exceeded); });
  start(task, &scope);
  executor.run_until_idle();
  ASSERT_EQ(note.calls, 1);
  EXPECT_EQ(task.take_result(), Errc::cancelled);
  EXPECT_EQ(scope.reason(), Errc::deadline_exceeded);
}

TEST_P(CancelTest, DroppingItUnregistersAtOnce) {
  {
    Task<Errc> task = GetParam().make(world);
    start(task);
    EXPECT_NE(world.waiting(executor), 0u);
    executor.in_turn([&] { task = Task<Errc>(); });
    EXPECT_EQ(world.waiting(executor), 0u);
  }
  executor.run_until_idle();
  EXPECT_EQ(note.calls, 0);
}

INSTANTIATE_TEST_SUITE_P(Awaits, CancelTest,
                         ::testing::Values(CancelCase{"sleep", &sleeps}, CancelCase{"pop", &pops},
                                           CancelCase{"push", &pushes},
                                           CancelCase{"acquire", &acquires},
                                           CancelCase{"when_all", &awaits_all},
                                           CancelCase{"when_any", &awaits_any},
                                           CancelCase{"when_any_list", &awaits_list},
                                           CancelCase{"child", &awaits_child}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CancelScope, CancelsItsChildrenWithItsReason) {
  ManualExecutor executor;
  executor.in_turn([] {
    CancelScope root;
    CancelScope child(root);
    CancelScope grandchild(child);
    root.request_cancel(Errc::deadline_exceeded);
    root.request_cancel(Errc::cancelled);
    EXPECT_EQ(grandchild.reason(), Errc::deadline_exceeded);
    CancelScope late(root);
    EXPECT_EQ(late.reason(), Errc::deadline_exceeded);
  });
}

TEST(CancelScope, ChildDoesNotCancelItsParent) {
  CancelScope root;
  CancelScope child(root);
  child.request_cancel();
  EXPECT_FALSE(root.requested());
}

TEST(CancelScope, ForgetsAChildThatEnded) {
  CancelScope root;
  {
    const CancelScope child(root);
  }
  EXPECT_TRUE(root.idle());
  root.request_cancel();
  EXPECT_TRUE(root.requested());
}

// A task that is cancelled while its resumption is already posted is resumed once, with its result.
TEST(CancelScope, LosesAgainstAResumptionUnderWay) {
  const LeakCheck leaks;
  World world;
  ManualExecutor executor;
  Errc code = Errc::broken_promise;
  CancelScope scope;
  spawn(executor, acquires(world), [&](Task<Errc>& done) { code = done.take_result(); }, &scope);
  executor.run_until_idle();
  executor.in_turn([&] {
    world.permits.release();
    scope.request_cancel();
  });
  executor.run_until_idle();
  EXPECT_EQ(code, Errc::ok);
  EXPECT_EQ(world.permits.free(), 1u);
}

TEST(CancelScope, ShieldedRootIsDeaf) {
  const LeakCheck leaks;
  World world;
  ManualExecutor executor;
  TaskHook hook{[](TaskHook*) noexcept {}};
  Task<Errc> task = pops(world).shielded();
  CancelScope scope;
  executor.in_turn([&] { task.start(executor, hook, &scope); });
  EXPECT_EQ(task.scope(), nullptr);
  executor.in_turn([&] {
    scope.request_cancel();
    EXPECT_EQ(world.empty.waiting(), 1u);
    static_cast<void>(world.empty.try_push(3));
  });
  EXPECT_EQ(task.take_result(), Errc::ok);
}

Task<void> cleans_up(World& world, std::vector<std::string>& log) {
  const Errc code = co_await pops(world);
  log.push_back(std::string(name(code)));
  const Result<void> slept = co_await sleep_for(1s).shielded();
  log.push_back(slept ? "slept" : "cancelled");
}

TEST(CancelScope, ShieldedChildCleansUp) {
  const LeakCheck leaks;
  World world;
  ManualExecutor executor;
  std::vector<std::string> log;
  CancelScope scope;
  spawn(executor, cleans_up(world, log), [](Task<void>&) {}, &scope);
  executor.run_until_idle();
  executor.in_turn([&] { scope.request_cancel(); });
  executor.advance(2s);
  EXPECT_EQ(log, (std::vector<std::string>{"cancelled", "slept"}));
}

}  // namespace
}  // namespace spanwire
