#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/transport/connect.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/listen.hpp"
#include "tests/support/closed_port.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {
namespace {

class DialAndListen : public ::testing::Test {
 protected:
  std::unique_ptr<Listener> must_listen(std::string_view where, const ListenOptions& options = {}) {
    Result<std::unique_ptr<Listener>> listener =
        listen(test.loop(), address_of(where), options, acceptor);
    EXPECT_TRUE(listener) << listener.error().message();
    return listener ? std::move(*listener) : nullptr;
  }
  Error listen_error(std::string_view where) {
    Result<std::unique_ptr<Listener>> listener =
        listen(test.loop(), address_of(where), {}, acceptor);
    return listener ? Error() : listener.error();
  }
  Result<Dialled> dial_to(const Address& address, DialOptions options = DialOptions()) {
    return test.run(dial(test.loop(), address, std::move(options)));
  }
  void advance(std::chrono::nanoseconds by) {
    clock.advance(by);
    test.in_turn([] {});
    test.settle();
  }

  testing::LeakCheck leaks;
  ManualClock clock;
  testing::TestLoop test{clock};
  Acceptor acceptor{test.loop()};
};

Address address_at(const testing::ClosedPort& port) {
  return address_of("tcp://" + port.host_and_port());
}

int int_option(int fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  ::getsockopt(fd, level, option, &value, &size);
  return value;
}

// Descriptors of this process that are connected TCP sockets.
std::vector<int> tcp_connections() {
  std::vector<int> found;
  for (int fd = 3; fd < 256; ++fd) {
    const SocketAddress peer = peer_address(fd);
    if (peer.size != 0 && peer.family() == AF_INET) found.push_back(fd);
  }
  return found;
}

TEST_F(DialAndListen, BothSidesHaveTheSocketOptions) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  EXPECT_NE(listener->address().port, 0);
  Result<Dialled> dialled = dial_to(listener->address());
  ASSERT_TRUE(dialled) << dialled.error().message();
  EXPECT_EQ(dialled->attempts, 1);
  EXPECT_EQ(dialled->link->info().peer, host_and_port("127.0.0.1", listener->address().port));
  ASSERT_TRUE(test.until([&] { return acceptor.links.size() == 1; }));
  EXPECT_EQ(acceptor.links[0]->info().peer, dialled->link->info().local);
  const std::vector<int> sockets = tcp_connections();
  ASSERT_EQ(sockets.size(), 2u);
  for (const int fd : sockets) {
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), kTcpUserTimeout.count());
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST_F(DialAndListen, DynamoLinksAcknowledgeAtOnce) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  Address address = listener->address();
  address.protocol = "dynamo";
  const Result<Dialled> dialled = dial_to(address);
  ASSERT_TRUE(dialled);
  EXPECT_TRUE(dialled->link->info().quick_ack);
}

TEST_F(DialAndListen, ARefusalNamesTheAddressAndTheReason) {
  const testing::ClosedPort closed;
  const Address nobody = address_at(closed);
  const Result<Dialled> dialled = dial_to(nobody);
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().code(), Errc::connect_failed);
  EXPECT_NE(dialled.error().detail().find(host_and_port(nobody.host, nobody.port)),
            std::string_view::npos);
  EXPECT_NE(dialled.error().detail().find("refused"), std::string_view::npos);
}

TEST_F(DialAndListen, RefusesWhatCannotBeDialled) {
  EXPECT_EQ(dial_to(address_of("tcp://127.0.0.1:0")).error().code(), Errc::bad_address);
  EXPECT_EQ(dial_to(address_of("tcp://*:7001")).error().code(), Errc::bad_address);
  EXPECT_EQ(dial_to(address_of("tcp://name.invalid:7001")).error().code(), Errc::resolve_failed);
  EXPECT_EQ(dial_to(address_of("memory://nobody")).error().code(), Errc::connect_failed);
  EXPECT_EQ(dial_to(address_of("unix:///nowhere/at/all")).error().code(), Errc::connect_failed);
}

// A listener whose queue is full: the system drops further attempts, which then hang.
class FullListener {
 public:
  FullListener() : socket_(open_socket(AF_INET)) {
    const SocketAddress any = numeric_address("127.0.0.1", 0).at(0);
    EXPECT_EQ(::bind(socket_.get(), any.get(), any.size), 0);
    EXPECT_EQ(::listen(socket_.get(), 0), 0);
    address = local_address(socket_.get());
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(open_socket(AF_INET));
      ::connect(fillers_.back().get(), address.get(), address.size);
    }
  }
  SocketAddress address;

 private:
  Fd socket_;
  std::vector<Fd> fillers_;
};

TEST_F(DialAndListen, GivesUpAtTheConnectTimeout) {
  const FullListener full;
  std::optional<Result<Dialled>> ended;
  spawn(test.loop(),
        dial(test.loop(), address_of("tcp://" + endpoint_text(full.address)), DialOptions()),
        [&](Task<Result<Dialled>>& task) { ended.emplace(task.take_result()); });
  test.settle();
  ASSERT_FALSE(ended);
  advance(kConnectTimeout + std::chrono::milliseconds(10));
  ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
  EXPECT_EQ(ended->error().code(), Errc::connect_timeout);
}

TEST_F(DialAndListen, CanBeCancelledWhileConnecting) {
  const FullListener full;
  CancelScope scope;
  std::optional<Result<Dialled>> ended;
  spawn(
      test.loop(),
      dial(test.loop(), address_of("tcp://" + endpoint_text(full.address)), DialOptions()),
      [&](Task<Result<Dialled>>& task) { ended.emplace(task.take_result()); }, &scope);
  test.settle();
  ASSERT_FALSE(ended);
  test.in_turn([&] { scope.request_cancel(); });
  ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
  EXPECT_EQ(ended->error().code(), Errc::cancelled);
}

TEST_F(DialAndListen, TriesSeveralAddressesEachForItsShareOfTheTime) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  const FullListener full;
  const testing::ClosedPort closed;
  const Address nobody = address_at(closed);
  SocketAddresses addresses = numeric_address(nobody.host, nobody.port);
  addresses.push_back(full.address);
  addresses.push_back(numeric_address("127.0.0.1", listener->address().port).at(0));
  int attempts = 0;
  std::optional<Result<Ref<SocketStream>>> ended;
  spawn(test.loop(),
        connect_any(test.loop(), addresses, false, clock.monotonic() + kConnectTimeout, &attempts),
        [&](Task<Result<Ref<SocketStream>>>& task) { ended.emplace(task.take_result()); });
  ASSERT_TRUE(test.until([&] { return attempts == 2; }));
  ASSERT_FALSE(ended);
  advance(kConnectTimeout / 2 + std::chrono::milliseconds(10));
  ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
  ASSERT_TRUE(*ended) << ended->error().message();
  EXPECT_EQ(attempts, 3);
  test.in_turn([&] { (**ended)->close(); });
}

TEST_F(DialAndListen, AFailureNamesEachAddress) {
  const testing::ClosedPort first;
  const testing::ClosedPort second;
  SocketAddresses addresses = numeric_address("127.0.0.1", address_at(first).port);
  addresses.push_back(numeric_address("127.0.0.1", address_at(second).port).at(0));
  int attempts = 0;
  const Result<Ref<SocketStream>> stream = test.run(
      connect_any(test.loop(), addresses, false, clock.monotonic() + kConnectTimeout, &attempts));
  ASSERT_FALSE(stream);
  EXPECT_EQ(attempts, 2);
  for (const testing::ClosedPort* port : {&first, &second}) {
    EXPECT_NE(stream.error().detail().find(port->host_and_port()), std::string_view::npos);
  }
}

TEST_F(DialAndListen, ResolvesNames) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  Resolver resolver;
  DialOptions options;
  options.resolver = &resolver;
  Address address = listener->address();
  address.host = "localhost";
  const Result<Dialled> dialled = dial_to(address, options);
  ASSERT_TRUE(dialled) << dialled.error().message();
  EXPECT_EQ(resolver.lookups(), 1u);
  address.host = "no..such..name";
  const Result<Dialled> failed = dial_to(address, options);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::resolve_failed);
  EXPECT_NE(failed.error().detail().find("no..such..name"), std::string_view::npos);
}

// The lookup ends on its own thread while the task is cancelled on the loop: exactly one wins.
TEST_F(DialAndListen, CancellingALookupRacesItsEnd) {
  Resolver resolver;
  DialOptions options;
  options.resolver = &resolver;
  const testing::ClosedPort closed;
  Address address = address_at(closed);
  address.host = "localhost";
  for (int round = 0; round < 100; ++round) {
    CancelScope scope;
    std::optional<Result<Dialled>> ended;
    spawn(
        test.loop(), dial(test.loop(), address, options),
        [&](Task<Result<Dialled>>& task) { ended.emplace(task.take_result()); }, &scope);
    test.settle();
    test.in_turn([&] { scope.request_cancel(); });
    ASSERT_TRUE(test.until([&] { return ended.has_value(); }));
    ASSERT_FALSE(*ended);
    const Errc code = ended->error().code();
    EXPECT_TRUE(code == Errc::cancelled || code == Errc::connect_failed) << name(code);
  }
}

TEST_F(DialAndListen, AStoppedResolverFailsLookups) {
  Resolver resolver;
  resolver.stop();
  DialOptions options;
  options.resolver = &resolver;
  const Result<Dialled> dialled = dial_to(address_of("tcp://localhost:1"), options);
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error().code(), Errc::shutting_down);
}

TEST_F(DialAndListen, TheWildcardTakesEveryFamily) {
  const auto listener = must_listen("tcp://*:0");
  Address address = listener->address();
  address.host = "127.0.0.1";
  EXPECT_TRUE(dial_to(address));
  EXPECT_TRUE(test.until([&] { return acceptor.links.size() == 1; }));
}

TEST_F(DialAndListen, APortThatIsTakenIsSaidSo) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  const Error error = listen_error(to_string(listener->address()));
  EXPECT_EQ(error.code(), Errc::already_exists);
  EXPECT_NE(error.detail().find(to_string(listener->address())), std::string_view::npos);
}

TEST_F(DialAndListen, AClosedListenerTakesNoMoreAndKeepsWhatIsOpen) {
  const auto listener = must_listen("tcp://127.0.0.1:0");
  Result<Dialled> dialled = dial_to(listener->address());
  ASSERT_TRUE(test.until([&] { return acceptor.links.size() == 1; }));
  const Address address = listener->address();
  test.in_turn([&] {
    listener->close();
    listener->close();
  });
  EXPECT_EQ(dial_to(address).error().code(), Errc::connect_failed);
  Recorder events;
  Recorder accepted_events;
  test.in_turn([&] {
    dialled->link->start(events);
    acceptor.links[0]->start(accepted_events);
    dialled->link->send_raw(bytes_of("still here"));
  });
  EXPECT_TRUE(test.until([&] { return accepted_events.received == "still here"; }));
  EXPECT_EQ(listener->connections(), 1u);
  test.in_turn([&] { acceptor.links.clear(); });
  EXPECT_EQ(listener->connections(), 0u);
}

class ConnectionLimit : public DialAndListen, public ::testing::WithParamInterface<const char*> {};

TEST_P(ConnectionLimit, RefusesBeyondItCountsAndSaysItOnce) {
  const testing::LogCapture log;
  const std::int64_t before = counter_snapshot().value("spanwire.transport.connections_refused");
  ListenOptions options;
  options.connections_max = 2;
  const auto listener = must_listen(GetParam(), options);
  std::vector<Result<Dialled>> dialled;
  for (int i = 0; i < 4; ++i) {
    dialled.push_back(dial_to(listener->address()));
    ASSERT_TRUE(dialled.back());
  }
  Recorder refused[2];
  for (int i = 2; i < 4; ++i) {
    test.in_turn([&] { dialled[i]->link->start(refused[i - 2]); });
    ASSERT_TRUE(test.until([&] { return refused[i - 2].closed.has_value(); }));
    EXPECT_EQ(refused[i - 2].closed, Errc::peer_closed);
  }
  EXPECT_EQ(listener->stats().accepted, 2u);
  EXPECT_EQ(listener->stats().refused, 2u);
  EXPECT_EQ(counter_snapshot().value("spanwire.transport.connections_refused"), before + 2);
  EXPECT_EQ(log.count("as many as it may have address=" + to_string(listener->address()) +
                      " connections_max=2"),
            1u);
  // One that ends makes room for another.
  test.in_turn([&] { acceptor.links.pop_back(); });
  ASSERT_TRUE(dial_to(listener->address()));
  EXPECT_TRUE(test.until([&] { return listener->stats().accepted == 3; }));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ConnectionLimit,
                         ::testing::Values("tcp://127.0.0.1:0", "memory://limited"));

TEST_F(DialAndListen, MemoryNamesAreTakenOnceAndFreedAtClose) {
  auto listener = must_listen("memory://name");
  EXPECT_EQ(listen_error("memory://name").code(), Errc::already_exists);
  EXPECT_TRUE(dial_to(address_of("memory://name")));
  listener.reset();
  EXPECT_EQ(dial_to(address_of("memory://name")).error().code(), Errc::connect_failed);
  EXPECT_NE(must_listen("memory://name"), nullptr);
}

TEST_F(DialAndListen, ReplacesAStaleUnixSocketAndRemovesItsOwn) {
  const std::string path = temporary_path("stale.sock");
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const SocketAddress address = unix_address(path);
    ASSERT_EQ(::bind(dead.get(), address.get(), address.size), 0);
  }
  auto listener = must_listen("unix://" + path);
  ASSERT_NE(listener, nullptr);
  EXPECT_TRUE(dial_to(listener->address()));
  EXPECT_EQ(listen_error("unix://" + path).code(), Errc::already_exists);
  EXPECT_TRUE(dial_to(listener->address())) << "the second listen must not have touched the file";
  listener.reset();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(DialAndListen, LeavesAFileAloneThatIsNoSocket) {
  const std::string path = temporary_path("file");
  std::ofstream(path) << "precious";
  EXPECT_EQ(listen_error("unix://" + path).code(), Errc::already_exists);
  EXPECT_EQ(std::ifstream(path).get(), 'p');
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace spanwire::transport
