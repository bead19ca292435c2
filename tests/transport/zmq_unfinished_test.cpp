#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "lib/transport/zmq/unfinished.hpp"

namespace spanwire::transport {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kAllowed = 8 * kMiB;
constexpr int kUnreadMax = 3;
constexpr int kFd = 7;
constexpr ZmqUnfinished::Unread kNone{false, 5};
constexpr ZmqUnfinished::Unread kSome{true, 5};

class Unfinished : public ::testing::Test {
 protected:
  bool over(std::uint64_t bytes, int fd = kFd, std::uint64_t cookie = 1) {
    return unfinished_.look(fd, {bytes, cookie});
  }
  // Over the limit, and this of the messages that wait.
  bool endless(const ZmqUnfinished::Unread& unread) { return unfinished_.is_endless(kFd, unread); }

  ZmqUnfinished unfinished_{kAllowed, kUnreadMax};
};

TEST_F(Unfinished, IsWhatBroughtMoreThanAMessageAndNoneWaits) {
  EXPECT_FALSE(over(2 * kMiB));
  EXPECT_TRUE(unfinished_.asks());
  EXPECT_FALSE(over(2 * kMiB + kAllowed));
  ASSERT_TRUE(over(2 * kMiB + kAllowed + 1));
  EXPECT_TRUE(endless(kNone));
}

TEST_F(Unfinished, NobodyIsAskedAboutForLittle) {
  EXPECT_FALSE(over(kMiB));
  EXPECT_FALSE(unfinished_.asks());
}

TEST_F(Unfinished, WhoIsHeardBeginsAnew) {
  EXPECT_FALSE(over(2 * kMiB));
  EXPECT_FALSE(over(9 * kMiB));
  unfinished_.heard(kFd);
  EXPECT_FALSE(unfinished_.asks());
  // Not suspected for what it brought before.
  EXPECT_FALSE(over(10 * kMiB));
  EXPECT_FALSE(unfinished_.asks());
  EXPECT_FALSE(over(11 * kMiB));
  EXPECT_FALSE(over(18 * kMiB));
  EXPECT_TRUE(over(20 * kMiB));
}

TEST_F(Unfinished, AnotherIsNotHeardForIt) {
  EXPECT_FALSE(over(2 * kMiB));
  unfinished_.heard(8);
  unfinished_.heard(-1);
  EXPECT_TRUE(unfinished_.asks());
  EXPECT_TRUE(over(2 * kMiB + kAllowed + 1));
}

// Libzmq takes from its peers in turn: whoever had none when all others had two has none.
TEST_F(Unfinished, WhatWaitsMayBeItsUntilItsTurnHasPassed) {
  EXPECT_FALSE(over(2 * kMiB));
  ASSERT_TRUE(over(2 * kMiB + kAllowed + 1));
  EXPECT_FALSE(endless(kSome));
  for (std::size_t i = 0; i < 2 * kSome.peers; ++i) unfinished_.heard(8);
  EXPECT_FALSE(endless(kSome));
  unfinished_.heard(8);
  EXPECT_TRUE(endless(kSome));
}

// More than libzmq holds of whole messages cannot be whole.
TEST_F(Unfinished, WhatWaitsIsBoundedToo) {
  EXPECT_FALSE(over(2 * kMiB));
  ASSERT_TRUE(over(2 * kMiB + (kUnreadMax + 1) * kAllowed));
  EXPECT_FALSE(endless(kSome));
  ASSERT_TRUE(over(2 * kMiB + (kUnreadMax + 1) * (kAllowed + 1)));
  EXPECT_TRUE(endless(kSome));
}

TEST_F(Unfinished, WithoutABoundOfWhatWaitsNothingIsSaid) {
  ZmqUnfinished unbounded(kAllowed, 0);
  EXPECT_FALSE(unbounded.look(kFd, {2 * kMiB, 1}));
  ASSERT_TRUE(unbounded.look(kFd, {1'000 * kAllowed, 1}));
  EXPECT_FALSE(unbounded.is_endless(kFd, kSome));
  EXPECT_TRUE(unbounded.is_endless(kFd, kNone));
}

TEST_F(Unfinished, AnotherConnectionUnderTheNumberBeginsAnew) {
  EXPECT_FALSE(over(2 * kMiB));
  EXPECT_FALSE(over(kMiB, kFd, 2));
  EXPECT_FALSE(unfinished_.asks());
  EXPECT_FALSE(over(2 * kMiB, kFd, 2));
  unfinished_.forget(kFd);
  EXPECT_FALSE(unfinished_.asks());
  EXPECT_FALSE(over(kMiB, kFd, 2));
  EXPECT_FALSE(unfinished_.asks());
}

TEST(Arrivals, AreWhatWasReadOfAConnectionAndNotWhatWaits) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener, at, size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, at, &size), 0);
  const int dialled = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(::connect(dialled, at, size), 0);
  const int accepted = ::accept(listener, nullptr, nullptr);
  std::array<char, 1'000> bytes{};
  ASSERT_EQ(::send(dialled, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(::recv(accepted, bytes.data(), 600, MSG_WAITALL), 600);
  const std::optional<Arrivals> first = read_arrivals(accepted);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes, 600u);
  ASSERT_EQ(::recv(accepted, bytes.data(), 400, MSG_WAITALL), 400);
  const std::optional<Arrivals> second = read_arrivals(accepted);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->bytes, 1'000u);
  EXPECT_EQ(second->cookie, first->cookie);
  EXPECT_NE(read_arrivals(dialled)->cookie, first->cookie);
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  EXPECT_FALSE(read_arrivals(pair[0]));
  EXPECT_FALSE(read_arrivals(-1));
  for (const int fd : {listener, dialled, accepted, pair[0], pair[1]}) ::close(fd);
}

}  // namespace
}  // namespace spanwire::transport
