#include "spanwire/rpc/server.hpp"

#include <sys/wait.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "lib/rpc/each_loop.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/rpc/async.hpp"
#include "spanwire/rpc/interceptor.hpp"
#include "tests/rpc/gate.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::rpc {
namespace {

using ServerTest = RpcTest;

TEST_F(ServerTest, RunsBlockingHandlersOnTheirOwnThreads) {
  const std::thread::id mine = std::this_thread::get_id();
  std::atomic<bool> on_loop{true};
  server().handle(
      "test/block",
      [&](Call& call) {
        on_loop = Executor::current() != nullptr || std::this_thread::get_id() == mine;
        call.reply(Slice::copy_of("slow"));
        return Status::ok();
      },
      RunOn::pool(2));
  client();
  const Result<Reply> reply = call("test/block", "");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "slow");
  EXPECT_FALSE(on_loop);
}

// Its caller has gone: the one thread is for those that are still waited for.
TEST_F(ServerTest, SkipsBlockingHandlersThatNobodyWaitsFor) {
  Gate gate;
  std::atomic<int> ran{0};
  server().handle(
      "test/gate",
      [&](Call&) {
        ran.fetch_add(1);
        gate.pass();
        return Status::ok();
      },
      RunOn::pool(1));
  client();
  const auto skipped = [] {
    return counter_snapshot().value("spanwire.rpc.server.skipped_handlers");
  };
  const std::int64_t before = skipped();
  std::thread first([&] { EXPECT_TRUE(call("test/gate", "")); });
  gate.await_waiting(1);
  CallOptions hasty;
  hasty.timeout = std::chrono::milliseconds(20);
  for (int sent = 0; sent < 3;) {
    const Result<Reply> reply = call("test/gate", "", hasty);
    ASSERT_EQ(reply.error().code(), Errc::deadline_exceeded);
    // On a busy machine it may not even have begun.
    if (call_failure(reply.error())->reached == Reached::sent) ++sent;
  }
  // Behind what has told the server that they are given up.
  EXPECT_TRUE(call("test/echo", ""));
  gate.open();
  first.join();
  EXPECT_TRUE(call("test/gate", ""));
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(skipped() - before, 3);
}

TEST_F(ServerTest, RefusesBeyondItsLimitAtOnce) {
  Gate gate;
  ServerOptions options;
  options.running_handlers_max = 2;
  make_server(std::move(options));
  server().handle("test/gate", waits_at(gate), RunOn::pool(4));
  client();
  std::vector<std::thread> callers;
  std::atomic<int> good{0};
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      if (call("test/gate", "")) good.fetch_add(1);
    });
  }
  gate.await_waiting(2);
  const Result<Reply> refused = call("test/gate", "");
  gate.open();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(good.load(), 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(status_of(refused.error()), StatusCode::resource_exhausted);
  const CallFailure* failure = call_failure(refused.error());
  EXPECT_EQ(failure->reached, Reached::not_started);
  EXPECT_EQ(failure->retry_after, ServerOptions().retry_after);
}

TEST_F(ServerTest, DrainsWhatRunsAndRefusesWhatComes) {
  Gate gate;
  ServerOptions full;
  full.running_handlers_max = 1;
  make_server(std::move(full));
  server().handle("test/gate", waits_at(gate), RunOn::pool(1));
  client();
  std::atomic<bool> answered{false};
  std::thread caller([&] { answered = call("test/gate", "").has_value(); });
  gate.await_waiting(1);
  EXPECT_EQ(status_of(call("test/echo", "").error()), StatusCode::resource_exhausted);
  DrainReport report;
  std::thread drainer([&] { report = server().drain_blocking(kGuard); });
  // Once the peer knows, a new call has nowhere to go.
  std::size_t late = 0;
  while (status_of(call("test/echo", "").error()) == StatusCode::resource_exhausted) ++late;
  gate.open();
  drainer.join();
  caller.join();
  EXPECT_TRUE(answered);
  EXPECT_GE(report.finished, 1u);
  EXPECT_EQ(report.abandoned, 0u);
  EXPECT_LE(report.refused, late) << "counts what was refused before the drain";
  EXPECT_NE(report.text().find("0 abandoned"), std::string::npos);
}

TEST_F(ServerTest, CancelsWhatOutlastsTheDrain) {
  client();
  std::thread caller([&] { EXPECT_FALSE(call("test/hang", "")); });
  while (server().running() == 0) std::this_thread::yield();
  const DrainReport report = server().drain_blocking(std::chrono::milliseconds(20));
  EXPECT_EQ(report.abandoned, 1u);
  caller.join();
}

class Recorder final : public ServerInterceptor, public ClientInterceptor {
 public:
  Status before(Call& call) override {
    if (call.header("authorization") != "secret")
      return Status(StatusCode::unauthenticated, "who are you?");
    return Status::ok();
  }
  void after(Call&, const Status& status) override {
    if (status.is_ok()) served.fetch_add(1);
  }
  Result<void> before(const trace::Context&, std::string_view path, Headers& headers) override {
    if (path == "test/forbidden") return fail(Errc::invalid_argument, "not this one");
    if (authorized) headers.set("authorization", "secret");
    return {};
  }
  void after(const trace::Context&, std::string_view, StatusCode) override { ended.fetch_add(1); }

  std::atomic<bool> authorized{true};
  std::atomic<int> served{0};
  std::atomic<int> ended{0};
};

TEST_F(ServerTest, InterceptorsSeeEveryCallAndMayRefuse) {
  const auto recorder = std::make_shared<Recorder>();
  ServerOptions server_options;
  server_options.interceptors.push_back(recorder);
  make_server(std::move(server_options));
  ClientOptions client_options;
  client_options.interceptors.push_back(recorder);
  client(std::move(client_options));
  EXPECT_TRUE(call("test/echo", "a"));
  EXPECT_EQ(call("test/forbidden", "a").error().code(), Errc::invalid_argument);
  recorder->authorized = false;
  const Result<Reply> refused = call("test/echo", "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(status_of(refused.error()), StatusCode::unauthenticated);
  EXPECT_EQ(recorder->served.load(), 1);
  EXPECT_EQ(recorder->ended.load(), 3);
}

struct Question {
  int number = 0;
};
struct Answer {
  int doubled = 0;
};

}  // namespace

template <>
struct Codec<Question> {
  static Result<Slice> encode(const Question& question) {
    return Slice::of(std::to_string(question.number));
  }
  static Result<Question> decode(ByteView payload) {
    if (payload.empty()) return fail(Errc::invalid_argument, "a question needs a number");
    return Question{std::atoi(std::string(text_of(payload)).c_str())};
  }
};
template <>
struct Codec<Answer> {
  static Result<Slice> encode(const Answer& answer) {
    return Slice::of(std::to_string(answer.doubled));
  }
  static Result<Answer> decode(ByteView payload) {
    return Answer{std::atoi(std::string(text_of(payload)).c_str())};
  }
};

namespace {

Task<Result<Answer>> double_it(Call& /*call*/, Question question) {
  co_return Answer{2 * question.number};
}

TEST_F(ServerTest, TypedCallsGoThroughTheCodec) {
  server().handle_typed<Question, Answer>("test/double", double_it);
  Client& c = client();
  const auto ask = [](Client* called) -> Task<Result<Answer>> {
    Question question;
    question.number = 21;
    Result<Answer> answer =
        co_await called->call<Question, Answer>(trace::Context(), "test/double", question);
    co_return answer;
  };
  const Result<Answer> answer = runtime_.block_on(ask(&c));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->doubled, 42);
  const Result<Reply> bad = call("test/double", "");
  ASSERT_FALSE(bad);
  EXPECT_EQ(status_of(bad.error()), StatusCode::invalid_argument);
  EXPECT_NE(call_failure(bad.error())->status_message.find("needs a number"), std::string::npos);
}

TEST_F(ServerTest, CallsCompleteThroughAsioTokens) {
  Client& c = client();
  std::mutex mutex;
  std::condition_variable changed;
  std::string text;
  async_call(c, trace::Context(), "test/upper", Slice::copy_of("token"), {},
             [&](Result<Reply> reply) {
               const std::lock_guard lock(mutex);
               text = reply ? std::string(reply->payload().text()) : reply.error().message();
               changed.notify_all();
             });
  std::unique_lock lock(mutex);
  changed.wait_for(lock, kGuard, [&] { return !text.empty(); });
  EXPECT_EQ(text, "TOKEN");
}

TEST_F(ServerTest, ListensOnSeveralAddressesAndSaysWhichPort) {
  ServerOptions options;
  options.listen("tcp://127.0.0.1:0").listen("tcp://[::1]:0").listen("memory://server-test");
  make_server(std::move(options));
  ASSERT_TRUE(server().start());
  ASSERT_EQ(server().addresses().size(), 3u);
  for (const std::string& address : server().addresses()) {
    Client each(runtime_, address);
    const Result<Reply> reply =
        each.call_blocking(trace::Context(), "test/echo", Slice::copy_of("x"));
    EXPECT_TRUE(reply) << address << ": " << reply.error().message();
  }
}

TEST_F(ServerTest, NamesTheAddressThatItCannotBind) {
  client();
  ServerOptions options;
  options.listen(address_);
  Server second(runtime_, std::move(options));
  const Result<void> started = second.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message().find(address_), std::string::npos);
}

TEST_F(ServerTest, IsDeadInAForkedChild) {
  client();
  ASSERT_TRUE(call("test/echo", "parent"));
  const pid_t child = fork();
  if (child == 0) {
    const Result<Reply> reply = call("test/echo", "child");
    _exit(!reply && reply.error().code() == Errc::forked ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(call("test/echo", "parent still"));
}

// With threads of its own, connections and a call under way: all of it the parent's.
TEST_F(ServerTest, MayBeDestroyedInAForkedChild) {
  Gate gate;
  server().handle("test/gate", waits_at(gate), RunOn::pool(2));
  client();
  std::thread caller([&] { EXPECT_TRUE(call("test/gate", "")); });
  gate.await_waiting(1);
  const auto accepted = [] {
    return counter_snapshot().value("spanwire.transport.connections_accepted");
  };
  const std::int64_t before = accepted();
  const int ended = testing::run_in_child([this] {
    if (server().listen("tcp://127.0.0.1:0").error().code() != Errc::forked) return 1;
    if (server().drain_blocking(std::chrono::seconds(1)).finished != 0) return 2;
    if (runtime_.block_on(sleep_for(std::chrono::hours(1))).error().code() != Errc::forked)
      return 3;
    client_.reset();
    server_.reset();
    return 0;
  });
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(call("test/echo", "the same connection"));
  gate.open();
  caller.join();
  EXPECT_EQ(accepted(), before);
}

class ManyLoops : public RpcTest {
 protected:
  ManyLoops() : RpcTest(4) {}
};

// Four loops whose handlers do not listen, each cancelled and waited for at the same time.
TEST_F(ManyLoops, WaitForDeafHandlersSideBySide) {
  Gate gate;
  server().handle("test/gate", waits_at(gate), RunOn::pool(4));
  client();
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(runtime_, address_));
    callers.emplace_back([one = clients.back().get()] {
      EXPECT_FALSE(one->call_blocking(trace::Context(), "test/gate", Slice()));
    });
    gate.await_waiting(i + 1);
  }
  const DrainReport report = server().drain_blocking(std::chrono::milliseconds(1));
  EXPECT_EQ(report.abandoned, 4u);
  EXPECT_GE(report.took, kCancelGrace);
  EXPECT_LT(report.took, 4 * kCancelGrace) << "one after another they would take that";
  gate.open();
  for (std::thread& caller : callers) caller.join();
}

TEST_F(ManyLoops, ServeOneClientFromAllThreads) {
  client();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = std::to_string(t * 1000 + i);
        const Result<Reply> reply = call("test/echo", text);
        if (reply && reply->payload().text() == text) good.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 200);
}

}  // namespace
}  // namespace spanwire::rpc
