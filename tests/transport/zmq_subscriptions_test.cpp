#include <gtest/gtest.h>

#include "lib/transport/zmq/subscriptions.hpp"

namespace spanwire::transport {
namespace {

constexpr std::uint64_t kAllowed = 3 * kZmqPrefixBytes + 100;
constexpr std::optional<int> kNobody;

class Subscriptions : public ::testing::Test {
 protected:
  bool begin(int fd, const std::string& prefix) { return subscriptions_.note(fd, true, prefix); }
  bool end(int fd, const std::string& prefix) { return subscriptions_.note(fd, false, prefix); }

  ZmqSubscriptions subscriptions_{kAllowed};
};

TEST_F(Subscriptions, OfManyPeersCountTogetherAndWhoHasMostGoes) {
  EXPECT_TRUE(begin(7, std::string(50, 'x')));
  EXPECT_TRUE(begin(8, std::string(30, 'x')));
  EXPECT_TRUE(begin(9, std::string(20, 'x')));
  EXPECT_EQ(subscriptions_.bytes(), kAllowed);
  EXPECT_EQ(subscriptions_.greediest(), kNobody);
  EXPECT_TRUE(begin(8, ""));
  EXPECT_EQ(subscriptions_.greediest(), 8);
  subscriptions_.forget(8);
  EXPECT_EQ(subscriptions_.greediest(), kNobody);
  EXPECT_EQ(subscriptions_.bytes(), 2 * kZmqPrefixBytes + 70);
}

TEST_F(Subscriptions, ThatEndedCountNoMore) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(begin(7, "abc"));
    EXPECT_TRUE(end(7, "abc"));
  }
  EXPECT_EQ(subscriptions_.bytes(), 0u);
}

// libzmq has a prefix once for each peer.
TEST_F(Subscriptions, ToTheSameAreOne) {
  EXPECT_TRUE(begin(7, "abc"));
  EXPECT_FALSE(begin(7, "abc"));
  EXPECT_TRUE(begin(8, "abc"));
  EXPECT_EQ(subscriptions_.bytes(), 2 * (kZmqPrefixBytes + 3));
  EXPECT_TRUE(end(7, "abc"));
  EXPECT_FALSE(end(7, "abc"));
  EXPECT_EQ(subscriptions_.bytes(), kZmqPrefixBytes + 3);
}

// Otherwise a peer could have as much as it likes.
TEST_F(Subscriptions, ThatNeverBeganGiveNoRoom) {
  EXPECT_FALSE(end(7, "xyz"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(begin(7, std::string(40, static_cast<char>('a' + i))));
    EXPECT_FALSE(end(7, std::string(40, 'z')));
  }
  EXPECT_EQ(subscriptions_.bytes(), 4 * (kZmqPrefixBytes + 40));
  EXPECT_EQ(subscriptions_.greediest(), 7);
}

// Some of what it sent before may come yet.
TEST_F(Subscriptions, OfWhomWasGivenUpDoNotCount) {
  begin(7, std::string(200, 'x'));
  begin(8, std::string(101, 'x'));
  EXPECT_EQ(subscriptions_.greediest(), 7);
  subscriptions_.give_up(7);
  subscriptions_.give_up(7);
  EXPECT_EQ(subscriptions_.greediest(), kNobody);
  EXPECT_TRUE(begin(7, std::string(1'000, 'y')));
  EXPECT_TRUE(end(7, std::string(200, 'x')));
  EXPECT_EQ(subscriptions_.bytes(), kZmqPrefixBytes + 101);
  begin(8, std::string(200, 'y'));
  EXPECT_EQ(subscriptions_.greediest(), 8);
  // Another connection under its number.
  subscriptions_.forget(7);
  subscriptions_.forget(8);
  EXPECT_TRUE(begin(7, "abc"));
  EXPECT_EQ(subscriptions_.bytes(), kZmqPrefixBytes + 3);
}

TEST_F(Subscriptions, InsideTheProcessAreNotCounted) {
  EXPECT_TRUE(begin(-1, std::string(10 * kAllowed, 'x')));
  EXPECT_TRUE(begin(-1, std::string(10 * kAllowed, 'x')));
  EXPECT_TRUE(end(-1, "abc"));
  EXPECT_EQ(subscriptions_.bytes(), 0u);
  EXPECT_EQ(subscriptions_.greediest(), kNobody);
  subscriptions_.forget(7);
}

}  // namespace
}  // namespace spanwire::transport
