#include <gtest/gtest.h>
#include <zmq.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/monitor.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::transport {
namespace {

using Parts = std::vector<std::string>;

ZmqSent send(ZmqSocket& socket, const Parts& texts) {
  std::vector<ZmqPart> parts;
  for (const std::string& text : texts) parts.emplace_back(bytes_of(text));
  return socket.send(parts);
}

// Takes everything that a socket has.
class Reader final : public ZmqSocketEvents {
 public:
  explicit Reader(ZmqSocket& socket) : socket_(socket) { socket.start(*this); }
  void on_zmq_ready() override {
    ++told;
    if (resting) return socket_.rest();
    ZmqMessage message;
    while (socket_.receive(message)) {
      messages.emplace_back();
      for (const ZmqPart& part : message.parts())
        messages.back().emplace_back(text_of(part_bytes(part)));
      surplus += message.surplus();
    }
  }

  int told = 0;
  bool resting = false;
  std::size_t surplus = 0;
  std::vector<Parts> messages;

 private:
  ZmqSocket& socket_;
};

class Events final : public ZmqMonitorEvents {
 public:
  void on_zmq_event(const ZmqEvent& event) override { seen.push_back(event); }
  const ZmqEvent* find(int type) const {
    for (const ZmqEvent& event : seen) {
      if (event.type == type) return &event;
    }
    return nullptr;
  }
  std::vector<ZmqEvent> seen;
};

class ZmqSocketPair : public ::testing::Test {
 protected:
  void SetUp() override {
    router = open(ZMQ_ROUTER);
    dealer = open(ZMQ_DEALER);
    ASSERT_TRUE(router->set(ZMQ_ROUTER_MANDATORY, 1));
    ASSERT_TRUE(router->bind("tcp://127.0.0.1:*"));
    ASSERT_TRUE(dealer->connect(router->last_endpoint()));
  }
  ~ZmqSocketPair() override {
    for (ZmqSocket* socket : {router.get(), dealer.get()}) {
      if (socket != nullptr) socket->close(std::chrono::milliseconds(0));
    }
  }
  Ref<ZmqSocket> open(int type) {
    Result<Ref<ZmqSocket>> socket = ZmqSocket::open(test.loop(), type);
    EXPECT_TRUE(socket) << socket.error().message();
    return *socket;
  }

  testing::TestLoop test;
  Ref<ZmqSocket> router;
  Ref<ZmqSocket> dealer;
};

TEST_F(ZmqSocketPair, CarriesMessagesBothWaysWithoutLosingAWakeUp) {
  Reader at_router(*router);
  Reader at_dealer(*dealer);
  constexpr std::size_t kRounds = 300;
  std::string identity;
  for (std::size_t i = 0; i < kRounds; ++i) {
    test.in_turn([&] { EXPECT_EQ(send(*dealer, {"question"}), ZmqSent::sent); });
    ASSERT_TRUE(test.until([&] { return at_router.messages.size() == 2 * i + 1; }));
    identity = at_router.messages.back()[0];
    test.in_turn([&] {
      EXPECT_EQ(send(*router, {identity, "answer", std::to_string(i)}), ZmqSent::sent);
      EXPECT_EQ(send(*dealer, {"nobody", "asked"}), ZmqSent::sent);
    });
    ASSERT_TRUE(test.until([&] {
      return at_dealer.messages.size() == i + 1 && at_router.messages.size() == 2 * i + 2;
    }));
    EXPECT_EQ(at_dealer.messages.back(), (Parts{"answer", std::to_string(i)}));
    EXPECT_EQ(at_router.messages.back(), (Parts{identity, "nobody", "asked"}));
  }
}

TEST_F(ZmqSocketPair, SaysThatNobodyHasAnIdentity) {
  test.in_turn([&] { EXPECT_EQ(send(*router, {"stranger", "text"}), ZmqSent::unreachable); });
}

TEST_F(ZmqSocketPair, SaysThatAQueueIsFull) {
  Reader at_dealer(*dealer);
  at_dealer.resting = true;
  test.in_turn([&] {
    std::size_t sent = 0;
    while (send(*dealer, {std::string(1'000, 'x')}) == ZmqSent::sent && sent < 100'000) ++sent;
    EXPECT_GE(sent, 900u);
    EXPECT_LT(sent, 100'000u);
  });
}

TEST_F(ZmqSocketPair, CountsThePartsThatAreTooMany) {
  Reader at_router(*router);
  test.in_turn([&] { send(*dealer, Parts(40, "part")); });
  ASSERT_TRUE(test.until([&] { return !at_router.messages.empty(); }));
  EXPECT_EQ(at_router.messages[0].size(), ZmqMessage::kPartsKept);
  EXPECT_EQ(at_router.surplus, 41 - ZmqMessage::kPartsKept);
}

TEST_F(ZmqSocketPair, RestingLeavesMessagesAndDoesNotSpin) {
  Reader at_router(*router);
  at_router.resting = true;
  test.in_turn([&] { send(*dealer, {"first"}); });
  ASSERT_TRUE(test.until([&] {
    int events = 0;
    std::size_t size = sizeof events;
    zmq_getsockopt(router->handle(), ZMQ_EVENTS, &events, &size);
    return (events & ZMQ_POLLIN) != 0 && at_router.told > 0;
  }));
  const int told = at_router.told;
  for (int i = 0; i < 50; ++i) test.loop().run_one(std::chrono::milliseconds(1));
  EXPECT_LE(at_router.told, told + 3);
  EXPECT_TRUE(at_router.messages.empty());
  at_router.resting = false;
  test.in_turn([&] { router->look_again(); });
  EXPECT_TRUE(test.until([&] { return at_router.messages.size() == 1; }));
}

TEST_F(ZmqSocketPair, AnsweredOptionsAndAddressesNameWhatIsWrong) {
  const Result<void> bad = router->set(ZMQ_IMMEDIATE, 7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Errc::invalid_argument);
  EXPECT_NE(bad.error().detail().find("Invalid argument"), std::string::npos);
  const Ref<ZmqSocket> second = open(ZMQ_ROUTER);
  const Result<void> taken = second->bind(router->last_endpoint());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Errc::already_exists);
  EXPECT_EQ(second->connect("tcp://").error().code(), Errc::connect_failed);
  second->close(std::chrono::milliseconds(0));
}

TEST_F(ZmqSocketPair, TheMonitorTellsOfConnectionsAndTheirEnd) {
  Events events;
  const Ref<ZmqSocket> late = open(ZMQ_DEALER);
  auto monitor = ZmqMonitor::watch(*late, events);
  ASSERT_TRUE(monitor) << monitor.error().message();
  ASSERT_TRUE(late->connect(router->last_endpoint()));
  ASSERT_TRUE(test.until([&] { return events.find(ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != nullptr; }));
  router->close(std::chrono::milliseconds(0));
  ASSERT_TRUE(test.until([&] { return events.find(ZMQ_EVENT_DISCONNECTED) != nullptr; }));
  EXPECT_EQ(events.find(ZMQ_EVENT_DISCONNECTED)->value, events.find(ZMQ_EVENT_CONNECTED)->value);
  late->close(std::chrono::milliseconds(0));
}

TEST(ZmqSocket, SecurityIsConfiguredBeforeAnythingElse) {
  testing::TestLoop test;
  ZmqSocketOptions options;
  options.configure = [](ZmqSocket&) -> Result<void> {
    return fail(Errc::invalid_argument, "no key");
  };
  const auto socket = ZmqSocket::open(test.loop(), ZMQ_DEALER, options);
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().detail(), "no key");
}

TEST(ZmqContextOwner, LivesAsLongAsALoopThatUsedIt) {
  const void* first = nullptr;
  {
    testing::TestLoop test;
    const auto socket = ZmqSocket::open(test.loop(), ZMQ_DEALER);
    ASSERT_TRUE(socket);
    (*socket)->close(std::chrono::milliseconds(0));
    first = ZmqContext::acquire().get();
    EXPECT_EQ(ZmqContext::acquire().get(), first);
  }
  EXPECT_EQ(ZmqContext::acquire().use_count(), 1);
}

}  // namespace
}  // namespace spanwire::transport
