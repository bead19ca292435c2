// Credit, pieces, order and budgets.
#include "tests/session/harness.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::session {
namespace {

using namespace wire;

Hello hello_with(std::uint32_t stream_window, std::uint32_t connection_window) {
  Hello peer;
  peer.stream_window_bytes = stream_window;
  peer.connection_window_bytes = connection_window;
  return peer;
}

std::vector<FrameType> types_of(const std::vector<SentFrame>& frames) {
  std::vector<FrameType> types;
  for (const SentFrame& one : frames) types.push_back(one.type);
  return types;
}

TEST(Flow, DataStopAtTheStreamsCreditAndGoOnWithMore) {
  Machine machine(Role::client);
  machine.shake_hands(hello_with(1'000, 100'000));
  const std::uint32_t id = *machine.open("p", "", true);
  EXPECT_TRUE(*machine.write(id, std::string(400, 'a')));
  EXPECT_TRUE(*machine.write(id, std::string(400, 'b')));
  // Taken, but it waits: 200 bytes of credit are left.
  EXPECT_TRUE(*machine.write(id, std::string(400, 'c')));
  EXPECT_FALSE(*machine.write(id, std::string(400, 'd')));
  EXPECT_EQ(machine.sent().size(), 3u);
  EXPECT_EQ(machine.count("writable"), 0u);
  machine.feed(window(id, 400));
  EXPECT_EQ(machine.count("writable"), 1u);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].body[0], 'c');
}

TEST(Flow, AStreamWithoutCreditHoldsUpNobodyElse) {
  Machine machine(Role::client);
  machine.shake_hands(hello_with(1'000, 100'000));
  const std::uint32_t stuck = *machine.open("p", "", true);
  EXPECT_TRUE(*machine.write(stuck, std::string(5'000, 'x')));
  machine.sent();
  EXPECT_TRUE(machine.open("q", std::string(10'000, 'y')));
  EXPECT_EQ(types_of(machine.sent()), std::vector{FrameType::request});
}

TEST(Flow, RequestsWaitForTheConnectionsCreditInTurn) {
  Machine machine(Role::client);
  machine.shake_hands(hello_with(1'000, 4'096));
  machine.open("a", std::string(1'900, 'a'));
  machine.open("b", std::string(1'900, 'b'));
  machine.open("c", std::string(1'900, 'c'));
  machine.open("d", "small");  // not past those who waited before it
  EXPECT_EQ(machine.sent().size(), 2u);
  EXPECT_EQ(machine.session.counters().frames_waited, 2u);
  machine.feed(window(0, 4'096));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].id, id_of(3));
  EXPECT_EQ(sent[1].id, id_of(4));
  EXPECT_GE(machine.session.connection_send_credit(), 0);
}

TEST(Flow, ConnectionCreditReturnsOnReceiptInBatches) {
  SessionOptions options;
  options.limits.connection_window_bytes = 10'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  const std::string one = request(id_of(1), "p", std::string(1'000, 'x'));
  machine.feed(one + request(id_of(2), "p", std::string(1'000, 'x')));
  EXPECT_TRUE(machine.sent().empty());
  machine.feed(request(id_of(3), "p", std::string(1'000, 'x')));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::window);
  EXPECT_EQ(sent[0].id, 0u);
  EXPECT_EQ(*decode_window(bytes_of(sent[0].body)), 3 * (one.size() - kFrameHeaderBytes));
  EXPECT_EQ(machine.session.connection_receive_credit(), 10'000);
}

TEST(Flow, StreamCreditReturnsWhenTheReaderGrantsIt) {
  SessionOptions options;
  options.limits.stream_window_bytes = 1'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  machine.feed(open_stream(id_of(1), "p") + data(id_of(1), std::string(600, 'x')));
  EXPECT_TRUE(machine.sent().empty());
  EXPECT_EQ(machine.session.held_bytes(), 600u);
  machine.session.grant(id_of(1), 100);
  EXPECT_TRUE(machine.sent().empty());
  // More than was read grants no more than was read.
  machine.session.grant(id_of(1), 10'000);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(*decode_window(bytes_of(sent[0].body)), 600u);
}

// An unread stream uses the budget up; credit stops until somebody reads.
TEST(Flow, ConnectionCreditIsKeptBackWhileReadersHoldTooMuch) {
  SessionOptions options;
  options.limits.connection_window_bytes = 4'096;
  options.limits.stream_window_bytes = 4'000;
  options.limits.queued_bytes_max = 1'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  machine.feed(open_stream(id_of(1), "p") + data(id_of(1), std::string(2'000, 'x')));
  EXPECT_TRUE(machine.sent().empty());
  machine.session.grant(id_of(1), 2'000);
  EXPECT_EQ(types_of(machine.sent()), (std::vector{FrameType::window, FrameType::window}));
}

// ---- Pieces

TEST(Flow, ALargePayloadGoesInPiecesAndSmallFramesPassBetween) {
  Machine machine(Role::client);
  machine.shake_hands(hello_with(1'000, 300'000));
  std::string payload(200'000, 'x');
  payload.back() = 'z';
  // The link takes one piece at a time.
  machine.queued = SIZE_MAX;
  const std::uint32_t large = *machine.open("large", payload);
  machine.queued = 0;
  machine.session.on_link_writable();
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 4u);
  EXPECT_EQ(sent[0].flags, kFlagEnd | kFlagPieces);
  EXPECT_EQ(sent[1].flags, kFlagContinued);
  std::string body;
  for (const SentFrame& piece : sent) {
    EXPECT_EQ(piece.id, large);
    EXPECT_LE(piece.body.size(), kPieceBytes + 64);
    body += piece.body;
  }
  const std::string whole = request_body("large", payload);
  EXPECT_TRUE(body == number64(whole.size()) + whole);
}

TEST(Flow, PiecesOfStreamsTakeTurns) {
  Machine machine(Role::client);
  machine.shake_hands(hello_with(1'000, 1u << 20));
  machine.queued = SIZE_MAX;
  machine.open("a", std::string(100'000, 'a'));
  machine.open("b", "small");
  machine.open("c", std::string(100'000, 'c'));
  machine.queued = 0;
  machine.session.on_link_writable();
  std::vector<std::uint32_t> order;
  for (const SentFrame& one : machine.sent()) order.push_back(StreamId{one.id}.slot());
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 2, 3, 1, 3}));
}

TEST(Flow, PiecesBecomeOneSliceOfTheirOwn) {
  const testing::LeakCheck leaks;
  Machine machine(Role::server);
  machine.shake_hands();
  std::string payload(150'000, 'x');
  payload[140'000] = 'y';
  const std::string whole = request_body("p", payload);
  const std::size_t first = whole.size() - 100'000;
  machine.feed(frame(FrameType::request, id_of(1), number64(whole.size()) + whole.substr(0, first),
                     kFlagEnd | kFlagPieces));
  EXPECT_EQ(machine.session.held_bytes(), payload.size());
  machine.feed(request(id_of(2), "between"));
  machine.feed(frame(FrameType::request, id_of(1), whole.substr(first, 50'000), kFlagContinued) +
               frame(FrameType::request, id_of(1), whole.substr(first + 50'000), kFlagContinued));
  ASSERT_EQ(machine.count("request"), 2u);
  EXPECT_EQ(machine.heard[0].path, "between");
  EXPECT_TRUE(machine.last().payload == payload);
  machine.answer(id_of(1));
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

// The link reads the rest of a piece straight to where it stays.
TEST(Flow, PiecesAreReadInPlace) {
  Machine machine(Role::server);
  machine.shake_hands();
  const std::string payload(120'000, 'x');
  const std::string whole = request_body("p", payload);
  const std::string second =
      frame(FrameType::request, id_of(1), std::string(60'000, 'y'), kFlagContinued);
  machine.feed(frame(FrameType::request, id_of(1),
                     number64(whole.size()) + whole.substr(0, whole.size() - 60'000),
                     kFlagEnd | kFlagPieces) +
               second.substr(0, 100));
  const MutableByteView target = machine.session.read_target();
  ASSERT_EQ(target.size(), second.size() - 100);
  std::memcpy(target.data(), second.data() + 100, target.size());
  machine.session.on_target_filled(target.size(), machine.now);
  ASSERT_EQ(machine.last().what, "request");
  EXPECT_TRUE(machine.last().payload == std::string(60'000, 'x') + std::string(60'000, 'y'));
}

TEST(Flow, AMessageLargerThanTheWindowArrives) {
  SessionOptions options;
  options.limits.stream_window_bytes = 10'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  machine.feed(open_stream(id_of(1), "p") + frame(FrameType::data, id_of(1),
                                                  number64(50'000) + std::string(4'000, 'x'),
                                                  kFlagPieces));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  // What the rest needs beyond what is left.
  EXPECT_EQ(*decode_window(bytes_of(sent[0].body)), 46'000u - (10'000u - 4'008u));
  machine.feed(frame(FrameType::data, id_of(1), std::string(46'000, 'x'), kFlagContinued));
  ASSERT_EQ(machine.last().what, "data");
  EXPECT_EQ(machine.last().payload.size(), 50'000u);
  // Lent is paid back: the reader's grant opens the window it had, not more.
  machine.session.grant(id_of(1), 50'000);
  EXPECT_EQ(*decode_window(bytes_of(machine.sent()[0].body)), 10'000u);
}

TEST(Flow, ABodyThatThereIsNoMemoryForCostsItsCallAlone) {
  SessionOptions options;
  options.limits.queued_bytes_max = 100'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  const std::string body = request_body("p", std::string(1'000, 'x'), 200'000);
  machine.feed(frame(FrameType::request, id_of(1), number64(body.size() + 199'000) + body,
                     kFlagEnd | kFlagPieces) +
               frame(FrameType::request, id_of(1), std::string(60'000, 'x'), kFlagContinued) +
               request(id_of(2), "other"));
  EXPECT_EQ(machine.count("request"), 1u);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags, kFlagNotStarted);
  EXPECT_EQ(decode_reply(bytes_of(sent[0].body))->fixed.status, 8);
  EXPECT_EQ(machine.session.counters().over_budget, 1u);
  EXPECT_EQ(machine.session.held_bytes(), 0u);
}

// ---- Budgets of what goes out

TEST(Flow, TheByteBudgetRefusesCallsUntilThereIsRoom) {
  SessionOptions options;
  options.limits.queued_bytes_max = 10'000;
  Machine machine(Role::client, options);
  machine.shake_hands();
  machine.queued = SIZE_MAX;
  EXPECT_TRUE(machine.open("a", std::string(6'000, 'x')));
  EXPECT_EQ(machine.open("b", std::string(6'000, 'x')).error(), Errc::queue_full);
  machine.queued = 0;
  machine.session.on_link_writable();
  EXPECT_EQ(machine.count("free"), 1u);
  EXPECT_TRUE(machine.open("b", std::string(6'000, 'x')));
}

TEST(Flow, StreamsAreFreeAgainWhenOneHasEnded) {
  Hello peer;
  peer.streams_max = 2;
  Machine machine(Role::client);
  machine.shake_hands(peer);
  machine.open("a");
  machine.open("b");
  EXPECT_EQ(machine.open("c").error(), Errc::queue_full);
  machine.feed(reply(id_of(2)));
  EXPECT_EQ(machine.last().what, "free");
  EXPECT_EQ(*machine.open("c"), id_of(2, 1));
}

TEST(Flow, RefusesHereWhatThePeerDoesNotTake) {
  Hello peer;
  peer.path_bytes_max = 10;
  peer.header_block_bytes_max = 10;
  peer.payload_bytes_max = 10;
  Machine machine(Role::client);
  machine.shake_hands(peer);
  EXPECT_EQ(machine.open(std::string(11, 'p')).error(), Errc::path_too_long);
  EXPECT_EQ(machine.open("\xFF").error(), Errc::path_not_utf8);
  EXPECT_EQ(machine.open("p", std::string(11, 'x')).error(), Errc::payload_too_long);
  RequestOut out;
  out.path = "p";
  out.headers = bytes_of("{\"a\":\"bcd\"}");
  EXPECT_EQ(machine.session.open(out, nullptr).error(), Errc::headers_too_long);
  EXPECT_TRUE(machine.sent().empty());
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

TEST(Flow, AReplyThatThePeerDoesNotTakeSaysSo) {
  Hello peer;
  peer.payload_bytes_max = 10;
  Machine machine(Role::server);
  machine.shake_hands(peer);
  machine.feed(request(id_of(1), "p"));
  machine.answer(id_of(1), std::string(11, 'x'));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(decode_reply(bytes_of(sent[0].body))->fixed.status, 8);
}

// A small payload is copied on its way out and stays with the caller.
TEST(Flow, ASmallPayloadIsStillTheCallers) {
  Machine machine(Role::client);
  machine.shake_hands();
  RequestOut out;
  out.path = "p";
  out.payload = Slice::copy_of("payload");
  ASSERT_TRUE(machine.session.open(out, nullptr));
  EXPECT_EQ(out.payload.text(), "payload");
}

}  // namespace
}  // namespace spanwire::session
