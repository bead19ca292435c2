// What only v2 has: time, faults under a seed, peers without hello.  The rest is the contract.
#include "spanwire/channel/v2.hpp"

#include <array>
#include <deque>
#include <set>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame.hpp"
#include "tests/channel/recorders.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/manual_executor.hpp"

namespace spanwire::channel {
namespace {

using namespace std::chrono_literals;
using testing::ManualExecutor;
using transport::LinkMode;
using transport::MemoryOptions;

std::string hello_bytes() {
  std::array<std::byte, wire::kFrameHeaderBytes + wire::kHelloBytes> bytes;
  wire::encode_frame_header(
      {wire::kHelloBytes, 0, static_cast<std::uint8_t>(wire::FrameType::hello), 0}, bytes.data());
  wire::encode_hello({}, bytes.data() + wire::kFrameHeaderBytes);
  return std::string(text_of(bytes));
}

class V2Channel : public ::testing::Test {
 protected:
  void connect(const V2Options& options = {}, const MemoryOptions& memory = {}) {
    auto links = transport::make_memory_links(executor, executor, memory);
    executor.in_turn([&] {
      client = make_v2_client(std::move(links.first), executor, options);
      server = make_v2_server(std::move(links.second), executor, options);
      client->start(events);
      server->start(serving);
    });
    executor.run_until_idle();
  }
  // A client alone, whose peer says what the test says.
  void connect_to_raw_peer() {
    auto links = transport::make_memory_links(executor, executor);
    executor.in_turn([&] {
      client = make_v2_client(std::move(links.first), executor);
      peer.start(std::move(links.second));
      client->start(events);
    });
    executor.run_until_idle();
  }
  Result<CallId> open(CallLog& call, std::string_view path, std::string_view payload = {},
                      bool stream = false) {
    RequestOut request;
    request.path = path;
    request.headers = bytes_of(R"({"k":"v"})");
    request.payload = Slice::copy_of(payload);
    request.stream = stream;
    request.end = !stream;
    return executor.in_turn([&] { return client->open(request, call); });
  }

  testing::LeakCheck leaks;
  ManualExecutor executor;
  ClientLog events;
  ServerLog serving;
  RawPeer peer;
  std::unique_ptr<ClientChannel> client;
  std::unique_ptr<ServerChannel> server;
};

// Each side has more waiting than it likes, on a link that takes no more: if both then stop
// reading, neither will ever read again.
TEST_F(V2Channel, TwoSidesThatSendManyLargeBodiesAtOnceDoNotHoldEachOther) {
  V2Options options;
  options.limits.queued_bytes_max = 2u << 20;
  connect(options);
  std::deque<CallLog> calls(3);
  for (CallLog& call : calls) ASSERT_TRUE(open(call, "keep"));
  executor.run_until_idle();
  ASSERT_EQ(serving.calls.size(), calls.size());
  const std::string payload = pattern(600'000);
  executor.in_turn([&] {
    for (const auto& call : serving.calls) {
      ReplyOut reply;
      reply.payload = Slice::copy_of(payload);
      server->reply(call->id, reply);
    }
    for (std::size_t more = 0; more < 3; ++more) {
      RequestOut request;
      request.path = "echo";
      request.payload = Slice::copy_of(payload);
      ASSERT_TRUE(client->open(request, calls.emplace_back()));
    }
  });
  executor.run_until_idle();
  for (const CallLog& call : calls) {
    ASSERT_TRUE(call.ended());
    EXPECT_TRUE(call.ok()) << static_cast<int>(call.status.value_or(-1));
    EXPECT_EQ(call.payload, payload);
  }
}

TEST_F(V2Channel, AHelloWithoutAnswerNamesTheLikelyCause) {
  connect_to_raw_peer();
  executor.advance(4s);
  EXPECT_FALSE(events.closed);
  executor.advance(1100ms);
  EXPECT_EQ(events.closed, Errc::handshake_timeout);
  EXPECT_NE(events.detail.find("v1 server"), std::string::npos) << events.detail;
  EXPECT_NE(events.detail.find("dynamo+tcp://"), std::string::npos) << events.detail;
  EXPECT_EQ(client->state(), State::closed);
}

TEST_F(V2Channel, APeerThatFallsSilentIsFoundOut) {
  connect_to_raw_peer();
  executor.in_turn([&] { peer.say(hello_bytes()); });
  executor.run_until_idle();
  ASSERT_EQ(events.ready, 1);
  CallLog call;
  ASSERT_TRUE(open(call, "p"));
  executor.advance(14s);
  EXPECT_FALSE(call.ended());
  executor.advance(2s);
  EXPECT_EQ(call.lost, Errc::ping_timeout);
  EXPECT_EQ(call.progress, Progress::sent);
  EXPECT_EQ(events.closed, Errc::ping_timeout);
}

TEST_F(V2Channel, AFrameThatIsNotFinishedEndsTheConnection) {
  connect_to_raw_peer();
  executor.in_turn([&] { peer.say(hello_bytes() + std::string(5, '\0')); });
  executor.advance(20s);
  executor.in_turn([&] { peer.say(std::string(1, '\0')); });
  executor.advance(11s);
  EXPECT_EQ(events.closed, Errc::frame_timeout);
}

// Both sides ping while a handler takes its time; afterwards the connection ends for want of use.
TEST_F(V2Channel, LivesAsLongAsItIsUsed) {
  connect();
  CallLog call;
  ASSERT_TRUE(open(call, "keep"));
  executor.advance(20min);
  ASSERT_FALSE(call.ended());
  ASSERT_EQ(serving.calls.size(), 1u);
  executor.in_turn([&] {
    ReplyOut reply;
    reply.duration = 20min;
    server->reply(serving.calls[0]->id, reply);
  });
  executor.run_until_idle();
  EXPECT_TRUE(call.ok());
  executor.advance(4min);
  EXPECT_FALSE(events.closed);
  executor.advance(3min);
  EXPECT_TRUE(events.closed);
  EXPECT_TRUE(serving.closed);
}

TEST_F(V2Channel, CountersAreTheProcessesWhenTheChannelHasGone) {
  const auto requests = [] { return counter_snapshot().value("spanwire.session.requests"); };
  const std::int64_t before = requests();
  connect();
  for (int i = 0; i < 3; ++i) {
    CallLog call;
    ASSERT_TRUE(open(call, "echo"));
    executor.run_until_idle();
    EXPECT_TRUE(call.ok());
  }
  client.reset();
  server.reset();
  EXPECT_EQ(requests() - before, 6);  // sent and received
}

TEST_F(V2Channel, AScriptWithoutHelloIsServed) {
  MemoryOptions memory;
  memory.mode = LinkMode::multipart;
  auto links = transport::make_memory_links(executor, executor, memory);
  V2Options naive;
  naive.naive_peer = true;
  executor.in_turn([&] {
    // A client that says no hello is to a server what a script is.
    client = make_v2_client(std::move(links.first), executor, naive);
    server = make_v2_server(std::move(links.second), executor);
    client->start(events);
    server->start(serving);
  });
  EXPECT_EQ(events.ready, 1);
  CallLog call;
  const std::string payload = pattern(1u << 20);
  ASSERT_TRUE(open(call, "echo", payload));
  executor.run_until_idle();
  EXPECT_TRUE(call.payload == payload);
  CallLog stream;
  EXPECT_EQ(open(stream, "echo", "", true).error(), Errc::naive_peer);
}

// ---- Faults: whatever a network does, each call ends once, and what is said of it is true.

class V2Faults : public V2Channel, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  void SetUp() override {
    V2Options options;
    options.limits.connection_window_bytes = 64u << 10;
    options.limits.stream_window_bytes = 8u << 10;
    options.limits.streams_max = 16;
    MemoryOptions memory;
    memory.faults.seed = GetParam();
    memory.faults.delay_max = 3ms;
    memory.faults.read_bytes_max = 1 + random.below(20'000);
    memory.faults.write_bytes_max = 1 + random.below(20'000);
    memory.capacity_bytes = 1'000 + random.below(100'000);
    if (GetParam() % 3 == 0) memory.faults.cut_after_bytes = 1'000 + random.below(200'000);
    if (GetParam() % 4 == 1) memory.mode = LinkMode::multipart;
    connect(options, memory);
    executor.advance(20ms);
  }
  void act() {
    if (events.closed) return;
    if (random.below(2) == 0) {
      CallLog& call = calls.emplace_back();
      const std::string path = random.below(2) == 0 ? "echo" : "keep";
      const Result<CallId> id = open(call, path, pattern(random.below(4) * random.below(30'000)));
      ids.push_back(id ? *id : 0);
      if (!id) ended_here.insert(calls.size() - 1);
      return;
    }
    if (calls.empty()) return;
    const std::size_t one = random.below(calls.size());
    if (random.below(4) != 0 || calls[one].ended() || ended_here.contains(one)) return;
    ended_here.insert(one);
    executor.in_turn([&] { client->cancel(ids[one], Errc::cancelled); });
  }
  void answer_all() {
    executor.in_turn([&] {
      for (auto& call : serving.calls) {
        if (call->path != "keep" || call->lost || call->end) continue;
        call->end = true;
        ReplyOut reply;
        reply.payload = Slice::copy_of(pattern(random.below(20'000)));
        server->reply(call->id, reply);
      }
    });
  }

  Random random{GetParam()};
  std::deque<CallLog> calls;
  std::vector<CallId> ids;
  std::set<std::size_t> ended_here;  // refused or given up: no event follows
};

TEST_P(V2Faults, EveryCallEndsOnce) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int i = 0; i < 60; ++i) {
    act();
    if (random.below(3) == 0) answer_all();
    executor.advance(std::chrono::microseconds(random.below(2'000)));
  }
  for (int i = 0; i < 200 && client->in_flight() != 0; ++i) {
    answer_all();
    executor.advance(10ms);
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i].ends, ended_here.contains(i) ? 0 : 1) << "call " << i;
  }
  EXPECT_EQ(client->in_flight(), 0u);
  EXPECT_EQ(server->in_flight(), 0u);
  if (events.closed) {
    EXPECT_TRUE(events.closed == Errc::fault_injected || events.closed == Errc::peer_closed)
        << name(*events.closed);
  }
  client.reset();
  server.reset();
  executor.run_until_idle();
}

INSTANTIATE_TEST_SUITE_P(Seeds, V2Faults, ::testing::Range(std::uint64_t{1}, std::uint64_t{61}));

}  // namespace
}  // namespace spanwire::channel
