#include <gtest/gtest.h>

#include "lib/transport/zmq/handshakes.hpp"

namespace spanwire::transport {
namespace {

using End = ZmqHandshakes::End;

TEST(ZmqHandshakes, OneAtATimeIsKnownForCertain) {
  ZmqHandshakes handshakes;
  handshakes.begun(7, "a:1");
  handshakes.succeeded();
  EXPECT_EQ(handshakes.ended(7), End::stood);
  handshakes.begun(7, "b:1");
  EXPECT_EQ(handshakes.failed(), "b:1");
  EXPECT_EQ(handshakes.ended(7), End::failed);
  handshakes.begun(7, "c:1");
  EXPECT_EQ(handshakes.ended(7), End::silent);
  EXPECT_EQ(handshakes.ended(7), End::unknown);
}

TEST(ZmqHandshakes, WhoStandsIsNotTakenForAStranger) {
  ZmqHandshakes handshakes;
  handshakes.begun(7, "a:1");
  handshakes.succeeded();
  handshakes.begun(8, "b:1");
  EXPECT_EQ(handshakes.ended(7), End::stood) << "while another one's handshake is under way";
  handshakes.begun(9, "c:1");
  EXPECT_EQ(handshakes.failed(), "") << "of two";
  EXPECT_EQ(handshakes.ended(8), End::failed);
  handshakes.succeeded();
  EXPECT_EQ(handshakes.ended(9), End::stood);
}

// Which of two it was is a guess; how many there are is none.
TEST(ZmqHandshakes, AWrongGuessIsMadeGoodByTheNextEnd) {
  ZmqHandshakes handshakes;
  handshakes.begun(7, "a:1");
  handshakes.begun(8, "b:1");
  handshakes.succeeded();  // of 8
  EXPECT_EQ(handshakes.ended(7), End::stood) << "in truth silent";
  handshakes.begun(9, "c:1");
  handshakes.succeeded();
  handshakes.succeeded();
  EXPECT_EQ(handshakes.ended(8), End::stood);
  EXPECT_EQ(handshakes.ended(9), End::stood);
}

TEST(ZmqHandshakes, OutcomesOfNobodyAreNone) {
  ZmqHandshakes handshakes;
  handshakes.succeeded();
  EXPECT_EQ(handshakes.failed(), "");
  handshakes.begun(7, "a:1");
  EXPECT_EQ(handshakes.ended(7), End::silent);
}

// A descriptor comes again whose end was not told.
TEST(ZmqHandshakes, ADescriptorThatComesAgainIsAnother) {
  ZmqHandshakes handshakes;
  handshakes.begun(7, "a:1");
  handshakes.succeeded();
  handshakes.begun(7, "b:1");
  EXPECT_EQ(handshakes.failed(), "b:1");
  EXPECT_EQ(handshakes.ended(7), End::failed);
}

}  // namespace
}  // namespace spanwire::transport
