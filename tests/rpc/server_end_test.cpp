// The end of a server: what a drain leaves behind still runs, and what it needs is still there.
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "tests/rpc/gate.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

// A server with one call under way that stays until the gate opens.
class ServerEnd : public RpcTest {
 protected:
  ~ServerEnd() override {
    if (opener_.joinable()) opener_.join();
    caller_.join();
  }

  // Serves and calls `handler`; returns once that is at the gate.
  void run_until_gate(BlockingHandler handler) {
    server().handle("test/gate", std::move(handler), RunOn::pool(1));
    call_until_gate();
  }
  void call_until_gate() {
    client();
    caller_ = std::thread([this] { static_cast<void>(call("test/gate", "")); });
    gate_.await_waiting(1);
  }
  // A drain that is over before the call has ended.
  void drain_in_vain() {
    const DrainReport report = server().drain_blocking(std::chrono::milliseconds(10));
    EXPECT_EQ(report.abandoned, 1u) << report.text();
  }
  // Opens the gate while this thread destroys the server, not before.
  void destroy_server_and_open() {
    opener_ = std::thread([this] {
      while (!destroying_) std::this_thread::yield();
      for (int i = 0; i < 20; ++i) std::this_thread::yield();
      gate_.open();
    });
    destroying_ = true;
    server_.reset();
  }

  Gate gate_;
  std::thread caller_;
  std::thread opener_;
  std::atomic<bool> destroying_{false};
};

TEST_F(ServerEnd, WaitsForBlockingHandlersThatADrainLeftBehind) {
  std::atomic<bool> ended{false};
  run_until_gate([&](Call& call) {
    gate_.pass();
    EXPECT_TRUE(call.cancelled());
    EXPECT_EQ(call.path(), "test/gate");
    ended = true;
    return Status::ok();
  });
  drain_in_vain();
  destroy_server_and_open();
  EXPECT_TRUE(ended);
}

TEST_F(ServerEnd, WaitsForCallsThatWereMovedOut) {
  std::thread engine;
  std::atomic<bool> ended{false};
  server().handle("test/gate", [&](Call& call) -> Task<Status> {
    engine = std::thread([this, &ended, mine = std::make_shared<Call>(std::move(call))] {
      gate_.pass();
      ended = true;
      mine->finish(Status::ok(), Slice::copy_of("late"));
    });
    co_return Status::ok();
  });
  call_until_gate();
  drain_in_vain();
  destroy_server_and_open();
  EXPECT_TRUE(ended);
  engine.join();
}

// Which cannot wait there.
TEST_F(ServerEnd, OnALoopsThreadLeavesWhatHandlersNeed) {
  auto needed = std::make_shared<std::atomic<bool>>(false);
  run_until_gate([this, needed](Call& call) {
    gate_.pass();
    EXPECT_EQ(call.path(), "test/gate");
    *needed = true;
    return Status::ok();
  });
  drain_in_vain();
  const auto destroy = [](std::unique_ptr<Server>* server) -> Task<void> {
    server->reset();
    co_return;
  };
  EXPECT_TRUE(runtime_.block_on(destroy(&server_)));
  EXPECT_FALSE(*needed);
  gate_.open();
  const std::weak_ptr<std::atomic<bool>> left = std::exchange(needed, nullptr);
  while (!left.expired()) std::this_thread::yield();
}

TEST_F(ServerEnd, MayComeWhileItDrains) {
  run_until_gate(waits_at(gate_));
  std::thread drainer([&] {
    const Result<DrainReport> report = runtime_.block_on(server_->drain(kGuard));
    EXPECT_TRUE(report);
  });
  while (call("test/echo", "")) continue;  // until the drain has begun
  destroy_server_and_open();
  drainer.join();
}

}  // namespace
}  // namespace spanwire::rpc
