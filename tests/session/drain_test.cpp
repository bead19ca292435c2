// How either side goes away in good order.
#include "tests/session/harness.hpp"

namespace spanwire::session {
namespace {

using namespace std::chrono_literals;
using namespace wire;

TEST(SessionDrain, AServerDrainsInTwoSteps) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.feed(request(id_of(1), "before"));
  machine.session.drain(machine.now);
  std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(decode_goaway(bytes_of(sent[0].body))->accepted, kGoawayAcceptsAll);
  ASSERT_EQ(sent[1].type, FrameType::ping);
  // The client did not know yet: this one is taken too.
  machine.feed(request(id_of(2), "on the way"));
  EXPECT_EQ(machine.count("request"), 2u);
  machine.feed(frame(FrameType::pong, 0, sent[1].body));
  sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(decode_goaway(bytes_of(sent[0].body))->accepted, 2u);
  machine.feed(request(id_of(3), "behind the last"));
  EXPECT_EQ(machine.count("request"), 2u);
  EXPECT_EQ(machine.session.counters().requests_behind_goaway, 1u);
  EXPECT_EQ(machine.refused, 1);
  EXPECT_FALSE(machine.end);
  machine.answer(id_of(1));
  machine.answer(id_of(2));
  EXPECT_EQ(machine.end, Errc::shutting_down);
}

TEST(SessionDrain, AClientThatDoesNotAnswerDoesNotHoldTheDrainUp) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.session.drain(machine.now);
  EXPECT_FALSE(machine.end);
  machine.pass(5s);
  EXPECT_EQ(machine.end, Errc::shutting_down);
}

TEST(SessionDrain, AClientTakesBackWhatTheServerWillNotStart) {
  Machine machine(Role::client);
  machine.shake_hands();
  machine.open("first");
  machine.open("second");
  machine.queued = SIZE_MAX;
  machine.open("still here");
  machine.feed(goaway(kGoawayAcceptsAll));
  EXPECT_EQ(machine.session.state(), State::draining);
  EXPECT_EQ(machine.count("draining"), 1u);
  // Not sent yet: it may go elsewhere at once.
  ASSERT_EQ(machine.count("reply"), 1u);
  EXPECT_TRUE(machine.last().flag);
  EXPECT_EQ(machine.last().status, 14);
  EXPECT_EQ(machine.open("late").error(), Errc::draining);
  machine.feed(goaway(1));
  EXPECT_EQ(machine.count("reply"), 2u);
  EXPECT_TRUE(machine.last().flag);
  EXPECT_FALSE(machine.end);
  machine.feed(reply(id_of(1)));
  EXPECT_EQ(machine.end, Errc::draining);
}

TEST(SessionDrain, ADrainingClientEndsWithItsLastCall) {
  Machine machine(Role::client);
  machine.shake_hands();
  machine.open("p");
  machine.session.drain(machine.now);
  EXPECT_EQ(machine.open("late").error(), Errc::draining);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.back().type, FrameType::ping);
  machine.feed(frame(FrameType::pong, 0, sent.back().body));
  EXPECT_EQ(decode_goaway(bytes_of(machine.sent().back().body))->accepted, 0u);
  EXPECT_FALSE(machine.end);
  machine.feed(reply(id_of(1)));
  EXPECT_EQ(machine.end, Errc::shutting_down);
}

// A connection that is closed while the peer still reads may lose what it has not read.
TEST(SessionDrain, ADrainingClientWaitsUntilAllIsRead) {
  Machine machine(Role::client);
  machine.shake_hands();
  machine.session.drain(machine.now);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(decode_goaway(bytes_of(sent[0].body))->accepted, kGoawayAcceptsAll);
  EXPECT_FALSE(machine.end);
  machine.feed(frame(FrameType::pong, 0, sent[1].body));
  EXPECT_EQ(machine.end, Errc::shutting_down);
}

TEST(SessionDrain, ACloseTellsWhatWasAccepted) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.feed(request(id_of(1), "p"));
  machine.session.close(Error(Errc::shutting_down));
  EXPECT_EQ(machine.count("lost"), 1u);
  EXPECT_EQ(machine.end, Errc::shutting_down);
  EXPECT_EQ(decode_goaway(bytes_of(machine.sent().back().body))->accepted, 1u);
}

}  // namespace
}  // namespace spanwire::session
