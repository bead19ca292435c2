#include <gtest/gtest.h>

#include "lib/transport/zmq/flood_guard.hpp"

namespace spanwire::transport {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kAllowed = 4 * kMiB;
using Nobody = std::vector<int>;

class Floods : public ::testing::Test {
 protected:
  ZmqFloods floods_{kAllowed};
};

TEST_F(Floods, AreWhatComesWhileTheLoopTakesNothing) {
  EXPECT_EQ(floods_.look({{1, {7, 90 * kMiB}}}), Nobody());
  EXPECT_EQ(floods_.look({{1, {7, 94 * kMiB}}}), Nobody());
  EXPECT_EQ(floods_.look({{1, {7, 95 * kMiB}}}), std::vector<int>({7}));
}

TEST_F(Floods, AreNotWhatTheLoopHasTaken) {
  for (std::uint64_t bytes = 0; bytes < 100 * kMiB; bytes += 3 * kMiB) {
    EXPECT_EQ(floods_.look({{1, {7, bytes}}}), Nobody());
    floods_.forget();
  }
}

TEST_F(Floods, OfWhomBeganSinceCountToo) {
  EXPECT_EQ(floods_.look({}), Nobody());
  EXPECT_EQ(floods_.look({{1, {7, 5 * kMiB}}}), std::vector<int>({7}));
}

TEST_F(Floods, OfManyCountTogetherAndWhoBroughtMostGoes) {
  EXPECT_EQ(floods_.look({{1, {7, kMiB}}, {2, {8, 0}}, {3, {9, 0}}}), Nobody());
  const ZmqFloods::Readings now = {{1, {7, 2 * kMiB}}, {2, {8, 3 * kMiB}}, {3, {9, 2 * kMiB}}};
  EXPECT_EQ(floods_.look(now), std::vector<int>({8}));
  // It is as good as gone.
  EXPECT_EQ(floods_.look(now), Nobody());
}

TEST_F(Floods, AreNotTheIntroductionsOfMany) {
  ZmqFloods::Readings many;
  EXPECT_EQ(floods_.look(many), Nobody());
  for (int fd = 0; fd < 10'000; ++fd) many[static_cast<std::uint64_t>(fd)] = {fd, 1'000};
  EXPECT_EQ(floods_.look(many), Nobody());
}

// Another connection under the same number is another.
TEST_F(Floods, AreKnownByTheNameOfTheConnection) {
  EXPECT_EQ(floods_.look({{1, {7, 100 * kMiB}}}), Nobody());
  EXPECT_EQ(floods_.look({{2, {7, kMiB}}}), Nobody());
}

}  // namespace
}  // namespace spanwire::transport
