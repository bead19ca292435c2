#include "spanwire/rpc/call.hpp"

#include <thread>
#include <vector>

#include "spanwire/base/sleep.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

TEST_F(RpcTest, AnswersWithPayloadAndHeaders) {
  client();
  const Result<Reply> reply = call("test/upper", "abc");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "ABC");
  EXPECT_EQ(reply->headers().get("X-Length"), "3");
}

constexpr std::size_t kSizes[] = {0,      1,      255,    4095,    4096,
                                  65'535, 65'536, 65'537, 200'000, 3'000'000};

TEST_F(RpcTest, CarriesEveryPayloadSize) {
  client();
  for (const std::size_t size : kSizes) {
    const std::string payload(size, static_cast<char>('a' + size % 26));
    const Result<Reply> reply = call("test/echo", payload);
    ASSERT_TRUE(reply) << size << ": " << reply.error().message();
    EXPECT_EQ(reply->payload().text(), payload) << size;
  }
}

TEST_F(RpcTest, TellsTheServersStatusAndWords) {
  client();
  const Result<Reply> reply = call("test/refuse", "now");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::call_failed);
  const CallFailure* failure = call_failure(reply.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->status, StatusCode::failed_precondition);
  EXPECT_EQ(failure->status_message, "not now");
  EXPECT_EQ(failure->path, "test/refuse");
  EXPECT_EQ(failure->retry_after, std::chrono::milliseconds(1500));
  EXPECT_NE(address_.find(failure->peer), std::string::npos) << failure->peer;
}

TEST_F(RpcTest, KeepsAnExceptionsTextFromTheCaller) {
  client();
  const Result<Reply> reply = call("test/throw", "");
  ASSERT_FALSE(reply);
  EXPECT_EQ(status_of(reply.error()), StatusCode::unknown);
  EXPECT_EQ(reply.error().message().find("secret"), std::string::npos);
}

TEST_F(RpcTest, RefusesAPathThatNobodyServes) {
  client();
  const Result<Reply> reply = call("test/nothing", "");
  ASSERT_FALSE(reply);
  EXPECT_EQ(status_of(reply.error()), StatusCode::unimplemented);
  EXPECT_EQ(call_failure(reply.error())->reached, Reached::not_started);
}

// Error texts go to logs; a path may be 4 KiB long.
TEST_F(RpcTest, ShowsTheBeginningOfALongPath) {
  client();
  const std::string path(3001, 'p');
  const Result<Reply> reply = call(path, "");
  ASSERT_FALSE(reply);
  const CallFailure* failure = call_failure(reply.error());
  EXPECT_EQ(failure->path, path);
  const std::string shown = std::string(256, 'p') + "... (3001 bytes)";
  EXPECT_EQ(failure->status_message, "no handler for the path '" + shown + "'");
  const std::string text = reply.error().message();
  EXPECT_NE(text.find(", path " + shown + ", peer "), std::string::npos) << text;
  EXPECT_EQ(text.find(std::string(257, 'p')), std::string::npos);
}

TEST_F(RpcTest, EndsAtTheDeadline) {
  client();
  CallOptions options;
  options.timeout = std::chrono::milliseconds(30);
  const Result<Reply> reply = call("test/hang", "", options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(status_of(reply.error()), StatusCode::deadline_exceeded);
}

TEST_F(RpcTest, ListsRoutesAndHealth) {
  client();
  const Result<Reply> routes = call(kRoutesPath, "");
  ASSERT_TRUE(routes);
  EXPECT_NE(routes->payload().text().find("test/echo\n"), std::string_view::npos);
  EXPECT_EQ(call(kHealthPath, "")->payload().text(), "SERVING");
  server().set_serving(false);
  EXPECT_EQ(call(kHealthPath, "")->payload().text(), "NOT_SERVING");
}

TEST_F(RpcTest, RefusesReservedHeadersByName) {
  client();
  CallOptions options;
  options.headers.set("Traceparent", "x");
  const Result<Reply> reply = call("test/echo", "", options);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::invalid_argument);
  EXPECT_NE(reply.error().message().find("traceparent"), std::string::npos);
}

TEST_F(RpcTest, NamesAnAddressThatIsNone) {
  Client client(runtime_, "tcp:/wrong");
  const Result<Reply> reply = client.call_blocking(trace::Context(), "a", Slice());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::bad_address);
  EXPECT_NE(reply.error().message().find("tcp:/wrong"), std::string::npos);
}

TEST_F(RpcTest, FailsFastWhereNobodyListens) {
  client();
  Client other(runtime_, address_of_nobody());
  const Result<Reply> reply = other.call_blocking(trace::Context(), "a", Slice());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::not_connected);
  EXPECT_EQ(call_failure(reply.error())->reached, Reached::not_sent);
}

TEST_F(RpcTest, RefusesToBlockALoop) {
  Client& c = client();
  const auto task = [](Client* called) -> Task<Errc> {
    const Result<Reply> reply = called->call_blocking(trace::Context(), "test/echo", Slice());
    co_return reply ? Errc::ok : reply.error().code();
  };
  const Result<Errc> code = runtime_.block_on(task(&c));
  EXPECT_EQ(*code, Errc::would_deadlock);
}

Task<int> many_calls(Client* client, int count) {
  int good = 0;
  for (int i = 0; i < count; ++i) {
    const std::string text = "message " + std::to_string(i);
    Result<Reply> reply =
        co_await client->call(trace::Context(), "test/echo", Slice::copy_of(text));
    if (reply && reply->payload().text() == text) ++good;
  }
  co_return good;
}

TEST_F(RpcTest, ServesCoroutinesSideBySide) {
  Client& c = client();
  const auto all = [](Client* called) -> Task<int> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 50; ++i) tasks.push_back(many_calls(called, 40));
    const std::vector<int> results = co_await when_all(std::move(tasks));
    int sum = 0;
    for (const int good : results) sum += good;
    co_return sum;
  };
  EXPECT_EQ(*runtime_.block_on(all(&c)), 2000);
}

TEST_F(RpcTest, ServesForeignThreads) {
  Client& c = client();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = std::to_string(i);
        const Result<Reply> reply =
            c.call_blocking(trace::Context(), "test/upper", Slice::copy_of(text));
        if (reply && reply->payload().text() == text) good.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 200);
}

TEST_F(RpcTest, SendsOneWay) {
  std::atomic<int> seen{0};
  server().handle("test/note", [&](Call& call) -> Task<Status> {
    seen.fetch_add(static_cast<int>(call.payload().size()));
    co_return Status::ok();
  });
  Client& c = client();
  const auto task = [](Client* called) -> Task<Result<void>> {
    Result<void> sent =
        co_await called->notify(trace::Context(), "test/note", Slice::copy_of("12345"));
    co_return sent;
  };
  ASSERT_TRUE(runtime_.block_on(task(&c)));
  // A call behind the message on the same connection: the message has been served when it is
  // answered.
  ASSERT_TRUE(call("test/echo", ""));
  EXPECT_EQ(seen.load(), 5);
}

}  // namespace
}  // namespace spanwire::rpc
