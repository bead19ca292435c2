// Peers that misbehave, against a live channel: bounded, counted, logged once.
#include <gtest/gtest.h>

#include <map>
#include <ostream>

#include "spanwire/base/counters.hpp"
#include "spanwire/channel/accept.hpp"
#include "tests/channel/recorders.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/support/manual_executor.hpp"

namespace spanwire {

inline void PrintTo(Errc code, std::ostream* out) { *out << name(code); }

namespace channel {
namespace {

using namespace std::chrono_literals;

// path "e", no headers, payload "x"
const std::string kRequest("\0\1e\0\2{}\0\0\0\1x", 12);
const std::string kAccepted("\0\0\0\0", 4);
const std::string kV2Preface(reinterpret_cast<const char*>(wire::kPreface.data()),
                             wire::kPrefaceBytes);

// Time stands still unless told otherwise.
class BadPeer : public ::testing::Test {
 protected:
  void serve(const AcceptOptions& options = {}, transport::MemoryOptions memory = {}) {
    auto links = transport::make_memory_links(executor, executor, memory);
    executor.in_turn([&] {
      server = accept_channel(std::move(links.second), executor, options);
      server->start(serving);
      peer.start(std::move(links.first));
    });
    executor.run_until_idle();
  }

  void call(const V1Options& options = {}) {
    auto links = transport::make_memory_links(executor, executor, {});
    executor.in_turn([&] {
      client = make_v1_client(std::move(links.first), executor, options);
      client->start(events);
      peer.start(std::move(links.second));
    });
    executor.run_until_idle();
  }

  void say(std::string_view bytes) {
    executor.in_turn([&] { peer.say(bytes); });
    executor.run_until_idle();
  }

  void open(CallLog& one) {
    RequestOut request;
    request.path = "e";
    executor.in_turn([&] { ASSERT_TRUE(client->open(request, one)); });
    executor.run_until_idle();
  }

  // How often the counter has counted since it was last asked.
  std::int64_t counted(const char* name) {
    const std::int64_t value = counter_snapshot().value(name);
    return value - std::exchange(counts[name], value);
  }

  void SetUp() override {
    // Later than whatever an earlier test has logged, by this clock or the machine's: no line of
    // this one is held back for it.
    static int tests = 0;
    log.clock().advance(Clock::system().monotonic().time_since_epoch() + ++tests * 1min);
    for (const char* name :
         {"spanwire.channel.silent_peers", "spanwire.channel.slow_peers",
          "spanwire.channel.v1.unexpected_replies", "spanwire.channel.v1.unknown_replies",
          "spanwire.channel.v1.late_replies", "spanwire.channel.v1.acknowledgement_timeouts",
          "spanwire.channel.v1.damaged_requests"}) {
      counts[name] = counter_snapshot().value(name);
    }
  }

  testing::LeakCheck leaks;
  testing::LogCapture log;
  testing::ManualExecutor executor;
  std::map<std::string, std::int64_t> counts;
  ServerLog serving;
  ClientLog events;
  RawPeer peer;
  std::unique_ptr<ServerChannel> server;
  std::unique_ptr<ClientChannel> client;
};

// A v1 client opens connections ahead of its first request, and says nothing on them until then.
TEST_F(BadPeer, WhoSaysNothingIsServedWhenItSpeaksAtLast) {
  serve();
  executor.advance(4min);
  say(kRequest);
  EXPECT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(peer.heard, kAccepted);
  EXPECT_EQ(counted("spanwire.channel.silent_peers"), 0);
}

TEST_F(BadPeer, WhoSaysNothingForLongIsClosedAsIdle) {
  serve();
  executor.advance(5min - 100ms);
  EXPECT_FALSE(serving.closed);
  executor.advance(200ms);
  EXPECT_EQ(serving.closed, Errc::idle_timeout);
  EXPECT_TRUE(peer.closed.has_value());
  EXPECT_EQ(counted("spanwire.channel.silent_peers"), 1);
  EXPECT_EQ(log.count("said nothing"), 1u);
}

TEST_F(BadPeer, WhoStopsWithinThePrefaceSaidNothing) {
  serve();
  for (std::size_t i = 0; i + 1 < kV2Preface.size(); ++i) {
    say(kV2Preface.substr(i, 1));
    executor.advance(500ms);
  }
  EXPECT_FALSE(serving.closed);
  executor.advance(1'600ms);
  EXPECT_EQ(serving.closed, Errc::handshake_timeout) << "5 s after its first byte";
  EXPECT_EQ(counted("spanwire.channel.silent_peers"), 1);
}

TEST_F(BadPeer, WhoBeginsV2AndSaysNoHelloIsClosed) {
  serve();
  say(kV2Preface);
  executor.advance(5'100ms);
  EXPECT_EQ(serving.closed, Errc::handshake_timeout);
}

// The beginning of a preface that turns out to be the length of a v1 path.
TEST_F(BadPeer, APrefaceThatIsNoneIsServedAsV1) {
  AcceptOptions options;
  options.v1.limits.path_bytes_max = wire::kV1PathBytesMax;
  for (std::size_t same = 1; same < wire::kPrefaceBytes; ++same) {
    RawPeer one;
    ServerLog events_of_one;
    auto links = transport::make_memory_links(executor, executor, {});
    std::unique_ptr<ServerChannel> channel;
    executor.in_turn([&] {
      channel = accept_channel(std::move(links.second), executor, options);
      channel->start(events_of_one);
      one.start(std::move(links.first));
    });
    std::string bytes = kV2Preface.substr(0, same) + "{";
    executor.in_turn([&] { one.say(bytes.substr(0, same)); });
    executor.run_until_idle();
    executor.in_turn([&] { one.say(bytes.substr(same)); });
    executor.run_until_idle();
    const std::size_t path_bytes =
        same == 1 ? 0xFF00u + static_cast<unsigned char>('{') : std::size_t{0xFFFF};
    executor.in_turn([&] {
      one.say(std::string(path_bytes + 2 - bytes.size(), 'p') + std::string("\0\0\0\0\0\0", 6));
    });
    executor.run_until_idle();
    EXPECT_EQ(channel->info().protocol, "v1") << same;
    // Beyond two bytes the path holds bytes of the preface, which are not UTF-8.
    EXPECT_EQ(events_of_one.calls.size(), same <= 2 ? 1u : 0u) << same;
    EXPECT_FALSE(one.heard.empty()) << same;
  }
}

TEST_F(BadPeer, AByteAMinuteIsTooSlow) {
  serve();
  for (std::size_t i = 0; i + 1 < kRequest.size() && !serving.closed; ++i) {
    say(kRequest.substr(i, 1));
    executor.advance(1min);
  }
  EXPECT_EQ(serving.closed, Errc::frame_timeout);
  EXPECT_EQ(counted("spanwire.channel.slow_peers"), 1);
  EXPECT_EQ(log.count("frame_timeout"), 1u);
}

TEST_F(BadPeer, ALargeRequestOnASlowLineIsNot) {
  serve();
  constexpr std::size_t kPayload = 10u << 20;
  std::string head("\0\1e\0\2{}\0\xA0\0\0", 11);
  say(head);
  for (std::size_t sent = 0; sent < kPayload; sent += 128u << 10) {
    say(std::string(128u << 10, 'x'));
    executor.advance(20s);
  }
  ASSERT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(serving.calls[0]->payload.size(), kPayload);
  EXPECT_FALSE(serving.closed);
}

TEST_F(BadPeer, WhoHasNothingToSayForLongIsLetGo) {
  serve();
  say(kRequest);
  executor.advance(1h);
  EXPECT_FALSE(serving.closed) << "its call runs";
  ReplyOut reply;
  executor.in_turn([&] { server->reply(serving.calls[0]->id, reply); });
  executor.advance(4min);
  EXPECT_FALSE(serving.closed);
  executor.advance(1min + 1s);
  EXPECT_EQ(serving.closed, Errc::idle_timeout);
}

// The answers to a peer that never reads wait in bounded memory, then it is given up.
TEST_F(BadPeer, WhoNeverReadsIsPausedAndGivenUp) {
  transport::MemoryOptions memory;
  memory.capacity_bytes = 1'000;
  serve({}, memory);
  executor.in_turn([&] { peer.link().pause_reading(true); });
  std::string unknown("\0\x8refuse/7\0\2{}\0\0\0\0", 18);
  std::string many;
  for (int i = 0; i < 2'000; ++i) many += unknown;
  for (int i = 0; i < 20; ++i) say(many);
  // 40,000 requests of 60 bytes of answer each are 2.4 MB; no more than the high-water mark and one
  // read's worth wait.
  EXPECT_LT(serving.calls.size(), 20'000u);
  executor.advance(31s);
  EXPECT_EQ(serving.closed, Errc::write_timeout);
}

TEST_F(BadPeer, AResetInTheMiddleOfARequestIsNamed) {
  serve();
  say(kRequest.substr(0, 9));
  executor.in_turn([&] { peer.link().close(Errc::cancelled); });
  executor.run_until_idle();
  EXPECT_EQ(serving.closed, Errc::truncated);
  EXPECT_TRUE(serving.calls.empty());
}

TEST_F(BadPeer, DamagedRequestsAreAnsweredCountedAndLoggedOnce) {
  serve();
  const std::string bad("\0\1\xFF\0\2{}\0\0\0\0", 11);
  for (int i = 0; i < 5; ++i) say(bad);
  say(kRequest);
  EXPECT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(counted("spanwire.channel.v1.damaged_requests"), 5);
  EXPECT_EQ(log.count("damaged v1 request"), 1u);
  EXPECT_TRUE(peer.heard.ends_with(kAccepted));
}

TEST_F(BadPeer, AServerThatAnswersTwiceIsBelievedNoMore) {
  call();
  CallLog first;
  open(first);
  say(kAccepted);
  EXPECT_TRUE(first.ok());
  say(kAccepted);
  EXPECT_EQ(events.closed, Errc::unexpected_frame);
  EXPECT_EQ(first.ends, 1);
  EXPECT_EQ(counted("spanwire.channel.v1.unexpected_replies"), 1);
  EXPECT_EQ(log.count("unexpected_frame"), 1u);
}

TEST_F(BadPeer, AServerThatAnswersWhatItWasNotAskedIsClosed) {
  call();
  say(kAccepted + kAccepted);
  EXPECT_EQ(events.closed, Errc::unexpected_frame);
  EXPECT_EQ(counted("spanwire.channel.v1.unexpected_replies"), 1);
}

TEST_F(BadPeer, AnswersInExcessEndTheCallsBehindThem) {
  call();
  CallLog one;
  open(one);
  CallLog two;
  one.at_end = [&] {
    RequestOut request;
    request.path = "e";
    ASSERT_TRUE(client->open(request, two));
  };
  say(kAccepted + kAccepted + kAccepted);
  // The second answer came before the second request left; it cannot be told apart.
  EXPECT_EQ(two.ends, 1);
  EXPECT_EQ(events.closed, Errc::unexpected_frame);
}

// The answer to a call that was given up is owed, and heard by nobody.
TEST_F(BadPeer, AnAnswerThatComesAfterTheCancellationIsDropped) {
  call();
  std::vector<CallLog> calls(5);
  std::vector<CallId> ids;
  for (CallLog& one : calls) {
    RequestOut request;
    request.path = "e";
    executor.in_turn([&] { ids.push_back(*client->open(request, one)); });
  }
  executor.in_turn([&] {
    EXPECT_FALSE(client->cancel(ids[0], Errc::cancelled));
    EXPECT_FALSE(client->cancel(ids[3], Errc::deadline_exceeded));
  });
  say(kAccepted + kAccepted + kAccepted + kAccepted);
  for (const std::size_t given_up : {0, 3}) EXPECT_EQ(calls[given_up].ends, 0) << given_up;
  for (const std::size_t answered : {1, 2}) EXPECT_TRUE(calls[answered].ok()) << answered;
  EXPECT_FALSE(calls[4].ended());
  EXPECT_EQ(counted("spanwire.channel.v1.late_replies"), 2);
  executor.in_turn([&] { client->cancel(ids[4], Errc::cancelled); });
  executor.in_turn([&] { peer.link().close(Errc::connection_reset); });
  executor.run_until_idle();
  EXPECT_TRUE(events.closed.has_value());
  EXPECT_EQ(calls[4].ends, 0);
}

TEST_F(BadPeer, AServerThatNeverAnswersIsGivenUpWithAllItsCalls) {
  call();
  std::vector<CallLog> calls(3);
  for (CallLog& one : calls) open(one);
  executor.advance(4'900ms);
  EXPECT_FALSE(events.closed);
  executor.advance(200ms);
  EXPECT_EQ(events.closed, Errc::acknowledgement_timeout);
  for (const CallLog& one : calls) {
    EXPECT_EQ(one.ends, 1);
    EXPECT_EQ(one.lost, Errc::acknowledgement_timeout);
    EXPECT_EQ(one.progress, Progress::sent);
  }
  EXPECT_EQ(counted("spanwire.channel.v1.acknowledgement_timeouts"), 1);
  EXPECT_EQ(log.count("acknowledgement_timeout"), 1u);
}

TEST_F(BadPeer, AServerThatIsOnlySlowIsNot) {
  call();
  for (int i = 0; i < 20; ++i) {
    CallLog one;
    open(one);
    executor.advance(4s);
    say(kAccepted);
    EXPECT_TRUE(one.ok()) << i;
  }
  EXPECT_FALSE(events.closed);
}

TEST_F(BadPeer, AnIdleClientLetsGo) {
  call();
  executor.advance(5min + 1s);
  EXPECT_EQ(events.closed, Errc::idle_timeout);
}

}  // namespace
}  // namespace channel
}  // namespace spanwire
