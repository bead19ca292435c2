// Why dynamo+tcp re-arms TCP_QUICKACK: a server without TCP_NODELAY that writes each
// acknowledgement on its own waits for the system's delayed ACK before it sends the second one,
// some 40 ms.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>

#include "spanwire/channel/v1.hpp"
#include "tests/channel/recorders.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::channel {
namespace {

constexpr std::size_t kBurst = 8;
constexpr std::size_t kRounds = 20;
const std::string kRequest("\0\1e\0\2{}\0\0\0\1x", 12);

// Accepts one connection, leaves Nagle's algorithm on as such servers do, and answers each request
// in a write of its own.  On a thread, with blocking calls: it knows nothing of ours.
class NagleServer {
 public:
  NagleServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NagleServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string port() const { return std::to_string(port_); }

 private:
  void serve() const {
    const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    std::array<char, 4096> block;
    std::size_t pending = 0;
    for (;;) {
      const ssize_t got = ::recv(peer, block.data(), block.size(), 0);
      if (got <= 0) break;
      pending += static_cast<std::size_t>(got);
      for (; pending >= kRequest.size(); pending -= kRequest.size()) {
        if (::send(peer, "\0\0\0\0", 4, MSG_NOSIGNAL) != 4) break;
      }
    }
    ::close(peer);
  }

  int listener_;
  int port_ = 0;
  std::thread thread_;
};

// The descriptor of this process whose own end is at `local`; -1 if there is none.
int descriptor_of(const std::string& local) {
  for (int fd = 3; fd < 1'024; ++fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.sin_family != AF_INET) continue;
    if (local == "127.0.0.1:" + std::to_string(ntohs(address.sin_port))) return fd;
  }
  return -1;
}

bool quick(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &value, &size), 0);
  return value != 0;
}

struct Seen {
  std::size_t quick = 0;  // answers behind whose read the system acknowledged at once
  std::size_t delayed = 0;
};

// Bursts of requests over a connection dialled as `scheme`; looks at the socket at each answer.
Seen run(const std::string& scheme) {
  NagleServer server;
  testing::TestLoop test;
  const Result<transport::Address> address =
      transport::parse_address(scheme + "://127.0.0.1:" + server.port());
  Result<transport::Dialled> dialled = test.run(transport::dial(test.loop(), *address, {}));
  EXPECT_TRUE(dialled) << dialled.error().message();
  EXPECT_EQ(dialled->link->info().quick_ack, scheme == "dynamo+tcp");
  const int fd = descriptor_of(dialled->link->info().local);
  EXPECT_GE(fd, 0);
  ClientLog events;
  std::unique_ptr<ClientChannel> client;
  test.in_turn([&] {
    client = make_v1_client(std::move(dialled->link), test.loop());
    client->start(events);
  });
  Seen seen;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<CallLog> calls(kBurst);
    test.in_turn([&] {
      for (CallLog& call : calls) {
        call.at_end = [&] { ++(quick(fd) ? seen.quick : seen.delayed); };
        RequestOut request;
        request.path = "e";
        request.payload = Slice::copy_of("x");
        EXPECT_TRUE(client->open(request, call));
      }
    });
    test.until([&] { return client->in_flight() == 0; });
    for (const CallLog& call : calls) EXPECT_TRUE(call.ok());
  }
  test.in_turn([&] { client.reset(); });
  return seen;
}

TEST(QuickAck, IsArmedAgainForEveryReadOfAV1Connection) {
  const testing::LeakCheck leaks;
  const Seen seen = run("dynamo+tcp");
  EXPECT_EQ(seen.quick, kBurst * kRounds);
  EXPECT_EQ(seen.delayed, 0u);
}

TEST(QuickAck, WithoutItTheSystemDelaysAcknowledgements) {
  const testing::LeakCheck leaks;
  const Seen seen = run("tcp");
  EXPECT_EQ(seen.quick + seen.delayed, kBurst * kRounds);
  if (seen.delayed == 0) GTEST_SKIP() << "this system never delays acknowledgements";
}

}  // namespace
}  // namespace spanwire::channel
