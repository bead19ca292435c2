#include "lib/rpc/reconnect_pause.hpp"

#include <gtest/gtest.h>

namespace spanwire::rpc {
namespace {

using std::chrono::milliseconds;

double share(std::chrono::nanoseconds pause, std::chrono::nanoseconds of) {
  return static_cast<double>(pause.count()) / static_cast<double>(of.count());
}

TEST(ReconnectPause, DoublesFromTheFirstToTheLast) {
  Random random(1);
  ReconnectPause pause(milliseconds(100), milliseconds(1000));
  for (const int expected : {100, 200, 400, 800, 1000, 1000}) {
    const double ratio = share(pause.next(random), milliseconds(expected));
    EXPECT_GE(ratio, 1.0 - kReconnectJitter) << expected;
    EXPECT_LE(ratio, 1.0 + kReconnectJitter) << expected;
  }
  pause.reset();
  EXPECT_LE(share(pause.next(random), milliseconds(100)), 1.0 + kReconnectJitter);
}

// Over the whole width, evenly: what the options' comment promises.
TEST(ReconnectPause, SpreadsTwentyPercentToBothSides) {
  Random random(2);
  ReconnectPause pause(milliseconds(100), milliseconds(100));
  constexpr int kDraws = 10'000;
  double least = 2, most = 0, sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double ratio = share(pause.next(random), milliseconds(100));
    least = std::min(least, ratio);
    most = std::max(most, ratio);
    sum += ratio;
  }
  EXPECT_GE(least, 0.8);
  EXPECT_LT(least, 0.81);
  EXPECT_LE(most, 1.2);
  EXPECT_GT(most, 1.19);
  EXPECT_NEAR(sum / kDraws, 1.0, 0.01);
}

}  // namespace
}  // namespace spanwire::rpc
