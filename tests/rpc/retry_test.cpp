// Calls that may run twice: repeated when their connection is lost, within a budget.
#include <atomic>
#include <set>
#include <thread>

#include "lib/rpc/retry_budget.hpp"
#include "spanwire/base/counters.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

TEST(RetryBudget, RefusesWhileHalfOfTheTokensAreGone) {
  RetryBudget budget(4, 0.5);
  EXPECT_TRUE(budget.failed());   // 3
  EXPECT_FALSE(budget.failed());  // 2
  budget.succeeded();             // 2.5
  EXPECT_FALSE(budget.failed());  // 1.5
  for (int i = 0; i < 100; ++i) budget.succeeded();
  EXPECT_TRUE(budget.failed());
}

TEST(RetryBudget, WithoutTokensAllowsNothing) {
  RetryBudget none(0, 1.0);
  none.succeeded();
  EXPECT_FALSE(none.failed());
}

TEST(RetryBudget, NeverGoesBelowZero) {
  RetryBudget budget(2, 1.0);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(budget.failed());
  budget.succeeded();
  budget.succeeded();
  EXPECT_FALSE(budget.failed());
}

std::int64_t counted(const char* name) { return counter_snapshot().value(name); }

// A server in memory behind links that break after some calls.
class BrokenLinks : public RpcTest {
 protected:
  static constexpr int kCalls = 100;

  Client& client_with(ClientOptions options = {}) {
    make_server(ServerOptions()).handle("attempt", [this](Call& call) -> Task<Status> {
      ++runs_;
      call.reply(Slice::of(call.header("spanwire-attempt").value_or("1")));
      co_return Status::ok();
    });
    const Result<std::string> bound = server().listen("memory://retry-test");
    EXPECT_TRUE(bound && server().start());
    options.wait_for_ready = true;
    options.default_timeout = kGuard;
    options.reconnect_first = options.reconnect_last = std::chrono::milliseconds(1);
    options.memory.faults.cut_after_bytes = 2'000;
    client_ = std::make_unique<Client>(runtime_, *bound, std::move(options));
    return *client_;
  }
  // How many calls failed; the attempts that others took are in attempts_.
  int call_all(bool idempotent) {
    CallOptions options;
    options.idempotent = idempotent;
    int failed = 0;
    for (int i = 0; i < kCalls; ++i) {
      const Result<Reply> reply = call("attempt", "x", options);
      if (reply) {
        attempts_.insert(std::string(reply->payload().text()));
      } else {
        EXPECT_EQ(reply.error().code(), Errc::connection_lost) << reply.error().message();
        EXPECT_EQ(call_failure(reply.error())->cause, Errc::fault_injected);
        ++failed;
      }
    }
    return failed;
  }

  std::atomic<int> runs_{0};
  std::set<std::string> attempts_;
};

TEST_F(BrokenLinks, CostIdempotentCallsNothing) {
  client_with();
  const std::int64_t before = counted("spanwire.rpc.client.retries");
  EXPECT_EQ(call_all(true), 0);
  EXPECT_EQ(attempts_, (std::set<std::string>{"1", "2"}));
  EXPECT_GT(counted("spanwire.rpc.client.retries"), before);
  EXPECT_GE(runs_, kCalls);
}

TEST_F(BrokenLinks, FailOtherCallsThatMayHaveRun) {
  client_with();
  EXPECT_GT(call_all(false), 0);
  EXPECT_LE(runs_, kCalls);
}

TEST_F(BrokenLinks, FailIdempotentCallsWithoutABudget) {
  ClientOptions options;
  options.retry_tokens_max = 0;
  client_with(options);
  const std::int64_t before = counted("spanwire.rpc.client.retries_refused");
  const int failed = call_all(true);
  EXPECT_GT(failed, 0);
  EXPECT_EQ(counted("spanwire.rpc.client.retries_refused") - before, failed);
}

// Two servers that are both unavailable.
class Unavailable : public RpcTest {
 protected:
  void serve(std::chrono::milliseconds retry_after = {}) {
    std::string addresses;
    for (Server* each : {&first_, &second_}) {
      each->handle("down", [this, retry_after](Call&) -> Task<Status> {
        ++runs_;
        Status status(StatusCode::unavailable, "down");
        status.retry_after(retry_after);
        co_return status;
      });
      each->handle("who", [each](Call& call) -> Task<Status> {
        call.reply(Slice::of(each->addresses().front()));
        co_return Status::ok();
      });
      const Result<std::string> bound = each->listen("tcp://127.0.0.1:0");
      ASSERT_TRUE(bound && each->start());
      addresses += (addresses.empty() ? "" : ",") + *bound;
    }
    ClientOptions options;
    options.retry_tokens_max = 10;
    client_ = std::make_unique<Client>(runtime_, addresses, options);
    // Until both are connected one of them answers alone.
    while (call("who", "")->payload() == call("who", "")->payload()) std::this_thread::yield();
  }
  // How often the handlers ran for one call.
  int runs_of_a_call() {
    CallOptions options;
    options.idempotent = true;
    const int before = runs_;
    const Result<Reply> reply = call("down", "x", options);
    EXPECT_EQ(status_of(reply.error()), StatusCode::unavailable);
    EXPECT_EQ(call_failure(reply.error())->attempt, runs_ - before);
    return runs_ - before;
  }
  void TearDown() override { client_.reset(); }

  Server first_{runtime_};
  Server second_{runtime_};
  std::atomic<int> runs_{0};
};

TEST_F(Unavailable, ServersAreAskedAgainUntilTheBudgetIsUsedUp) {
  serve();
  const std::int64_t before = counted("spanwire.rpc.client.retries_refused");
  EXPECT_EQ(runs_of_a_call(), 3);  // 10 tokens, 7 left
  EXPECT_EQ(runs_of_a_call(), 2);  // 5 left
  EXPECT_EQ(runs_of_a_call(), 1);
  EXPECT_EQ(counted("spanwire.rpc.client.retries_refused") - before, 2);
}

TEST_F(Unavailable, ServersThatSayWhenToComeBackAreNotAskedEarlier) {
  serve(std::chrono::seconds(1));
  EXPECT_EQ(runs_of_a_call(), 1);
}

// ---- Client::ready() and connectivity()

class Readiness : public RpcTest {};

TEST_F(Readiness, MeansConnected) {
  client();
  EXPECT_EQ(client_->connectivity(), Connectivity::idle);
  ASSERT_TRUE(client_->ready_blocking(kGuard));
  EXPECT_EQ(client_->connectivity(), Connectivity::ready);
  EXPECT_TRUE(runtime_.block_on(client_->ready()));
}

TEST_F(Readiness, SaysWhyThereIsNone) {
  client();
  const std::string nobody = address_of_nobody();
  Client alone(runtime_, nobody);
  EXPECT_FALSE(alone.ready_blocking(std::chrono::milliseconds(1)));  // dials
  while (alone.connectivity() != Connectivity::failing) std::this_thread::yield();
  const Result<void> ready = alone.ready_blocking(std::chrono::milliseconds(20));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code(), Errc::deadline_exceeded);
  EXPECT_NE(ready.error().message().find(nobody), std::string::npos) << ready.error().message();
}

TEST_F(Readiness, WaitsForAServerThatComesLater) {
  Client early(runtime_, "memory://readiness-test");
  Result<void> ready = fail(Errc::cancelled);
  std::thread waiting([&] { ready = early.ready_blocking(kGuard); });
  while (early.connectivity() == Connectivity::idle) std::this_thread::yield();
  ASSERT_TRUE(server().listen("memory://readiness-test"));
  ASSERT_TRUE(server().start());
  waiting.join();
  EXPECT_TRUE(ready) << ready.error().message();
}

TEST_F(Readiness, RefusesBadAddressesAndLoopThreads) {
  Client bad(runtime_, "nonsense");
  EXPECT_EQ(bad.ready_blocking().error().code(), Errc::bad_address);
  const auto on_loop = [](Client* called) -> Task<Result<void>> {
    co_return called->ready_blocking();
  };
  EXPECT_EQ(runtime_.block_on(on_loop(&bad)).error().code(), Errc::would_deadlock);
}

}  // namespace
}  // namespace spanwire::rpc
