// How many bodies in pieces are under way at once, and who comes next.
#include <algorithm>
#include <map>

#include "tests/session/harness.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::session {
namespace {

using namespace wire;

constexpr std::size_t kLarge = 3 * kPieceBytes;

Hello roomy(std::uint32_t stream_window = 1u << 30) {
  Hello peer;
  peer.stream_window_bytes = stream_window;
  peer.connection_window_bytes = 1u << 30;
  return peer;
}

// The bodies in pieces among what a session sends.
struct Watched {
  std::map<std::uint32_t, std::size_t> left;  // by stream id, of those under way
  std::vector<std::uint32_t> begun;           // slots, in order
  std::size_t most = 0;

  void see(const std::vector<SentFrame>& frames) {
    for (const SentFrame& one : frames) {
      if ((one.flags & kFlagPieces) != 0) {
        begun.push_back(StreamId{one.id}.slot());
        left[one.id] = load_big<std::uint64_t>(bytes_of(one.body).data()) + kPiecesTotalBytes;
        most = std::max(most, left.size());
      }
      if ((one.flags & (kFlagPieces | kFlagContinued)) == 0) continue;
      left[one.id] -= one.body.size();
      if (left[one.id] == 0) left.erase(one.id);
    }
  }
};

void let_out(Machine& machine) {
  machine.queued = 0;
  machine.session.on_link_writable();
}

TEST(Places, NoMoreBodiesThanTheLimitAreUnderWay) {
  const testing::LeakCheck leaks;
  Machine machine(Role::client);
  machine.shake_hands(roomy());
  machine.queued = SIZE_MAX;
  constexpr std::uint32_t kBodies = 5 * kBodiesInPiecesMax;
  for (std::uint32_t i = 0; i < kBodies; ++i) machine.open("p", std::string(kLarge, 'x'));
  machine.open("small", "passes them all");
  let_out(machine);
  const std::vector<SentFrame> sent = machine.sent();
  Watched watched;
  watched.see(sent);
  EXPECT_EQ(watched.most, kBodiesInPiecesMax);
  EXPECT_TRUE(watched.left.empty());
  std::vector<std::uint32_t> in_order(kBodies);
  for (std::uint32_t i = 0; i < kBodies; ++i) in_order[i] = i + 1;
  EXPECT_EQ(watched.begun, in_order);
  EXPECT_EQ(StreamId{sent[kBodiesInPiecesMax].id}.slot(), kBodies + 1);
  EXPECT_EQ(machine.session.waiting_bytes(), 0u);
}

TEST(Places, NorMoreBytes) {
  SessionOptions options;
  options.limits.queued_bytes_max = 3 * kBytesInPiecesMax;
  Machine machine(Role::client, options);
  machine.shake_hands(roomy());
  machine.queued = SIZE_MAX;
  for (int i = 0; i < 4; ++i) machine.open("p", std::string(kBytesInPiecesMax / 2, 'x'));
  let_out(machine);
  Watched watched;
  watched.see(machine.sent());
  EXPECT_EQ(watched.most, 2u);
  EXPECT_EQ(watched.begun.size(), 4u);
  EXPECT_TRUE(watched.left.empty());
}

TEST(Places, WhatIsGivenUpLeavesItsPlaceAndTheLine) {
  const testing::LeakCheck leaks;
  Machine machine(Role::client);
  Hello peer = roomy();
  peer.connection_window_bytes = 1u << 20;
  machine.shake_hands(peer);
  machine.queued = SIZE_MAX;
  std::vector<std::uint32_t> ids;
  for (std::size_t i = 0; i < kBodiesInPiecesMax + 3; ++i) {
    ids.push_back(*machine.open("p", std::string(kLarge, 'x')));
  }
  let_out(machine);
  const std::uint32_t third_in_line = ids[kBodiesInPiecesMax + 2];
  Watched watched;
  watched.see(machine.sent());
  ASSERT_EQ(watched.left.size(), kBodiesInPiecesMax);
  EXPECT_TRUE(machine.session.cancel(ids[kBodiesInPiecesMax], Errc::cancelled));
  EXPECT_TRUE(machine.session.cancel(ids[kBodiesInPiecesMax + 1], Errc::cancelled));
  for (std::size_t i = 0; i < kBodiesInPiecesMax; ++i) {
    EXPECT_FALSE(machine.session.cancel(ids[i], Errc::cancelled));
  }
  machine.feed(window(0, 1u << 20));
  std::size_t pieces = 0;
  for (const SentFrame& one : machine.sent()) {
    if (one.type != FrameType::cancel) pieces += one.id == third_in_line ? 1 : 0;
  }
  EXPECT_EQ(pieces, kLarge / kPieceBytes);
  EXPECT_EQ(machine.session.waiting_bytes(), 0u);
}

// Its reader may take for ever to read what it has.
TEST(Places, ABodyThatHasNoCreditToBeginHoldsNone) {
  Machine machine(Role::client);
  machine.shake_hands(roomy(200'000));
  std::vector<std::uint32_t> stuck;
  for (std::size_t i = 0; i < kBodiesInPiecesMax + 1; ++i) {
    stuck.push_back(*machine.open("s", "", true));
    ASSERT_TRUE(*machine.write(stuck.back(), std::string(190'000, 'x')));
    machine.feed(window(stuck.back(), 50'000 - 10'000));
    ASSERT_TRUE(*machine.write(stuck.back(), std::string(kLarge, 'y')));
  }
  Watched watched;
  watched.see(machine.sent());
  EXPECT_TRUE(watched.left.empty());
  machine.open("p", std::string(kLarge, 'z'));
  watched.see(machine.sent());
  EXPECT_EQ(watched.begun.back(), kBodiesInPiecesMax + 2);
  machine.feed(window(stuck[0], 1u << 20));
  watched.see(machine.sent());
  EXPECT_EQ(watched.begun.back(), 1u);
  EXPECT_TRUE(watched.left.empty());
}

TEST(Places, AReplyPassesTheLineWhenItsStreamIsCancelled) {
  Machine machine(Role::server);
  machine.shake_hands(roomy(70'000));
  for (std::uint32_t slot = 1; slot <= kBodiesInPiecesMax + 1; ++slot) {
    machine.feed(open_stream(id_of(slot), "s"));
    ASSERT_TRUE(*machine.write(id_of(slot), std::string(kLarge, 'x')));
  }
  // All but the last have begun and wait for their streams' credit.
  const std::uint32_t last = id_of(kBodiesInPiecesMax + 1);
  machine.answer(last);
  machine.sent();
  machine.feed(cancel(last));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::reply);
  EXPECT_EQ(sent[0].id, last);
}

// Who throws a body away lets it come to its end all the same.
TEST(Places, CreditIsLentForABodyThatIsThrownAway) {
  SessionOptions options;
  options.limits.stream_window_bytes = 10'000;
  options.limits.queued_bytes_max = 20'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  const std::string first =
      frame(FrameType::data, id_of(1), number64(50'000) + std::string(4'000, 'x'), kFlagPieces);
  machine.feed(open_stream(id_of(1), "p") + first);
  EXPECT_EQ(machine.last().what, "cancel");
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(*decode_window(bytes_of(sent[0].body)), 46'000u - (10'000u - 4'008u));
  machine.feed(frame(FrameType::data, id_of(1), std::string(46'000, 'x'), kFlagContinued));
  EXPECT_FALSE(machine.end);
  // All of the window is used up.
  EXPECT_EQ(machine.session.held_bytes(), 0u);
  EXPECT_EQ(machine.count("data"), 0u);
}

}  // namespace
}  // namespace spanwire::session
