// The end of a server: what a drain leaves behind still runs, and what it needs is still there.
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "tests/rpc/gate.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

class ServerEnd : public RpcTest {
 protected:
  // A drain that is over before the one call has ended.
  void drain_in_vain() {
    const DrainReport report = server().drain_blocking(std::chrono::milliseconds(10));
    EXPECT_EQ(report.abandoned, 1u) << report.text();
  }
  // Opens the gate while the main thread destroys the server, not before.
  std::thread opener(Gate& gate) {
    return std::thread([this, &gate] {
      while (!destroying_) std::this_thread::yield();
      for (int i = 0; i < 20; ++i) std::this_thread::yield();
      gate.open();
    });
  }
  void destroy_server() {
    destroying_ = true;
    server_.reset();
  }

  std::atomic<bool> destroying_{false};
};

TEST_F(ServerEnd, WaitsForBlockingHandlersThatADrainLeftBehind) {
  Gate gate;
  std::atomic<bool> ended{false};
  server().handle(
      "test/gate",
      [&](Call& call) {
        gate.pass();
        EXPECT_TRUE(call.cancelled());
        EXPECT_EQ(call.path(), "test/gate");
        ended = true;
        return Status::ok();
      },
      RunOn::pool(1));
  client();
  std::thread caller([&] { EXPECT_FALSE(call("test/gate", "")); });
  gate.await_waiting(1);
  drain_in_vain();
  std::thread opening = opener(gate);
  destroy_server();
  EXPECT_TRUE(ended);
  opening.join();
  caller.join();
}

TEST_F(ServerEnd, WaitsForCallsThatWereMovedOut) {
  Gate gate;
  std::thread engine;
  std::atomic<bool> ended{false};
  server().handle("test/engine", [&](Call& call) -> Task<Status> {
    engine = std::thread([&gate, &ended, mine = std::make_shared<Call>(std::move(call))] {
      gate.pass();
      ended = true;
      mine->finish(Status::ok(), Slice::copy_of("late"));
    });
    co_return Status::ok();
  });
  client();
  std::thread caller([&] { EXPECT_FALSE(call("test/engine", "")); });
  gate.await_waiting(1);
  drain_in_vain();
  std::thread opening = opener(gate);
  destroy_server();
  EXPECT_TRUE(ended);
  opening.join();
  caller.join();
  engine.join();
}

// Which cannot wait there.
TEST_F(ServerEnd, OnALoopsThreadLeavesWhatHandlersNeed) {
  Gate gate;
  auto needed = std::make_shared<std::atomic<bool>>(false);
  server().handle(
      "test/gate",
      [&gate, needed](Call& call) {
        gate.pass();
        EXPECT_EQ(call.path(), "test/gate");
        *needed = true;
        return Status::ok();
      },
      RunOn::pool(1));
  client();
  std::thread caller([&] { EXPECT_FALSE(call("test/gate", "")); });
  gate.await_waiting(1);
  drain_in_vain();
  const auto destroy = [](std::unique_ptr<Server>* server) -> Task<void> {
    server->reset();
    co_return;
  };
  EXPECT_TRUE(runtime_.block_on(destroy(&server_)));
  EXPECT_FALSE(*needed);
  gate.open();
  caller.join();
  const std::weak_ptr<std::atomic<bool>> left = std::exchange(needed, nullptr);
  while (!left.expired()) std::this_thread::yield();
}

TEST_F(ServerEnd, MayComeWhileItDrains) {
  Gate gate;
  server().handle(
      "test/gate",
      [&](Call&) {
        gate.pass();
        return Status::ok();
      },
      RunOn::pool(1));
  client();
  std::thread caller([&] { static_cast<void>(call("test/gate", "")); });
  gate.await_waiting(1);
  std::thread drainer([&] {
    const Result<DrainReport> report = runtime_.block_on(server_->drain(kGuard));
    EXPECT_TRUE(report);
  });
  while (call("test/echo", "")) continue;  // until the drain has begun
  std::thread opening = opener(gate);
  destroy_server();
  opening.join();
  drainer.join();
  caller.join();
}

}  // namespace
}  // namespace spanwire::rpc
