// A client's shutdown: what was begun may end, by the deadline nothing is left, and the report says
// which was which.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "lib/rpc/each_loop.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/rpc/client.hpp"
#include "tests/rpc/counted.hpp"
#include "tests/rpc/gate.hpp"
#include "tests/rpc/raw_listener.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::rpc {
namespace {

using namespace std::chrono_literals;

// A shutdown on a thread of its own, which has begun.
class Shutting {
 public:
  Shutting(Client& client, std::chrono::nanoseconds timeout)
      : thread_([this, &client, timeout] { report_ = client.shutdown_blocking(timeout); }) {
    EXPECT_TRUE(comes_true([&] { return client.connectivity() == Connectivity::closed; }));
  }
  ~Shutting() {
    if (thread_.joinable()) thread_.join();
  }
  ShutdownReport end() {
    thread_.join();
    EXPECT_TRUE(report_);
    return report_.value_or(ShutdownReport());
  }

 private:
  Result<ShutdownReport> report_;
  std::thread thread_;
};

// A call on a thread of its own.
class Calling {
 public:
  Calling(Client& client, std::string_view path, CallOptions options = {})
      : thread_([this, &client, path = std::string(path), options] {
          reply_ = client.call_blocking(trace::Context(), path, Slice::copy_of("x"), options);
        }) {}
  ~Calling() {
    if (thread_.joinable()) thread_.join();
  }
  Result<Reply> end() {
    thread_.join();
    return std::move(reply_);
  }

 private:
  Result<Reply> reply_;
  std::thread thread_;
};

class ClientShutdown : public RpcTest {
 protected:
  using RpcTest::RpcTest;
  void await_running(std::size_t calls) {
    EXPECT_TRUE(comes_true([&] { return server().running() == calls; })) << server().running();
  }
};

TEST_F(ClientShutdown, LetsCallsUnderWayEndAndRefusesNewOnes) {
  Gate gate;
  server().handle("test/gate", waits_at(gate), RunOn::pool(1));
  Calling under_way(client(), "test/gate");
  gate.await_waiting(1);
  Shutting shutting(*client_, kGuard);
  const Result<Reply> refused = call("test/echo", "x");
  EXPECT_EQ(refused.error(), Errc::shutting_down);
  EXPECT_EQ(call_failure(refused.error())->reached, Reached::not_sent);
  EXPECT_NE(refused.error().message().find("the client is being shut down"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(client_->open_blocking(trace::Context(), "test/echo", Slice()).error(),
            Errc::shutting_down);
  EXPECT_EQ(client_->ready_blocking().error(), Errc::shutting_down);
  gate.open();
  const ShutdownReport report = shutting.end();
  EXPECT_TRUE(under_way.end());
  EXPECT_EQ(report.finished, 1u) << report.text();
  EXPECT_EQ(report.cancelled, 0u) << report.text();
  EXPECT_EQ(report.refused, 2u) << report.text();
}

TEST_F(ClientShutdown, CancelsAtTheDeadlineWhatIsLeft) {
  client();
  Result<Stream> stream = client_->open_blocking(trace::Context(), "test/hang", Slice());
  ASSERT_TRUE(stream);
  Calling hanging(*client_, "test/hang");
  await_running(2);
  const Result<ShutdownReport> report = client_->shutdown_blocking(10ms);
  ASSERT_TRUE(report);
  const Result<Reply> call = hanging.end();
  EXPECT_EQ(call.error(), Errc::cancelled);
  EXPECT_EQ(call_failure(call.error())->status, StatusCode::cancelled);
  EXPECT_NE(call.error().message().find("time to shut down was over"), std::string::npos)
      << call.error().message();
  EXPECT_EQ(stream->read_blocking().error(), Errc::cancelled);
  EXPECT_EQ(report->finished, 0u) << report->text();
  EXPECT_EQ(report->cancelled, 2u) << report->text();
  EXPECT_EQ(report->not_sent, 0u) << report->text();
  EXPECT_EQ(report->unwritten_bytes, 0u) << report->text();
  EXPECT_GE(report->took, 10ms);
  await_running(0);  // the handlers were told
}

TEST_F(ClientShutdown, OfAnIdleClientIsAtOnceAndForGood) {
  client();
  ASSERT_TRUE(call("test/echo", "x"));
  const ShutdownReport report = client_->shutdown_blocking(kGuard).value();
  EXPECT_EQ(report.text().substr(report.text().find(':')),
            ": 0 calls finished, 0 cancelled (0 of them not sent), 0 refused, 0 bytes not written");
  EXPECT_LT(report.took, kGuard);
  EXPECT_EQ(client_->connectivity(), Connectivity::closed);
  EXPECT_EQ(call("test/echo", "x").error(), Errc::shutting_down);
  EXPECT_TRUE(client_->shutdown_blocking(kGuard));
}

Task<Errc> shut_down_blocking(Client* client) {
  co_return client->shutdown_blocking(kGuard).error().code();
}

TEST_F(ClientShutdown, IsAwaitedOnALoopAndNotBlockedOn) {
  client();
  ASSERT_TRUE(call("test/echo", "x"));
  EXPECT_EQ(*runtime_.block_on(shut_down_blocking(client_.get())), Errc::would_deadlock);
  EXPECT_EQ(client_->connectivity(), Connectivity::ready);
  EXPECT_TRUE(runtime_.block_on(client_->shutdown(kGuard)));
  EXPECT_EQ(client_->connectivity(), Connectivity::closed);
}

TEST_F(ClientShutdown, AtItsOwnDeadlineIfThatOfAnotherIsLater) {
  Calling hanging(client(), "test/hang");
  await_running(1);
  Shutting patient(*client_, kGuard);
  const ShutdownReport hasty = client_->shutdown_blocking(0ns).value();
  EXPECT_EQ(hasty.cancelled, 1u);
  EXPECT_EQ(hanging.end().error(), Errc::cancelled);
  const ShutdownReport report = patient.end();
  EXPECT_EQ(report.finished + report.cancelled, 1u) << report.text();
  EXPECT_LT(report.took, kGuard);
}

TEST_F(ClientShutdown, EndsWithItsClient) {
  Calling hanging(client(), "test/hang");
  await_running(1);
  Shutting shutting(*client_, kGuard);
  client_.reset();
  EXPECT_EQ(hanging.end().error(), Errc::shutting_down);
  EXPECT_LT(shutting.end().took, kGuard);
}

constexpr int kMessages = 40;

Task<Status> count_message(std::atomic<int>* came) {
  *came += 1;
  co_return Status::ok();
}

Task<void> send_message(Client* client) {
  const Result<void> sent = co_await client->notify(trace::Context(), "test/message",
                                                    Slice::of(std::string(1u << 20, 'x')));
  EXPECT_TRUE(sent) << sent.error().message();
}

Task<ShutdownReport> send_messages_and_end(Client* client) {
  for (int i = 0; i < kMessages; ++i) spawn(*Executor::current(), send_message(client));
  const ShutdownReport report = co_await client->shutdown(kGuard);
  co_return report;
}

// Messages have no reply to wait for: they are under way until they are written.
TEST_F(ClientShutdown, WritesEveryMessageBeforeItCloses) {
  std::atomic<int> came{0};
  server().handle("test/message", [&came](Call& /*call*/) { return count_message(&came); });
  client();
  ASSERT_TRUE(call("test/echo", "connected"));
  const ShutdownReport report = *runtime_.block_on(send_messages_and_end(client_.get()));
  EXPECT_EQ(report.cancelled, 0u) << report.text();
  EXPECT_EQ(report.refused, 0u) << report.text();
  EXPECT_EQ(report.unwritten_bytes, 0u) << report.text();
  EXPECT_TRUE(comes_true([&] { return came == kMessages; })) << came;
}

class ClientShutdownOnManyLoops : public ClientShutdown {
 protected:
  ClientShutdownOnManyLoops() : ClientShutdown(4) {}
};

TEST_F(ClientShutdownOnManyLoops, WaitsOnAllOfThemSideBySide) {
  constexpr std::size_t kCalls = 8;
  client();
  std::vector<std::unique_ptr<Calling>> hanging;
  for (std::size_t i = 0; i < kCalls; ++i) {
    hanging.push_back(std::make_unique<Calling>(*client_, "test/hang"));
  }
  await_running(kCalls);
  const ShutdownReport report = client_->shutdown_blocking(50ms).value();
  EXPECT_EQ(report.cancelled, kCalls) << report.text();
  for (const auto& calling : hanging) EXPECT_EQ(calling->end().error(), Errc::cancelled);
  await_running(0);
}

// ---- Where nobody is connected

TEST(ClientShutdownUnconnected, CancelsWhatWaitsForAConnection) {
  Runtime runtime;
  Client client(runtime, "memory://nobody-there");
  CallOptions patient;
  patient.wait_for_ready = true;
  Calling waiting(client, "test/echo", patient);
  EXPECT_TRUE(comes_true([&] { return client.connectivity() == Connectivity::failing; }));
  const ShutdownReport report = client.shutdown_blocking(1ms).value();
  EXPECT_EQ(report.cancelled, 1u) << report.text();
  EXPECT_EQ(report.not_sent, 1u) << report.text();
  const Result<Reply> call = waiting.end();
  EXPECT_EQ(call.error(), Errc::cancelled);
  EXPECT_EQ(call_failure(call.error())->reached, Reached::not_sent);
}

TEST(ClientShutdownUnconnected, StillConnectsForWhatWaits) {
  Runtime runtime;
  Client client(runtime, "memory://shutdown-test-later");
  CallOptions patient;
  patient.wait_for_ready = true;
  Calling waiting(client, "test/echo", patient);
  EXPECT_TRUE(comes_true([&] { return client.connectivity() == Connectivity::failing; }));
  Shutting shutting(client, kGuard);
  Server server(runtime, ServerOptions().listen("memory://shutdown-test-later"));
  server.handle("test/echo", echo);
  ASSERT_TRUE(server.start());
  EXPECT_TRUE(waiting.end());
  EXPECT_EQ(shutting.end().finished, 1u);
}

// Its kernel takes what fits into its buffers, and nobody reads that.
TEST(ClientShutdownUnread, IsOverASecondAfterTheDeadlineAndSaysWhatWasNotWritten) {
  constexpr std::size_t kPayload = 15u << 20;
  RawListener deaf;
  Runtime runtime;
  Client client(runtime, "dynamo+tcp://" + deaf.endpoint());
  std::thread caller([&] {
    const Result<Reply> reply =
        client.call_blocking(trace::Context(), "a/b", Slice::of(std::string(kPayload, 'x')));
    EXPECT_EQ(reply.error(), Errc::cancelled);
  });
  EXPECT_TRUE(comes_true([&] { return client.connectivity() == Connectivity::ready; }));
  const ShutdownReport report = client.shutdown_blocking(100ms).value();
  caller.join();
  EXPECT_EQ(report.cancelled, 1u) << report.text();
  EXPECT_GT(report.unwritten_bytes, 0u) << report.text();
  EXPECT_LT(report.unwritten_bytes, kPayload) << report.text();
  EXPECT_GE(report.took, kCancelGrace);
  EXPECT_LT(report.took, wire::kWriteTimeout);
}

TEST(ClientShutdownForked, IsTheParents) {
  Runtime runtime;
  Client client(runtime, "memory://nobody-there");
  const auto in_child = [&client] {
    return client.shutdown_blocking(kGuard).error() == Errc::forked ? 0 : 1;
  };
  EXPECT_EQ(testing::run_in_child(in_child), 0);
}

}  // namespace
}  // namespace spanwire::rpc
