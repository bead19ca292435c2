#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "lib/transport/zmq/slow_peers.hpp"

namespace spanwire::transport {
namespace {

using Readings = ZmqSlowPeers::Readings;
using Slow = std::vector<int>;

TEST(ZmqSlowPeers, WhoTookNothingBetweenTwoLooksIsSlow) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {100, 1'000}}}), Slow()) << "the first look";
  EXPECT_EQ(peers.look({{7, {100, 1'000}}}), Slow{7});
  peers.forget();
  EXPECT_EQ(peers.look({{7, {100, 1'000}}}), Slow()) << "there was room in between";
}

TEST(ZmqSlowPeers, WhoIsMuchSlowerThanTheFastestIsSlow) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {100, 0}}, {8, {100, 0}}, {9, {0, 0}}}), Slow());
  EXPECT_EQ(peers.look({{7, {100, 240}}, {8, {100, 260}}, {9, {0, 1'000}}}), Slow{7});
}

TEST(ZmqSlowPeers, WhoHasNothingToTakeIsNot) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {0, 5}}, {8, {100, 0}}}), Slow());
  EXPECT_EQ(peers.look({{7, {100, 5}}, {8, {0, 9'000}}}), Slow());
}

// A connection that is new under an old descriptor was not there at the look before.
TEST(ZmqSlowPeers, WhoIsNewIsNotCompared) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {100, 5'000}}, {8, {100, 0}}}), Slow());
  EXPECT_EQ(peers.look({{7, {100, 10}}, {8, {100, 200}}, {9, {100, 0}}}), Slow());
}

TEST(ZmqSlowPeers, WhoIsAboutAsFastAsTheOthersIsNot) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {100, 0}}, {8, {100, 0}}}), Slow());
  EXPECT_EQ(peers.look({{7, {100, 500}}, {8, {90, 510}}, {9, {100, 0}}}), Slow());
}

// Over ipc only what waits is known.
TEST(ZmqSlowPeers, AChangeOfWhatWaitsIsProgressWhereNothingElseIsTold) {
  ZmqSlowPeers peers;
  EXPECT_EQ(peers.look({{7, {100, 0}}, {8, {100, 0}}}), Slow());
  EXPECT_EQ(peers.look({{7, {80, 0}}, {8, {100, 0}}}), Slow{8});
}

TEST(ZmqSlowPeers, TheSystemTellsWhatWaitsAndHangsUp) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  EXPECT_EQ(read_connection(ends[0]).unsent, 0u);
  ASSERT_EQ(::send(ends[0], "abc", 3, 0), 3);
  EXPECT_GT(read_connection(ends[0]).unsent, 0u);
  EXPECT_EQ(read_connection(-1).unsent, 0u);
  hang_up(ends[0]);
  std::array<char, 8> room{};
  EXPECT_EQ(::recv(ends[1], room.data(), room.size(), 0), 3);
  EXPECT_EQ(::recv(ends[1], room.data(), room.size(), 0), 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace spanwire::transport
