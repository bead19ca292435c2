// Links against raw sockets: peers that are not ours, and what the system does to connections.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "lib/transport/resolve.hpp"
#include "lib/transport/socket_options.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/transport/link_contract_support.hpp"

#ifndef SPANWIRE_TEST_SANITIZED
namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace spanwire::transport {
namespace {

// A link that was accepted from a raw, blocking socket.
class SocketLink : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listener = listen(test.loop(), address_of("tcp://127.0.0.1:0"), {}, acceptor);
    ASSERT_TRUE(listener) << listener.error().message();
    listener_ = std::move(*listener);
    raw = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress address = numeric_address("127.0.0.1", listener_->address().port).at(0);
    ASSERT_EQ(::connect(raw.get(), address.get(), address.size), 0);
    ASSERT_TRUE(test.until([&] { return !acceptor.links.empty(); }));
    link = std::move(acceptor.links.front());
    acceptor.links.clear();
    test.in_turn([&] { link->start(events); });
  }

  void raw_send(std::string_view text) {
    ASSERT_EQ(::send(raw.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(raw.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    raw = Fd();
  }

  testing::LeakCheck leaks;
  testing::TestLoop test;
  Acceptor acceptor{test.loop()};
  std::unique_ptr<Listener> listener_;
  Fd raw;
  Recorder events;
  std::unique_ptr<Link> link;
};

TEST_F(SocketLink, TakesOneByteAtATime) {
  const std::string text = "one byte at a time";
  for (std::size_t i = 0; i < text.size(); ++i) {
    raw_send(std::string_view(text).substr(i, 1));
    ASSERT_TRUE(test.until([&] { return events.received.size() == i + 1; }));
  }
  EXPECT_EQ(events.received, text);
  EXPECT_EQ(events.reads.size(), text.size());
}

TEST_F(SocketLink, AnOrderlyEndAndAResetAreToldApart) {
  raw_send("last words");
  ::shutdown(raw.get(), SHUT_WR);
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  EXPECT_EQ(events.received, "last words");
  EXPECT_EQ(events.closed, Errc::peer_closed);
}

TEST_F(SocketLink, AResetIsReportedAsOne) {
  reset();
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  EXPECT_EQ(events.closed, Errc::connection_reset);
}

TEST_F(SocketLink, WritingToAPeerThatIsGoneClosesAndRaisesNoSignal) {
  test.in_turn([&] { link->pause_reading(true); });
  reset();
  ASSERT_TRUE(test.until([&] {
    test.in_turn([&] { link->send_raw(bytes_of("into the void")); });
    test.settle();
    return events.closed.has_value();
  }));
  EXPECT_EQ(events.closed, Errc::connection_reset);
}

TEST_F(SocketLink, ClosingWithUnreadInputStillDeliversTheLastWords) {
  test.in_turn([&] { link->pause_reading(true); });
  raw_send(std::string(50'000, 'u'));
  test.settle();
  test.in_turn([&] {
    link->send_raw(bytes_of("goodbye"));
    link->close(Errc::shutting_down);
  });
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  std::string received(100, ' ');
  const ssize_t bytes = ::recv(raw.get(), received.data(), received.size(), MSG_WAITALL);
  ASSERT_EQ(bytes, 7);
  EXPECT_EQ(received.substr(0, 7), "goodbye");
}

// A raw peer that a link dials, and the link's own descriptor.
class QuickAck : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = numeric_address("127.0.0.1", 0).at(0);
    ASSERT_EQ(::bind(listener.get(), any.get(), any.size), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    DialOptions options;
    options.quick_ack = GetParam();
    const Address address = address_of("tcp://" + endpoint_text(local_address(listener.get())));
    Result<Dialled> dialled = test.run(dial(test.loop(), address, options));
    ASSERT_TRUE(dialled) << dialled.error().message();
    link = std::move(dialled->link);
    raw = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    for (int fd = 3; fd < 256 && link_fd < 0; ++fd) {
      if (fd != raw.get() && endpoint_text(local_address(fd)) == link->info().local) link_fd = fd;
    }
    ASSERT_GE(link_fd, 0);
  }

  // What the system is going to do with the acknowledgement of what was just read.
  bool acknowledges_at_once() const {
    int on = 0;
    socklen_t size = sizeof(on);
    ::getsockopt(link_fd, IPPROTO_TCP, TCP_QUICKACK, &on, &size);
    return on != 0;
  }

  // The peer asks, the link answers: after a few rounds the system holds acknowledgements back, in
  // the hope of sending them with an answer.
  void ping_pong() {
    char byte = 'x';
    const std::size_t before = events.received.size();
    ::send(raw.get(), &byte, 1, MSG_NOSIGNAL);
    test.until([&] { return events.received.size() > before; });
    ::recv(raw.get(), &byte, 1, MSG_WAITALL);
  }

  testing::LeakCheck leaks;
  testing::TestLoop test;
  Recorder events;
  std::unique_ptr<Link> link;
  Fd raw;
  int link_fd = -1;
};

TEST_P(QuickAck, IsArmedAtEachReadOnlyWhereAskedFor) {
  int at_once = 0;
  int held_back = 0;
  events.after_bytes = [&] {
    ++(acknowledges_at_once() ? at_once : held_back);
    link->send_raw(bytes_of("y"));
  };
  test.in_turn([&] { link->start(events); });
  if (GetParam()) {
    for (int i = 0; i < 100; ++i) ping_pong();
    EXPECT_EQ(held_back, 0);
    EXPECT_EQ(at_once, 100);
  } else {
    EXPECT_TRUE(test.until([&] {
      ping_pong();
      return held_back > 0;
    }));
  }
}

INSTANTIATE_TEST_SUITE_P(OnAndOff, QuickAck, ::testing::Bool());

// Sanitizers allocate on their own account.
#ifndef SPANWIRE_TEST_SANITIZED
TEST_F(SocketLink, ReadingAndWritingAllocateNothingOnceWarm) {
  // Where the machine is busy a turn may take long, and the report of that allocates.
  test.loop().on_slow_segment([](void*, std::string_view, std::chrono::nanoseconds) noexcept {},
                              nullptr);
  auto echo = [&](int rounds) {
    char buffer[256];
    for (int i = 0; i < rounds; ++i) {
      ::send(raw.get(), buffer, sizeof(buffer), MSG_NOSIGNAL);
      std::size_t before = events.received.size();
      while (events.received.size() == before) test.loop().run_one(testing::kTestGuard);
      events.received.clear();
      events.reads.clear();
      ::recv(raw.get(), buffer, sizeof(buffer), MSG_WAITALL);
    }
  };
  events.after_bytes = [&] { link->send_raw(bytes_of(events.received)); };
  echo(100);
  const std::uint64_t before = allocations.load();
  echo(1'000);
  EXPECT_EQ(allocations.load(), before);
}
#endif

}  // namespace
}  // namespace spanwire::transport
