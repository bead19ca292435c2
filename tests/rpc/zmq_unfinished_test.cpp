// A peer that begins a message and never ends it is cut off; whoever else is there notices nothing.
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tests/rpc/counted.hpp"
#include "tests/rpc/endless_peer.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/support/sanitized.hpp"

namespace spanwire::rpc {
namespace {

using testing::EndlessPeer;

constexpr std::size_t kAllowed = 4u << 20;
constexpr std::size_t kPartBytes = 1'000;
// Far more than is allowed and than a slow machine adds, far less than the peer would send.
constexpr std::size_t kBounded = 256u << 20;

// What a peer sent until it was cut, on a thread of its own.
std::future<std::size_t> attack(const std::string& address, const std::string& kind) {
  return std::async(std::launch::async, [address, kind] {
    return EndlessPeer(address, kind).send_without_end(kPartBytes);
  });
}

template <class Honest>
void expect_cut(const std::string& at, const std::string& kind, testing::LogCapture& log,
                Honest honest) {
  // The log holds back what it has just said, by whichever clock.
  static int year = 0;
  log.clock().advance(std::chrono::hours(24 * 365) * ++year);
  const std::int64_t before = counted("spanwire.zmq.unfinished_messages");
  const std::size_t resident = testing::resident_bytes();
  std::size_t grown = 0;
  std::future<std::size_t> sent = attack(at, kind);
  while (sent.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    honest();
    grown =
        std::max(grown, testing::resident_bytes() - std::min(testing::resident_bytes(), resident));
  }
  const std::size_t bytes = sent.get();
  EXPECT_LT(bytes, kBounded);
#if !defined(SPANWIRE_TEST_SANITIZED)  // those keep what was freed
  EXPECT_LT(grown, kBounded);
#endif
  EXPECT_EQ(counted("spanwire.zmq.unfinished_messages"), before + 1);
  EXPECT_TRUE(log.contains("it began a message and did not end it"));
  honest();
}

TEST(ZmqUnfinishedMessage, OfACallerIsCutOffAndCallsGoOn) {
  testing::LogCapture log;
  Runtime runtime;
  ServerOptions options;
  options.zmq.unfinished_bytes_max = kAllowed;
  Server server(runtime, options.listen("zmq+tcp://127.0.0.1:0"));
  server.handle("test/echo", echo);
  ASSERT_TRUE(server.start());
  Client client(runtime, server.addresses().at(0));
  expect_cut(server.addresses().at(0), "DEALER", log, [&] {
    Result<Reply> reply = client.call_blocking({}, "test/echo", Slice::of_static("hello"));
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(std::move(*reply).payload().text(), "hello");
  });
}

class ZmqUnfinishedOneWay : public OneWayTest {
 protected:
  static OneWayOptions allowed() {
    OneWayOptions options;
    options.zmq.unfinished_bytes_max = kAllowed;
    return options;
  }
  testing::LogCapture log_;
};

TEST_F(ZmqUnfinishedOneWay, OfAPusherIsCutOffAndMessagesGoOn) {
  const std::string at = listen_puller("zmq+tcp://127.0.0.1:0", allowed());
  connect_pusher(at);
  expect_cut(at, "PUSH", log_, [this] {
    ASSERT_TRUE(pusher().push_blocking(soon(), "p", Slice::of_static("hello")));
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(message->payload().text(), "hello");
  });
}

TEST_F(ZmqUnfinishedOneWay, OfAPublisherIsCutOffAndMessagesGoOn) {
  Subscriber subscriber(runtime_, allowed().listen("zmq+tcp://127.0.0.1:0"), {""});
  ASSERT_TRUE(subscriber.start());
  const std::string at = subscriber.addresses().at(0);
  publisher_ = std::make_unique<Publisher>(runtime_, OneWayOptions().connect(at));
  ASSERT_TRUE(publisher_->start());
  ASSERT_TRUE(publisher_->wait_for_subscribers_blocking(soon(), "p", 1));
  expect_cut(at, "PUB", log_, [&] {
    ASSERT_TRUE(publisher().publish({}, "p", Slice::of_static("hello")));
    const Result<Message> message = subscriber.receive_blocking();
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(message->payload().text(), "hello");
  });
}

TEST_F(ZmqUnfinishedOneWay, OfASubscriberIsCutOffAndMessagesGoOn) {
  const std::string at = listen_publisher("zmq+tcp://127.0.0.1:0", allowed());
  Subscriber subscriber(runtime_, OneWayOptions().connect(at), {""});
  ASSERT_TRUE(subscriber.start());
  ASSERT_TRUE(publisher_->wait_for_subscribers_blocking(soon(), "p", 1));
  expect_cut(at, "SUB", log_, [&] {
    ASSERT_TRUE(publisher().publish({}, "p", Slice::of_static("hello")));
    ASSERT_TRUE(subscriber.receive_blocking());
  });
}

// Whole messages that nobody receives are no reason, and no hiding place.
TEST_F(ZmqUnfinishedOneWay, WhatIsWholeWaitsAndIsNotTakenForIt) {
  OneWayOptions options = allowed();
  options.zmq.receive_messages_max = 4;
  const std::string at = listen_puller("zmq+tcp://127.0.0.1:0", options);
  connect_pusher(at);
  constexpr int kMessages = 8;
  const std::string large(kAllowed - 1000, 'x');
  std::thread pushing([&] {
    for (int i = 0; i < kMessages; ++i) {
      EXPECT_TRUE(pusher().push_blocking(soon(), "p", Slice::of(std::string(large))));
    }
  });
  expect_cut(at, "PUSH", log_, [] { std::this_thread::yield(); });
  for (int i = 0; i < kMessages; ++i) {
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message) << message.error().message();
    EXPECT_EQ(message->payload().size(), large.size());
  }
  pushing.join();
}

}  // namespace
}  // namespace spanwire::rpc
