// What a ROUTER's links share, and what its listener does about peers that misbehave.
#include <sys/stat.h>
#include <zmq.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib/transport/zmq/socket.hpp"
#include "spanwire/base/counters.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {
namespace {

class ZmqRouterTest : public ::testing::Test {
 protected:
  ~ZmqRouterTest() override {
    for (const Ref<ZmqSocket>& peer : peers_) peer->close(std::chrono::milliseconds(0));
    acceptor.links.clear();
    listener.reset();
    test.settle();
  }

  void listen_at(std::string_view address, const ListenOptions& options = {}) {
    Result<std::unique_ptr<Listener>> made =
        listen(test.loop(), address_of(address), options, acceptor);
    ASSERT_TRUE(made) << made.error().message();
    listener = std::move(*made);
  }
  // A DEALER with nothing of a link.
  ZmqSocket& peer(std::string_view identity = {}, const ZmqSocketOptions& options = {}) {
    Ref<ZmqSocket> socket = *ZmqSocket::open(test.loop(), ZMQ_DEALER, options);
    if (!identity.empty()) {
      EXPECT_TRUE(socket->set(ZMQ_ROUTING_ID, identity));
    }
    EXPECT_TRUE(socket->connect(to_string(listener->address()).substr(4)));
    peers_.push_back(socket);
    return *peers_.back();
  }
  void send(ZmqSocket& socket, std::size_t bytes = 100) {
    std::vector<ZmqPart> parts;
    parts.emplace_back(bytes_of(std::string(12, 'c')));
    parts.emplace_back(bytes_of(std::string(bytes, 'x')));
    test.in_turn([&] { EXPECT_EQ(socket.send(parts), ZmqSent::sent); });
  }
  // The link that a message of `socket` made.
  std::unique_ptr<Link> link_of(ZmqSocket& socket, Recorder& events) {
    send(socket);
    test.until([&] { return !acceptor.links.empty(); });
    std::unique_ptr<Link> link = std::move(acceptor.links.front());
    acceptor.links.clear();
    test.in_turn([&] { link->start(events); });
    test.until([&] { return events.messages.size() == 1; });
    return link;
  }
  Error dial_error(std::string_view address) {
    Result<Dialled> dialled = test.run(dial(test.loop(), address_of(address), DialOptions()));
    EXPECT_FALSE(dialled);
    return dialled ? Error() : dialled.error();
  }

  testing::LeakCheck leaks_;
  ManualClock clock;
  testing::TestLoop test{clock};
  Acceptor acceptor{test.loop()};
  std::unique_ptr<Listener> listener;

 private:
  std::vector<Ref<ZmqSocket>> peers_;
};

TEST_F(ZmqRouterTest, ALinkForEachPeerAndNoOtherIsHeldUp) {
  ListenOptions options;
  options.zmq.parked_bytes_max = 100'000;
  listen_at("zmq+tcp://127.0.0.1:0", options);
  ZmqSocket& flooding = peer();
  Recorder deaf;
  const std::unique_ptr<Link> paused = link_of(flooding, deaf);
  ZmqSocket& quiet = peer();
  Recorder heard;
  const std::unique_ptr<Link> open = link_of(quiet, heard);
  EXPECT_EQ(listener->connections(), 2u);
  test.in_turn([&] { paused->pause_reading(true); });
  for (int i = 0; i < 12; ++i) send(flooding, 10'000);
  ASSERT_TRUE(test.until([&] { return deaf.closed.has_value(); }));
  EXPECT_EQ(deaf.closed, Errc::out_of_memory_budget);
  EXPECT_EQ(deaf.messages.size(), 1u);
  send(quiet);
  EXPECT_TRUE(test.until([&] { return heard.messages.size() == 2; }));
  EXPECT_FALSE(heard.closed);
}

// No time passes in here.
TEST_F(ZmqRouterTest, ALinkThatWaitsForRoomHearsOfItWithoutATimer) {
  constexpr std::uint32_t kFrames = 400;
  ListenOptions options;
  options.zmq.send_messages_max = 4;
  listen_at("zmq+inproc://room", options);
  ZmqSocketOptions small;
  small.receive_messages_max = 4;
  ZmqSocket& reader = peer({}, small);
  Recorder events;
  const std::unique_ptr<Link> link = link_of(reader, events);
  test.in_turn([&] {
    for (std::uint32_t i = 0; i < kFrames; ++i) send_frame(*link, i, "frame");
  });
  test.settle();
  EXPECT_GT(link->queued_bytes(), 0u);
  ZmqMessage message;
  std::uint32_t received = 0;
  for (bool more = true; more;) {
    more = false;
    test.in_turn([&] {
      while (reader.receive(message)) {
        ++received;
        more = true;
      }
    });
    test.settle();
  }
  EXPECT_EQ(received, kFrames);
  EXPECT_EQ(link->queued_bytes(), 0u);
}

TEST_F(ZmqRouterTest, APeerThatVanishesEndsItsLinkBehindWhatItSent) {
  listen_at("zmq+tcp://127.0.0.1:0");
  ZmqSocket& leaving = peer();
  Recorder events;
  const std::unique_ptr<Link> link = link_of(leaving, events);
  for (int i = 0; i < 50; ++i) send(leaving);
  leaving.close(std::chrono::seconds(10));
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  EXPECT_EQ(events.closed, Errc::connection_reset);
  EXPECT_NE(events.detail.find("127.0.0.1:"), std::string::npos) << events.detail;
  EXPECT_EQ(events.messages.size(), 51u);
}

TEST_F(ZmqRouterTest, ASecondPeerWithAnIdentityIsNotHeardAndThatIsSaid) {
  testing::LogCapture log;
  listen_at("zmq+tcp://127.0.0.1:0");
  Recorder events;
  const std::unique_ptr<Link> link = link_of(peer("worker-1"), events);
  const std::int64_t accepted = counter_snapshot().value("spanwire.zmq.accepted");
  const std::int64_t mute = counter_snapshot().value("spanwire.zmq.mute_connections");
  send(peer("worker-1"));
  ASSERT_TRUE(test.until(
      [&] { return counter_snapshot().value("spanwire.zmq.accepted") == accepted + 1; }));
  clock.advance(wire::kHandshakeTimeout * 2);
  test.in_turn([] {});
  test.settle();
  EXPECT_EQ(counter_snapshot().value("spanwire.zmq.mute_connections"), mute + 1);
  EXPECT_TRUE(log.contains("another connection has its identity"));
  EXPECT_EQ(listener->connections(), 1u);
}

TEST_F(ZmqRouterTest, WhoIsNotLetInIsTold) {
  ListenOptions options;
  options.connections_max = 1;
  listen_at("zmq+tcp://127.0.0.1:0", options);
  Recorder events;
  const std::unique_ptr<Link> link = link_of(peer(), events);
  Result<Dialled> second = test.run(dial(test.loop(), listener->address(), DialOptions()));
  ASSERT_TRUE(second) << second.error().message();
  Recorder refused;
  test.in_turn([&] { second->link->start(refused); });
  ASSERT_TRUE(test.until([&] { return refused.closed.has_value(); }));
  EXPECT_EQ(refused.closed, Errc::peer_closed);
  EXPECT_EQ(listener->stats().refused, 1u);
}

TEST_F(ZmqRouterTest, AClosedListenerLetsNobodyInAndItsLinksStay) {
  listen_at("zmq+tcp://127.0.0.1:0");
  const Address address = listener->address();
  ZmqSocket& early = peer();
  Recorder events;
  const std::unique_ptr<Link> link = link_of(early, events);
  test.in_turn([&] { listener->close(); });
  Result<Dialled> late = test.run(dial(test.loop(), address, DialOptions()));
  ASSERT_TRUE(late) << late.error().message();
  Recorder refused;
  test.in_turn([&] { late->link->start(refused); });
  ASSERT_TRUE(test.until([&] { return refused.closed.has_value(); }));
  send(early);
  EXPECT_TRUE(test.until([&] { return events.messages.size() == 2; }));
}

TEST_F(ZmqRouterTest, DialErrorsNameTheirCause) {
  Error refused = dial_error("zmq+tcp://127.0.0.1:1");
  EXPECT_EQ(refused.code(), Errc::connect_failed);
  EXPECT_NE(refused.detail().find("127.0.0.1:1"), std::string_view::npos) << refused.detail();
  EXPECT_EQ(dial_error("zmq+ipc://" + temporary_path("nobody")).code(), Errc::connect_failed);
  EXPECT_EQ(dial_error("zmq+inproc://nobody").code(), Errc::connect_failed);
  EXPECT_EQ(dial_error("zmq+tcp://*:7001").code(), Errc::bad_address);
}

TEST_F(ZmqRouterTest, ListenErrorsNameTheirCause) {
  const auto error_at = [&](std::string_view address) {
    auto made = listen(test.loop(), address_of(address), {}, acceptor);
    return made ? Errc::ok : made.error().code();
  };
  listen_at("zmq+tcp://127.0.0.1:0");
  EXPECT_EQ(error_at(to_string(listener->address())), Errc::already_exists);
  listen_at("zmq+inproc://taken");
  EXPECT_EQ(error_at("zmq+inproc://taken"), Errc::already_exists);
  const std::string path = temporary_path("taken.ipc");
  listen_at("zmq+ipc://" + path);
  EXPECT_EQ(error_at("zmq+ipc://" + path), Errc::already_exists);
  EXPECT_EQ(error_at("naive+zmq+tcp://127.0.0.1:0"), Errc::bad_address);
  // libzmq would put a socket in the place of any file.
  const std::string precious = temporary_path("precious");
  std::ofstream(precious) << "keep";
  EXPECT_EQ(error_at("zmq+ipc://" + precious), Errc::already_exists);
  EXPECT_EQ(::unlink(precious.c_str()), 0);
}

TEST_F(ZmqRouterTest, TheFileOfAnIpcSocketHasThePermissionsAskedFor) {
  ListenOptions options;
  options.zmq.ipc_permissions = 0600;
  const std::string path = temporary_path("private.ipc");
  listen_at("zmq+ipc://" + path, options);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

// To connect needs the right to write it.
TEST_F(ZmqRouterTest, TheFileOfAnIpcSocketIsNobodyElsesByDefault) {
  constexpr mode_t kUsual = 022;
  const mode_t before = ::umask(kUsual);
  const std::string path = temporary_path("usual.ipc");
  listen_at("zmq+ipc://" + path);
  ::umask(before);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0022u, 0u);
}

}  // namespace
}  // namespace spanwire::transport
