// What concerns the connection: start, ping, time, peers without hello, peers that come back.
#include "tests/session/harness.hpp"

namespace spanwire::session {
namespace {

using namespace std::chrono_literals;
using namespace wire;

// ---- Start

TEST(Connection, TheClientSpeaksFirstAndWaitsForTheServersHello) {
  SessionOptions options;
  options.incarnation = 42;
  options.limits.payload_bytes_max = 1'000;
  Machine machine(Role::client, options);
  machine.start();
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  const Result<Hello> said = decode_hello(bytes_of(sent[0].body));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->incarnation, 42u);
  EXPECT_EQ(said->payload_bytes_max, 1'000u);
  EXPECT_EQ(said->ping_interval_min_ms, 5'000u);
  EXPECT_EQ(machine.open("p").error(), Errc::not_connected);
  machine.feed(hello());
  EXPECT_EQ(machine.last().what, "ready");
  EXPECT_TRUE(machine.open("p"));
}

TEST(Connection, TheServerSaysHelloOnlyToHello) {
  Machine machine(Role::server);
  machine.start();
  machine.feed(preface());
  EXPECT_TRUE(machine.sent().empty());
  machine.feed(hello());
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::hello);
}

TEST(Connection, AHelloThatIsNotAnsweredEndsIt) {
  Machine machine(Role::client);
  machine.start();
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 5s);
  machine.pass(5s - 1ns);
  EXPECT_FALSE(machine.end);
  machine.pass(1ns);
  EXPECT_EQ(machine.end, Errc::handshake_timeout);
  EXPECT_EQ(machine.session.next_timer(), MonotonicTime::max());
}

TEST(Connection, AFieldOfALaterVersionIsIgnored) {
  Machine machine(Role::client);
  machine.start();
  Hello fields;
  fields.version = 9;
  std::string body(kHelloBytes, '\0');
  encode_hello(fields, reinterpret_cast<std::byte*>(body.data()));
  machine.feed(frame(FrameType::hello, 0, body + "more"));
  EXPECT_EQ(machine.session.state(), State::ready);
}

// ---- Ping

TEST(Connection, APingIsAnsweredAtOnce) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.feed(ping(77));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::pong);
  EXPECT_EQ(*decode_ping(bytes_of(sent[0].body)), 77u);
}

// However many it sends: what it makes us keep is bounded.
TEST(Connection, APeerThatDoesNotReadGetsOnePongForAllItsPings) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.queued = SIZE_MAX;
  for (std::uint64_t token = 1; token <= 1'000; ++token) machine.feed(ping(token));
  EXPECT_TRUE(machine.sent().empty());
  machine.queued = 0;
  machine.session.on_link_writable();
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(*decode_ping(bytes_of(sent[0].body)), 1'000u);
}

TEST(Connection, PingsAfterSilenceSoonerWithCallsInFlight) {
  Machine machine(Role::client);
  machine.shake_hands();
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 60s);
  machine.open("p");
  EXPECT_TRUE(machine.session.timer_moved());
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 10s);
  machine.sent();
  machine.pass(10s);
  std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::ping);
  machine.feed(pong(*decode_ping(bytes_of(sent[0].body))));
  EXPECT_FALSE(machine.end);
  // Any byte from the peer is a sign of life.
  machine.pass(9s);
  machine.feed(window(0, 1));
  machine.pass(9s);
  EXPECT_TRUE(machine.sent().empty());
}

TEST(Connection, APingThatIsNotAnsweredEndsItAtTheSecondLook) {
  Machine machine(Role::client);
  machine.shake_hands();
  machine.open("p");
  machine.pass(10s);
  machine.pass(5s);
  // The pong may lie unread: the loop was busy.
  EXPECT_FALSE(machine.end);
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 100ms);
  machine.pass(100ms);
  EXPECT_EQ(machine.end, Errc::ping_timeout);
  EXPECT_EQ(machine.heard[machine.heard.size() - 2].code, Errc::ping_timeout);
}

TEST(Connection, NeverPingsMoreOftenThanThePeerAllows) {
  SessionOptions options;
  options.limits.ping_after_busy_silence = 1s;
  Hello peer;
  peer.ping_interval_min_ms = 30'000;
  Machine machine(Role::client, options);
  machine.shake_hands(peer);
  machine.open("p");
  machine.sent();
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 30s);
  machine.pass(29s);
  EXPECT_TRUE(machine.sent().empty());
  machine.pass(1s);
  EXPECT_EQ(machine.sent().size(), 1u);
}

// ---- Stalled frames, idleness

TEST(Connection, AFrameThatIsBegunMustBeFinished) {
  Machine machine(Role::server);
  machine.shake_hands();
  const std::string whole = request(id_of(1), "p", "payload");
  machine.feed(whole.substr(0, 15));
  EXPECT_TRUE(machine.session.timer_moved());
  EXPECT_EQ(machine.session.next_timer(), machine.now.monotonic + 30s);
  // A byte now and then is not progress.
  machine.pass(20s);
  machine.feed(whole.substr(15, 1));
  machine.pass(10s);
  EXPECT_EQ(machine.end, Errc::frame_timeout);
}

TEST(Connection, AnIdleServerGoesAwayInGoodOrder) {
  Machine machine(Role::server);
  machine.shake_hands();
  for (int minute = 0; minute < 5; ++minute) {
    machine.pass(60s);
    for (const SentFrame& sent : machine.sent()) {
      if (sent.type == FrameType::ping) machine.feed(frame(FrameType::pong, 0, sent.body));
    }
  }
  EXPECT_EQ(machine.end, Errc::idle_timeout);
  EXPECT_EQ(machine.count("draining"), 1u);
}

TEST(Connection, ACallKeepsItFromBeingIdle) {
  SessionOptions options;
  options.limits.ping_after_busy_silence = 0s;
  options.limits.ping_after_idle_silence = 0s;
  Machine machine(Role::client, options);
  machine.shake_hands();
  machine.open("p");
  machine.pass(1h);
  EXPECT_FALSE(machine.end);
  machine.feed(reply(id_of(1)));
  machine.pass(1ms);
  EXPECT_FALSE(machine.end);
  machine.pass(300s);
  EXPECT_EQ(machine.session.state(), State::draining);
  machine.pass(5s);
  EXPECT_EQ(machine.end, Errc::idle_timeout);
}

// ---- Multipart: peers without hello, peers that come back

class MessagePeer : public ::testing::Test {
 protected:
  static SessionOptions multipart(bool naive = false) {
    SessionOptions options;
    options.multipart = true;
    options.naive_peer = naive;
    return options;
  }
  static void feed(Machine& machine, FrameType type, std::uint32_t id, std::uint8_t flags,
                   const std::vector<std::string>& body) {
    std::vector<Slice> parts(1);
    std::size_t bytes = 0;
    for (const std::string& part : body) {
      parts.push_back(Slice::copy_of(part));
      bytes += part.size();
    }
    std::string control(kFrameHeaderBytes, '\0');
    encode_frame_header(
        {static_cast<std::uint32_t>(bytes), id, static_cast<std::uint8_t>(type), flags},
        reinterpret_cast<std::byte*>(control.data()));
    parts[0] = Slice::copy_of(control);
    machine.session.on_message(parts, machine.now);
  }
  static void feed_hello(Machine& machine, std::uint64_t incarnation) {
    Hello fields;
    fields.incarnation = incarnation;
    feed(machine, FrameType::hello, 0, 0, {hello(fields).substr(kFrameHeaderBytes)});
  }
};

TEST_F(MessagePeer, WithoutHelloIsServedWithoutPingOrCredit) {
  Machine machine(Role::server, multipart());
  machine.start();
  feed(machine, FrameType::request, id_of(5, 9), kFlagEnd, {"path", "", "payload"});
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.last().payload, "payload");
  EXPECT_TRUE(machine.session.naive());
  machine.answer(id_of(5, 9), "answer");
  ASSERT_EQ(machine.sent().size(), 1u);
  // The same id again: a script need not count.
  for (int i = 0; i < 100; ++i) {
    feed(machine, FrameType::request, id_of(5, 9), kFlagEnd,
         {"path", "", std::string(100'000, 'x')});
    machine.answer(id_of(5, 9), std::string(200'000, 'y'));
  }
  for (const SentFrame& sent : machine.sent()) EXPECT_EQ(sent.type, FrameType::reply);
  machine.pass(100s);
  EXPECT_TRUE(machine.sent().empty());
  EXPECT_FALSE(machine.end);
}

TEST_F(MessagePeer, WithoutHelloHasNoStreams) {
  Machine server(Role::server, multipart());
  server.start();
  feed(server, FrameType::request, id_of(1), kFlagStream, {"path", "", ""});
  EXPECT_EQ(server.count("request"), 0u);
  EXPECT_EQ(decode_reply(bytes_of(server.sent()[0].body))->fixed.status, 12);

  Machine client(Role::client, multipart(true));
  client.start();
  EXPECT_EQ(client.last().what, "ready");
  EXPECT_TRUE(client.sent().empty());
  EXPECT_EQ(client.open("p", "", true).error(), Errc::naive_peer);
  ASSERT_TRUE(client.open("p", "x"));
  feed(client, FrameType::reply, id_of(1), 0, {"", "", "answer"});
  EXPECT_EQ(client.last().payload, "answer");
}

TEST_F(MessagePeer, ThatComesBackEndsTheOldStreams) {
  Machine machine(Role::server, multipart());
  machine.start();
  feed_hello(machine, 1);
  feed(machine, FrameType::request, id_of(1), kFlagEnd, {"path", "", ""});
  machine.sent();
  feed_hello(machine, 2);
  ASSERT_EQ(machine.count("lost"), 1u);
  EXPECT_EQ(machine.heard[2].code, Errc::peer_restarted);
  EXPECT_EQ(machine.session.counters().peer_restarts, 1u);
  EXPECT_EQ(machine.session.in_flight(), 0u);
  ASSERT_EQ(machine.sent().size(), 1u);  // our hello, for the new one
  feed(machine, FrameType::request, id_of(1, 1), kFlagEnd, {"path", "", ""});
  EXPECT_EQ(machine.last().what, "request");
}

TEST_F(MessagePeer, LearnsFromAHelloThatTheServerIsAnother) {
  // The server that has just started knows nothing of this peer's streams.
  Machine server(Role::server, multipart());
  server.start();
  feed(server, FrameType::ping, 0, 0, {std::string(8, 'x')});
  const std::vector<SentFrame> sent = server.sent();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].type, FrameType::hello);
  EXPECT_FALSE(server.end);

  Machine client(Role::client, multipart());
  client.start();
  feed_hello(client, 1);
  client.open("p");
  client.sent();
  feed_hello(client, 2);
  EXPECT_EQ(client.count("lost"), 1u);
  EXPECT_EQ(client.session.state(), State::ready);
  ASSERT_EQ(client.sent().size(), 1u);
  // The server's answer to that says nothing new; a third is one too many.
  feed_hello(client, 2);
  EXPECT_FALSE(client.end);
  feed_hello(client, 2);
  EXPECT_EQ(client.end, Errc::hello_repeated);
}

TEST_F(MessagePeer, PiecesComeAsMessages) {
  Machine machine(Role::server, multipart());
  machine.start();
  feed_hello(machine, 1);
  feed(machine, FrameType::request, id_of(1), kFlagEnd | kFlagPieces,
       {number64(4 + 2 + 10), "path", "{}", "12345"});
  feed(machine, FrameType::request, id_of(1), kFlagContinued, {"67890"});
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.last().payload, "1234567890");
}

}  // namespace
}  // namespace spanwire::session
