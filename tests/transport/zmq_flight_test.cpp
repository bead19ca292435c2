// What libzmq may hold of large payloads, how long a peer may be silent, and pauses with chance.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "lib/transport/zmq/message.hpp"
#include "lib/transport/zmq/one_way.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {
namespace {

class Flight : public ::testing::Test {
 protected:
  ~Flight() override { flight->abandon(); }
  ZmqPart take(std::size_t bytes) { return flight->take(Slice::of(std::string(bytes, 'x'))); }

  testing::LeakCheck leaks_;
  testing::TestLoop test;
  int landed = 0;
  std::shared_ptr<ZmqFlight> flight = std::make_shared<ZmqFlight>(
      test.loop(), 1'000, [](void* count) noexcept { ++*static_cast<int*>(count); }, &landed);
};

TEST_F(Flight, IsFullFromItsBoundOn) {
  const ZmqPart first = take(999);
  EXPECT_FALSE(flight->full());
  const ZmqPart second = take(1);
  EXPECT_TRUE(flight->full());
  EXPECT_EQ(text_of(part_bytes(first)), std::string(999, 'x'));
}

TEST_F(Flight, TellsOnceWhenHalfOfTheRoomIsFree) {
  std::vector<ZmqPart> parts;
  for (int i = 0; i < 10; ++i) parts.push_back(take(100));
  flight->wait();
  for (int i = 0; i < 4; ++i) parts.pop_back();
  test.settle();
  EXPECT_EQ(landed, 0);
  // On a thread of libzmq's.
  std::thread([&] { parts.clear(); }).join();
  EXPECT_TRUE(test.until([&] { return landed == 1; }));
  test.settle();
  EXPECT_EQ(landed, 1);
  EXPECT_FALSE(flight->full());
}

TEST_F(Flight, WaitingForWhatHasLandedAlreadyEndsToo) {
  {
    const ZmqPart part = take(1'000);
  }
  flight->wait();
  EXPECT_TRUE(test.until([&] { return landed == 1; }));
}

TEST_F(Flight, MayLandAfterItsOwnerHasGone) {
  ZmqPart part = take(1'000);
  flight->wait();
  flight->abandon();
  std::thread([landing = std::move(part)] {}).join();
  test.settle();
  EXPECT_EQ(landed, 0);
}

// ---- Links

class ZmqBounds : public ::testing::Test {
 protected:
  ~ZmqBounds() override {
    acceptor.links.clear();
    listener.reset();
    test.settle();
  }
  std::string listen_at(const char* address, const ListenOptions& options) {
    Result<std::unique_ptr<Listener>> made =
        listen(test.loop(), address_of(address), options, acceptor);
    EXPECT_TRUE(made) << made.error().message();
    listener = std::move(*made);
    return to_string(listener->address());
  }
  template <class Meanwhile>
  std::unique_ptr<Link> accepted(Meanwhile meanwhile) {
    EXPECT_TRUE(test.until([&] {
      meanwhile();
      return !acceptor.links.empty();
    }));
    std::unique_ptr<Link> link = std::move(acceptor.links.front());
    acceptor.links.clear();
    return link;
  }

  testing::LeakCheck leaks_;
  testing::TestLoop test;
  Acceptor acceptor{test.loop()};
  std::unique_ptr<Listener> listener;
};

TEST_F(ZmqBounds, ALinkHandsLibzmqNoMoreLargePayloadsThanAllowed) {
  constexpr std::size_t kPayload = 100'000;
  ListenOptions options;
  options.zmq.flight_bytes_max = 3 * kPayload;
  const std::string at = listen_at("zmq+inproc://flight", options);
  Result<Dialled> dialled = test.run(dial(test.loop(), address_of(at), DialOptions()));
  ASSERT_TRUE(dialled) << dialled.error().message();
  const std::unique_ptr<Link> right = std::move(dialled->link);
  Recorder left_events;
  Recorder right_events;
  test.in_turn([&] { right->start(right_events); });
  const std::unique_ptr<Link> left = accepted([] {});
  test.in_turn([&] {
    left->start(left_events);
    right->pause_reading(true);
  });
  constexpr std::uint32_t kFrames = 20;
  test.in_turn([&] {
    for (std::uint32_t i = 0; i < kFrames; ++i) send_frame(*left, i, std::string(kPayload, 'f'));
  });
  test.settle();
  EXPECT_GE(left->bytes_submitted(), 3 * kPayload);
  EXPECT_LT(left->bytes_submitted(), 4 * kPayload);
  EXPECT_GT(left->queued_bytes(), 16 * kPayload);
  test.in_turn([&] { right->pause_reading(false); });
  EXPECT_TRUE(test.until([&] { return count_frames(right_events) == kFrames; }));
  EXPECT_EQ(left->queued_bytes(), 0u);
}

// A DEALER by hand, as ZMTP 3.1 says: it is let in, sends one message, answers some signs of life,
// and then says nothing more, while its connection stands.
class SilentDealer {
 public:
  SilentDealer(std::uint16_t port, int answers)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), answers_(answers) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL", 16);
    greeting.resize(64, '\0');
    send(greeting);
    command(std::string("\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0", 41));
  }
  ~SilentDealer() { ::close(fd_); }
  SilentDealer(const SilentDealer&) = delete;
  SilentDealer& operator=(const SilentDealer&) = delete;

  // Reads what is there.
  void turn() {
    char bytes[512];
    const ssize_t got = ::recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got > 0) heard_.append(bytes, static_cast<std::size_t>(got));
    if (!let_in_ && heard_.find("\5READY") != std::string::npos) {
      let_in_ = true;
      send(std::string("\1\14", 2) + std::string(12, 'c'));  // a part, and more to come
      send(std::string("\0\4", 2) + "last");
    }
    constexpr std::string_view ping = "\4PING";
    for (std::size_t at = 0; (at = heard_.find(ping)) != std::string::npos;) {
      heard_.erase(0, at + ping.size());
      if (++pings <= answers_) command("\4PONG");
    }
  }

  int pings = 0;

 private:
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void command(std::string_view body) {
    send(std::string("\4") + static_cast<char>(body.size()) + std::string(body));
  }

  int fd_;
  int answers_;
  bool let_in_ = false;
  std::string heard_;
};

TEST_F(ZmqBounds, APeerThatIsSilentIsAskedAndThenGivenUp) {
  ListenOptions options;
  options.zmq.heartbeat = std::chrono::milliseconds(100);
  options.zmq.heartbeat_timeout = std::chrono::seconds(2);
  const std::uint16_t port = address_of(listen_at("zmq+tcp://127.0.0.1:0", options)).port;
  constexpr int kAnswers = 3;
  SilentDealer peer(port, kAnswers);
  Recorder events;
  const std::unique_ptr<Link> link = accepted([&] { peer.turn(); });
  test.in_turn([&] { link->start(events); });
  EXPECT_TRUE(test.until([&] {
    peer.turn();
    return events.closed.has_value();
  }));
  EXPECT_GT(peer.pings, kAnswers) << "who answers stays";
  EXPECT_EQ(events.closed, Errc::connection_reset);
  EXPECT_EQ(events.messages.size(), 1u);
}

TEST_F(ZmqBounds, PausesOfOneWaySocketsDifferByChance) {
  std::set<int> first;
  std::set<int> last;
  const auto pause = [](ZmqSocket& socket, int option) {
    int value = 0;
    std::size_t size = sizeof(value);
    EXPECT_EQ(zmq_getsockopt(socket.handle(), option, &value, &size), 0);
    return value;
  };
  const OneWayTimes times{std::chrono::milliseconds(1'000), std::chrono::milliseconds(10'000),
                          std::chrono::seconds(5)};
  for (int i = 0; i < 20; ++i) {
    const Ref<ZmqSocket> socket = *ZmqSocket::open(test.loop(), ZMQ_PUSH);
    ASSERT_TRUE(set_one_way(*socket, OneWayType::push, times));
    first.insert(pause(*socket, ZMQ_RECONNECT_IVL));
    last.insert(pause(*socket, ZMQ_RECONNECT_IVL_MAX));
  }
  EXPECT_GT(first.size(), 10u);
  EXPECT_GT(last.size(), 10u);
  EXPECT_GE(*first.begin(), 800);
  EXPECT_LE(*first.rbegin(), 1'200);
  EXPECT_GE(*last.begin(), 8'000);
  EXPECT_LE(*last.rbegin(), 12'000);
}

}  // namespace
}  // namespace spanwire::transport
