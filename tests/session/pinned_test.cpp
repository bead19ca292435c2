// Payloads that handlers keep count in the connection's budget.
#include "tests/session/harness.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::session {
namespace {

using namespace wire;

SessionOptions budget_of(std::size_t bytes, bool short_way = true) {
  SessionOptions options;
  options.limits.queued_bytes_max = bytes;
  options.short_way = short_way;
  return options;
}

std::string in_pieces(std::uint32_t id, std::size_t payload_bytes, std::uint8_t flags = kFlagEnd) {
  const std::string whole = request_body("p", std::string(payload_bytes, 'x'));
  const std::size_t first = whole.size() / 2;
  return frame(FrameType::request, id, number64(whole.size()) + whole.substr(0, first),
               static_cast<std::uint8_t>(flags | kFlagPieces)) +
         frame(FrameType::request, id, whole.substr(first), kFlagContinued);
}

void expect_refused(Machine& machine, std::uint32_t id) {
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::reply);
  EXPECT_EQ(sent[0].id, id);
  EXPECT_EQ(sent[0].flags, kFlagNotStarted);
  EXPECT_EQ(decode_reply(bytes_of(sent[0].body))->fixed.status, 8);
}

TEST(Pinned, PiecesAreHeldUntilTheHandlerHasReplied) {
  const testing::LeakCheck leaks;
  Machine machine(Role::server, budget_of(100'000));
  machine.shake_hands();
  machine.feed(in_pieces(id_of(1), 60'000));
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.session.held_bytes(), 60'000u);
  machine.feed(in_pieces(id_of(2), 60'000));
  expect_refused(machine, id_of(2));
  EXPECT_EQ(machine.session.counters().over_budget, 1u);
  machine.answer(id_of(1));
  EXPECT_EQ(machine.session.held_bytes(), 0u);
  machine.sent();
  machine.feed(in_pieces(id_of(2, 1), 60'000));
  EXPECT_EQ(machine.count("request"), 2u);
  machine.session.close(Errc::shutting_down);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

TEST(Pinned, SoAreWholeBodiesOnBothWays) {
  for (const bool short_way : {true, false}) {
    Machine machine(Role::server, budget_of(10'000, short_way));
    machine.shake_hands();
    machine.feed(request(id_of(1), "p", std::string(6'000, 'x')));
    EXPECT_EQ(machine.session.held_bytes(), 6'000u);
    machine.feed(request(id_of(2), "p", std::string(6'000, 'x')));
    expect_refused(machine, id_of(2));
    // Small ones are only lent.
    machine.feed(request(id_of(3), "p", std::string(kCopyPayloadBelow - 1, 'x')));
    EXPECT_EQ(machine.count("request"), 2u);
    machine.answer(id_of(1));
    EXPECT_EQ(machine.session.held_bytes(), 0u);
  }
}

TEST(Pinned, AOneWayRequestUntilItsHandlerHasEnded) {
  Machine machine(Role::server, budget_of(100'000));
  machine.shake_hands();
  machine.feed(in_pieces(id_of(1), 60'000, kFlagEnd | kFlagOneWay));
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.session.held_bytes(), 60'000u);
  machine.answer(machine.last().id);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

// Cancelled, its handler runs on and keeps what it has.
TEST(Pinned, ACancelledRequestUntilItsHandlerHasEnded) {
  Machine machine(Role::server, budget_of(100'000));
  machine.shake_hands();
  machine.feed(in_pieces(id_of(1), 60'000) + cancel(id_of(1)));
  EXPECT_EQ(machine.session.held_bytes(), 60'000u);
  machine.answer(id_of(1), "", 1);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

// Otherwise a client without credit would never hear of it.
TEST(Pinned, AReplyGivesBackTheCreditThatWasKeptBack) {
  SessionOptions options = budget_of(10'000);
  options.limits.connection_window_bytes = 16'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  machine.feed(open_stream(id_of(1), "s") + request(id_of(2), "p", std::string(7'000, 'x')) +
               data(id_of(1), std::string(5'000, 'd')));
  EXPECT_TRUE(machine.sent().empty());
  machine.answer(id_of(2));
  std::size_t windows = 0;
  for (const SentFrame& one : machine.sent()) windows += one.type == FrameType::window ? 1 : 0;
  EXPECT_EQ(windows, 1u);
}

}  // namespace
}  // namespace spanwire::session
