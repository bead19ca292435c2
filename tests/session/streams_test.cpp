// What happens to one stream, step by step, on either side.
#include "tests/session/harness.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::session {
namespace {

using namespace wire;

class ServerStream : public ::testing::Test {
 protected:
  ServerStream() { machine.shake_hands(); }
  testing::LeakCheck leaks;
  Machine machine{Role::server};
};

class ClientStream : public ::testing::Test {
 protected:
  ClientStream() { machine.shake_hands(); }
  testing::LeakCheck leaks;
  Machine machine{Role::client};
};

// ---- Unary

TEST_F(ServerStream, ARequestIsHandedOverAndAnsweredOnce) {
  machine.feed(request(id_of(1), "path", "payload"));
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.last().path, "path");
  EXPECT_EQ(machine.last().payload, "payload");
  EXPECT_EQ(machine.session.in_flight(), 1u);
  machine.answer(id_of(1), "answer", 5);
  machine.answer(id_of(1), "again");
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::reply);
  EXPECT_EQ(sent[0].id, id_of(1));
  const Result<ReplyView> answer = decode_reply(bytes_of(sent[0].body));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fixed.status, 5);
  EXPECT_EQ(text(answer->payload), "answer");
  // When the request arrived, by the wall clock.
  EXPECT_EQ(answer->fixed.received_ns, 1'000'000'000'000u);
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

TEST_F(ClientStream, AReplyEndsTheCallAndFreesTheSlot) {
  ASSERT_EQ(*machine.open("path", "payload"), id_of(1));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags, kFlagEnd);
  EXPECT_EQ(sent[0].body, request_body("path", "payload"));
  machine.feed(reply(id_of(1), "answer"));
  EXPECT_EQ(machine.last().what, "reply");
  EXPECT_EQ(machine.last().payload, "answer");
  EXPECT_EQ(machine.last().path, "fine");
  EXPECT_EQ(machine.session.in_flight(), 0u);
  // The same slot, its next generation.
  EXPECT_EQ(*machine.open("path"), id_of(1, 1));
}

TEST_F(ClientStream, ASecondReplyIsDroppedAndCounted) {
  machine.open("path");
  machine.feed(reply(id_of(1)) + reply(id_of(1)));
  EXPECT_EQ(machine.count("reply"), 1u);
  EXPECT_EQ(machine.session.counters().unasked_replies, 1u);
  EXPECT_EQ(machine.session.counters().late_frames, 1u);
  EXPECT_FALSE(machine.end);
}

TEST_F(ClientStream, AReplyOfAnOldGenerationIsNotTheNewOnes) {
  machine.open("path");
  machine.feed(reply(id_of(1)));
  machine.open("path");
  machine.feed(reply(id_of(1)));
  EXPECT_EQ(machine.count("reply"), 1u);
  machine.feed(reply(id_of(1, 1)));
  EXPECT_EQ(machine.count("reply"), 2u);
}

TEST_F(ServerStream, ARepeatedGenerationIsDroppedAndCounted) {
  machine.feed(request(id_of(1, 7), "path"));
  machine.answer(id_of(1, 7));
  machine.feed(request(id_of(1, 7), "path") + request(id_of(1, 6), "path"));
  EXPECT_EQ(machine.count("request"), 1u);
  EXPECT_EQ(machine.session.counters().late_frames, 2u);
  machine.feed(request(id_of(1, 8), "path"));
  EXPECT_EQ(machine.count("request"), 2u);
}

// 11 bits: the generation after the last is the first.
TEST_F(ServerStream, GenerationsGoRound) {
  machine.feed(request(id_of(1, kGenerationMax), "path"));
  machine.answer(id_of(1, kGenerationMax));
  machine.feed(request(id_of(1, 0), "path"));
  EXPECT_EQ(machine.count("request"), 2u);
}

TEST_F(ServerStream, HeadComesOnceAndBeforeTheReply) {
  machine.feed(request(id_of(1), "path"));
  machine.session.head(id_of(1), bytes_of("{\"a\":\"b\"}"));
  machine.session.head(id_of(1), bytes_of("{}"));
  machine.answer(id_of(1));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].type, FrameType::head);
  EXPECT_EQ(sent[0].body, "{\"a\":\"b\"}");
  EXPECT_EQ(sent[1].type, FrameType::reply);
}

TEST_F(ServerStream, WhatComesForAnEndedStreamIsDroppedAndCounted) {
  machine.feed(open_stream(id_of(1), "path"));
  machine.answer(id_of(1));
  machine.feed(data(id_of(1), "late") + window(id_of(1), 5) + cancel(id_of(1)));
  EXPECT_EQ(machine.count("data"), 0u);
  EXPECT_EQ(machine.count("cancel"), 0u);
  EXPECT_EQ(machine.session.counters().late_frames, 3u);
  EXPECT_FALSE(machine.end);
}

// ---- Streams

TEST_F(ServerStream, DataGoBothWaysUntilEachSideHasEnded) {
  machine.feed(open_stream(id_of(1), "path") + data(id_of(1), "one") +
               data(id_of(1), "two", kFlagEnd));
  ASSERT_EQ(machine.count("data"), 2u);
  EXPECT_EQ(machine.last().payload, "two");
  EXPECT_TRUE(machine.last().flag);
  // Half closed: the other half goes on.
  EXPECT_TRUE(*machine.write(id_of(1), "down"));
  machine.answer(id_of(1));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].body, "down");
  EXPECT_EQ(machine.write(id_of(1), "x").error(), Errc::stream_closed);
}

TEST_F(ClientStream, AnEndWithoutDataNeedsNoCredit) {
  const std::uint32_t id = *machine.open("path", "", true);
  machine.sent();
  ASSERT_TRUE(*machine.write(id, "", true));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags, kFlagEnd);
  EXPECT_EQ(sent[0].body, "");
  EXPECT_EQ(machine.write(id, "more").error(), Errc::stream_closed);
}

TEST_F(ClientStream, DataOnAUnaryCallAreRefusedHere) {
  const std::uint32_t id = *machine.open("path");
  EXPECT_EQ(machine.write(id, "x").error(), Errc::not_supported);
}

// The server ends early: the writer learns at once, what it had queued is gone.
TEST_F(ClientStream, AnEarlyReplyDropsWhatWaits) {
  const std::uint32_t id = *machine.open("path", "", true);
  machine.queued = SIZE_MAX;  // the link takes nothing
  machine.sent();
  EXPECT_FALSE(*machine.write(id, "does not go"));
  machine.queued = 0;
  ASSERT_TRUE(*machine.write(id, std::string(256u << 10, 'x')));
  EXPECT_EQ(machine.session.waiting_bytes(), (256u << 10) - 3 * (64u << 10));
  machine.feed(reply(id));
  EXPECT_EQ(machine.session.waiting_bytes(), 0u);
  EXPECT_EQ(machine.write(id, "x").error(), Errc::stream_closed);
}

// ---- One way

TEST_F(ClientStream, AOneWayRequestEndsWhenItHasBeenWritten) {
  machine.unsubmitted = true;
  RequestOut out;
  out.path = "path";
  out.one_way = true;
  int user = 0;
  const Result<std::uint32_t> id = machine.session.open(out, &user);
  ASSERT_TRUE(id);
  machine.session.settle_one_ways();
  EXPECT_EQ(machine.count("reply"), 0u);
  machine.unsubmitted = false;
  machine.send_raw({});  // the link has written what it had
  machine.session.settle_one_ways();
  ASSERT_EQ(machine.count("reply"), 1u);
  EXPECT_EQ(machine.heard[machine.heard.size() - 1].status, 0);
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

TEST_F(ServerStream, AOneWayRequestFreesItsSlotAtOnce) {
  machine.feed(request(id_of(1), "a", "", kFlagEnd | kFlagOneWay) +
               request(id_of(1, 1), "b", "", kFlagEnd | kFlagOneWay));
  ASSERT_EQ(machine.count("request"), 2u);
  EXPECT_EQ(machine.session.in_flight(), 2u);
  for (const Heard& heard : std::vector(machine.heard)) machine.answer(heard.id);
  EXPECT_EQ(machine.session.in_flight(), 0u);
  EXPECT_TRUE(machine.sent().empty());
}

// ---- Cancel

TEST_F(ClientStream, CancellingWhatWasNotSentRemovesItAndSendsNothing) {
  machine.queued = SIZE_MAX;
  const std::uint32_t id = *machine.open("path", "payload");
  EXPECT_TRUE(machine.session.cancel(id, Errc::deadline_exceeded));
  machine.queued = 0;
  machine.session.on_link_writable();
  EXPECT_TRUE(machine.sent().empty());
  EXPECT_EQ(machine.session.in_flight(), 0u);
  EXPECT_EQ(machine.session.waiting_bytes(), 0u);
}

TEST_F(ClientStream, ACancelledCallHoldsItsSlotUntilThePeersReply) {
  const std::uint32_t id = *machine.open("path");
  machine.sent();
  EXPECT_FALSE(machine.session.cancel(id, Errc::deadline_exceeded));
  EXPECT_FALSE(machine.session.cancel(id, Errc::cancelled));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::cancel);
  EXPECT_EQ(*decode_cancel(bytes_of(sent[0].body)), Errc::deadline_exceeded);
  EXPECT_EQ(machine.session.in_flight(), 1u);
  EXPECT_EQ(*machine.open("other"), id_of(2));
  machine.feed(reply(id));
  EXPECT_EQ(machine.session.in_flight(), 1u);
  // Its user has heard nothing.
  EXPECT_EQ(machine.count("reply"), 0u);
}

TEST_F(ClientStream, CancelInTheMiddleOfARequestTakesTheRestAlong) {
  Hello peer;
  peer.connection_window_bytes = 160'000;
  Machine small(Role::client);
  small.shake_hands(peer);
  const std::uint32_t id = *small.open("path", std::string(300'000, 'x'));
  EXPECT_GT(small.session.waiting_bytes(), 0u);
  EXPECT_FALSE(small.session.cancel(id, Errc::cancelled));
  EXPECT_EQ(small.session.waiting_bytes(), 0u);
  EXPECT_EQ(small.sent().back().type, FrameType::cancel);
  small.feed(window(0, 160'000));
  EXPECT_TRUE(small.sent().empty());
}

TEST_F(ServerStream, ACancelReachesTheHandlerWhichStillOwesTheReply) {
  machine.feed(request(id_of(1), "path") + cancel(id_of(1), Errc::deadline_exceeded));
  EXPECT_EQ(machine.last().what, "cancel");
  EXPECT_EQ(machine.last().code, Errc::deadline_exceeded);
  EXPECT_EQ(machine.session.in_flight(), 1u);
  machine.answer(id_of(1), "", 1);
  EXPECT_EQ(machine.sent().size(), 1u);
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

TEST_F(ServerStream, ACancelOfARequestThatIsNotCompleteIsAnsweredHere) {
  const std::string body = request_body("p", std::string(100, 'x'), 200'000);
  machine.feed(frame(FrameType::request, id_of(1), number64(body.size() + 199'900) + body,
                     kFlagEnd | kFlagPieces) +
               cancel(id_of(1)));
  EXPECT_EQ(machine.count("request"), 0u);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags, kFlagNotStarted);
  EXPECT_EQ(decode_reply(bytes_of(sent[0].body))->fixed.status, 1);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

// What was written for a reader that has gone must not keep the reply back.
TEST_F(ServerStream, ACancelFreesAReplyThatWaitsBehindData) {
  machine.feed(open_stream(id_of(1), "path"));
  machine.sent();
  ASSERT_TRUE(*machine.write(id_of(1), std::string(300'000, 'x')));  // more than the window
  machine.answer(id_of(1));
  for (const SentFrame& sent : machine.sent()) EXPECT_EQ(sent.type, FrameType::data);
  machine.feed(cancel(id_of(1)));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::reply);
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

// ---- Loss

TEST_F(ClientStream, SaysHowFarEachCallHadGot) {
  machine.unsubmitted = true;
  machine.open("not sent");
  machine.session.on_link_closed(Error(Errc::connection_reset));
  EXPECT_EQ(machine.last().progress, Progress::not_sent);
  EXPECT_EQ(machine.last().code, Errc::connection_reset);

  Machine sent(Role::client);
  sent.shake_hands();
  sent.open("sent");
  sent.session.on_link_closed(Error(Errc::connection_reset));
  EXPECT_EQ(sent.last().progress, Progress::sent);

  Machine started(Role::client);
  started.shake_hands();
  started.feed(frame(FrameType::head, *started.open("started"), "{}"));
  started.session.on_link_closed(Error(Errc::connection_reset));
  EXPECT_EQ(started.last().progress, Progress::started);

  Machine waiting(Role::client);
  waiting.shake_hands();
  waiting.queued = SIZE_MAX;
  waiting.open("waiting");
  waiting.session.on_link_closed(Error(Errc::connection_reset));
  EXPECT_EQ(waiting.last().progress, Progress::not_sent);
}

TEST_F(ServerStream, TellsEachHandlerThatNobodyWaits) {
  machine.feed(request(id_of(1), "a") + request(id_of(2), "b", "", kFlagEnd | kFlagOneWay));
  machine.session.on_link_closed(Error(Errc::peer_closed));
  EXPECT_EQ(machine.count("lost"), 2u);
  machine.answer(id_of(1));
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

}  // namespace
}  // namespace spanwire::session
