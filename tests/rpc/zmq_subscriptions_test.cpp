// What the peers of a publisher subscribe to does not fill its memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lib/transport/zmq/subscriptions.hpp"
#include "tests/rpc/counted.hpp"
#include "tests/rpc/endless_peer.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

using testing::EndlessPeer;

constexpr std::size_t kPrefixBytes = 1'000;
constexpr std::size_t kCost = kPrefixBytes + transport::kZmqPrefixBytes;
constexpr std::size_t kAtOnce = 100;
constexpr std::size_t kTimes = 4;

class ZmqSubscriptionsTest : public OneWayTest {
 protected:
  void SetUp() override {
    OneWayTest::SetUp();
    OneWayOptions options;
    // And the two of this test's own.
    options.subscription_bytes_max = kTimes * kAtOnce * kCost + 2 * kCost;
    at_ = listen_publisher("zmq+tcp://127.0.0.1:0", options);
    subscriber_ = std::make_unique<Subscriber>(runtime_, OneWayOptions().connect(at_),
                                               std::vector<std::string>{"p"});
    ASSERT_TRUE(subscriber_->start());
    ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), "p", 1));
  }
  void TearDown() override {
    subscriber_.reset();
    OneWayTest::TearDown();
  }
  void expect_heard() {
    ASSERT_TRUE(publisher().publish({}, "p", Slice::of_static("hello")));
    ASSERT_TRUE(subscriber_->receive_blocking());
  }
  bool heard_of(const std::string& prefix) {
    return publisher().wait_for_subscribers_blocking(soon(), prefix, 1).has_value();
  }
  static std::int64_t cut() { return counted("spanwire.zmq.greedy_subscribers"); }

  testing::LogCapture log_;
  std::string at_;
  std::unique_ptr<Subscriber> subscriber_;
};

// Prefixes that have not even their first bytes in common.
class Prefixes {
 public:
  std::vector<std::string> next() {
    std::vector<std::string> messages;
    for (std::size_t i = 0; i < kAtOnce; ++i, ++number_) {
      last_ = std::to_string(number_);
      std::reverse(last_.begin(), last_.end());
      last_.resize(kPrefixBytes, 'x');
      messages.push_back('\1' + last_);
    }
    return messages;
  }
  const std::string& last() const { return last_; }

 private:
  std::size_t number_ = 1;
  std::string last_;
};

TEST_F(ZmqSubscriptionsTest, ToTooMuchEndTheConnection) {
  const std::int64_t before = cut();
  const EndlessPeer peer(at_, "SUB");
  Prefixes prefixes;
  for (std::size_t times = 0; times < kTimes; ++times) {
    ASSERT_TRUE(peer.send_whole(prefixes.next()));
    ASSERT_TRUE(heard_of(prefixes.last()));
  }
  EXPECT_EQ(cut(), before);
  peer.send_whole(prefixes.next());
  EXPECT_TRUE(reaches("spanwire.zmq.greedy_subscribers", before + 1));
  EXPECT_TRUE(comes_true([&] { return peer.cut(0); }));
  EXPECT_TRUE(log_.contains("all together subscribed to too much"));
  expect_heard();
  // libzmq has taken out what it had.
  EXPECT_TRUE(comes_true([&] { return publisher().subscriptions(prefixes.last()) == 0; }));
  EXPECT_EQ(publisher().subscriptions("p"), 1u);
  EXPECT_EQ(cut(), before + 1);
}

// libzmq takes what comes in one call, for as long as more comes: nobody else has a turn.
TEST_F(ZmqSubscriptionsTest, WithoutEndEndTheConnection) {
  std::size_t sent = 0;
  {
    const EndlessPeer peer(at_, "SUB");
    Prefixes prefixes;
    while (sent < EndlessPeer::kGivesUpAt && peer.send_whole(prefixes.next())) {
      sent += kAtOnce * kPrefixBytes;
    }
  }
  EXPECT_LT(sent, EndlessPeer::kGivesUpAt / 4);
  expect_heard();
  EXPECT_EQ(publisher().subscriptions("p"), 1u);
}

// libzmq would need as much memory as for all others together.
TEST_F(ZmqSubscriptionsTest, ToWhatNoPathIsEndTheConnection) {
  const EndlessPeer fits(at_, "SUB");
  const std::string longest(wire::kPathBytesMax, 'p');
  ASSERT_TRUE(fits.send_whole({'\1' + longest}));
  ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), longest, 2));
  const EndlessPeer peer(at_, "SUB");
  peer.send_whole({'\1' + std::string(1u << 20, 'p')});
  EXPECT_TRUE(comes_true([&] { return peer.cut(0); }));
  expect_heard();
}

// A subscriber may come back as often as it likes: what it had goes with its connection.
TEST_F(ZmqSubscriptionsTest, GoWithTheirConnection) {
  const std::int64_t before = cut();
  for (int times = 0; times < 3; ++times) {
    Prefixes prefixes;
    {
      const EndlessPeer peer(at_, "SUB");
      for (std::size_t i = 0; i + 1 < kTimes; ++i) ASSERT_TRUE(peer.send_whole(prefixes.next()));
      ASSERT_TRUE(heard_of(prefixes.last()));
    }
    ASSERT_TRUE(comes_true([&] { return publisher().subscriptions(prefixes.last()) == 0; }));
  }
  EXPECT_EQ(cut(), before);
  expect_heard();
}

// Each is one for its peer, however often it is asked for, and nobody else's.
TEST_F(ZmqSubscriptionsTest, EndOnlyWhereTheyBegan) {
  {
    const EndlessPeer peer(at_, "SUB");
    ASSERT_TRUE(peer.send_whole({std::string("\0p", 2), "\1q", "\1q", "\1r", "\1r",
                                 std::string("\0r", 2), "no subscription", "\1last"}));
    ASSERT_TRUE(heard_of("last"));
    EXPECT_EQ(publisher().subscriptions("p"), 1u);
    EXPECT_EQ(publisher().subscriptions("q"), 1u);
    EXPECT_EQ(publisher().subscriptions("r"), 0u);
  }
  EXPECT_TRUE(comes_true([&] { return publisher().subscriptions("last") == 0; }));
  EXPECT_EQ(publisher().subscriptions("q"), 0u);
  EXPECT_EQ(publisher().subscriptions("r"), 0u);
  EXPECT_EQ(publisher().subscriptions("p"), 1u);
}

}  // namespace
}  // namespace spanwire::rpc
