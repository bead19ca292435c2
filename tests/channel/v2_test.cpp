#include "spanwire/channel/v2.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "spanwire/transport/memory_link.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/manual_executor.hpp"

namespace spanwire::channel {
namespace {

using namespace std::chrono_literals;
using testing::ManualExecutor;
using transport::LinkMode;
using transport::MemoryOptions;

struct Answer {
  std::uint8_t status = 0;
  bool not_started = false;
  std::string message;
  std::string headers;
  std::string payload;
};

// A call's sink that writes down what it hears.
struct Caller final : CallSink {
  void on_head(ByteView block) override { head = std::string(text_of(block)); }
  void on_data(InBody body, bool) override { data.emplace_back(text_of(body.bytes)); }
  void on_writable() override { ++writable; }
  void on_reply(ReplyIn& reply) override {
    ++ends;
    answer = Answer{reply.status, reply.not_started, std::string(reply.message),
                    std::string(text_of(reply.headers)), std::string(text_of(reply.payload.bytes))};
  }
  void on_lost(const Error& error, Progress how_far) override {
    ++ends;
    lost = error;
    progress = how_far;
  }

  int ends = 0;
  int writable = 0;
  std::optional<std::string> head;
  std::vector<std::string> data;
  std::optional<Answer> answer;
  std::optional<Error> lost;
  std::optional<Progress> progress;
};

struct Events final : ClientChannelEvents {
  void on_ready() override { ++ready; }
  void on_draining() override { ++draining; }
  void on_free() override { ++free; }
  void on_closed(const Error& cause) override { closed = cause; }

  int ready = 0;
  int draining = 0;
  int free = 0;
  std::optional<Error> closed;
};

// One call in the server's hands.
struct Served final : ServedCallSink {
  void on_data(InBody body, bool last) override {
    data.emplace_back(text_of(body.bytes));
    end = last;
  }
  void on_writable() override { ++writable; }
  void on_cancel(Errc reason) override { cancelled = reason; }
  void on_lost(const Error& cause) override { lost = cause; }

  CallId id = 0;
  std::string path;
  std::vector<std::string> data;
  bool end = false;
  int writable = 0;
  std::optional<Errc> cancelled;
  std::optional<Error> lost;
};

// Echoes what is on the path "echo", keeps every other call.
struct Server final : ServerChannelEvents {
  void on_request(ServerChannel& channel, RequestIn& request) override {
    last_received = request.received;
    if (request.path == "echo") {
      ReplyOut reply;
      reply.headers = request.headers;
      reply.message = "fine";
      reply.payload = request.payload.take();
      return channel.reply(request.id, reply);
    }
    auto& served = calls.emplace_back(std::make_unique<Served>());
    served->id = request.id;
    served->path = std::string(request.path);
    channel.attach(request.id, *served);
  }
  void on_closed(ServerChannel&, const Error& cause) override { closed = cause; }

  WallTime last_received{};
  std::vector<std::unique_ptr<Served>> calls;
  std::optional<Error> closed;
};

class V2 : public ::testing::TestWithParam<LinkMode> {
 protected:
  void connect(const V2Options& client_options = {}, const V2Options& server_options = {},
               MemoryOptions options = {}) {
    options.mode = GetParam();
    auto links = transport::make_memory_links(executor, executor, options);
    executor.in_turn([&] {
      client = make_v2_client(std::move(links.first), executor, client_options);
      server = make_v2_server(std::move(links.second), executor, server_options);
      client->start(events);
      server->start(serving);
    });
    executor.run_until_idle();
  }

  Result<CallId> open(Caller& caller, std::string_view path, std::string_view payload = {},
                      bool stream = false) {
    RequestOut request;
    request.path = path;
    request.headers = bytes_of(R"({"k":"v"})");
    request.payload = Slice::copy_of(payload);
    request.stream = stream;
    request.end = !stream;
    return executor.in_turn([&] { return client->open(request, caller); });
  }

  testing::LeakCheck leaks;
  ManualExecutor executor;
  Events events;
  Server serving;
  std::unique_ptr<ClientChannel> client;
  std::unique_ptr<ServerChannel> server;
};

TEST_P(V2, CarriesACallThereAndBack) {
  connect();
  ASSERT_EQ(events.ready, 1);
  EXPECT_EQ(client->state(), State::ready);
  Caller caller;
  ASSERT_TRUE(open(caller, "echo", "hello"));
  executor.run_until_idle();
  ASSERT_TRUE(caller.answer);
  EXPECT_EQ(caller.answer->payload, "hello");
  EXPECT_EQ(caller.answer->headers, R"({"k":"v"})");
  EXPECT_EQ(caller.answer->message, "fine");
  EXPECT_EQ(serving.last_received, executor.wall_now());
  EXPECT_EQ(client->in_flight(), 0u);
  EXPECT_EQ(server->in_flight(), 0u);
}

TEST_P(V2, CarriesPayloadsOfEverySize) {
  connect();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{65'535},
        std::size_t{65'536}, std::size_t{65'537}, std::size_t{1} << 20, std::size_t{9} << 20}) {
    Caller caller;
    std::string payload(size, 'x');
    for (std::size_t i = 0; i < size; i += 997) payload[i] = static_cast<char>('a' + i % 26);
    ASSERT_TRUE(open(caller, "echo", payload));
    executor.run_until_idle();
    ASSERT_TRUE(caller.answer) << size;
    EXPECT_TRUE(caller.answer->payload == payload) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, V2, ::testing::Values(LinkMode::bytes, LinkMode::multipart),
                         [](const auto& mode) {
                           return mode.param == LinkMode::bytes ? "bytes" : "multipart";
                         });

}  // namespace
}  // namespace spanwire::channel
