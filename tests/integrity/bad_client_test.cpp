// Bad clients against a live server: whatever they send, the server goes on serving others, closes
// only where framing is lost, and keeps nothing of them.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/transport/address.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/support/sanitized.hpp"

namespace spanwire {
namespace {

using rpc::Call;
using rpc::Client;
using rpc::Reply;
using rpc::Server;
using rpc::Status;
using wire::FrameType;

constexpr std::chrono::seconds kGuard{30};
const std::string kPreface(reinterpret_cast<const char*>(wire::kPreface.data()),
                           wire::kPrefaceBytes);
constexpr std::uint32_t kStream = wire::StreamId::make(false, wire::kFirstSlot, 0).raw;

std::string frame(FrameType type, std::uint32_t stream, std::string body, std::uint8_t flags = 0) {
  std::string bytes(wire::kFrameHeaderBytes, '\0');
  wire::encode_frame_header(
      {static_cast<std::uint32_t>(body.size()), stream, static_cast<std::uint8_t>(type), flags},
      reinterpret_cast<std::byte*>(bytes.data()));
  return bytes + body;
}
std::string hello() {
  std::string body(wire::kHelloBytes, '\0');
  wire::encode_hello({}, reinterpret_cast<std::byte*>(body.data()));
  return frame(FrameType::hello, wire::kConnectionId, body);
}
// A v1 message: what a request frame holds too.
std::string message(const std::string& path, const std::string& payload = "x") {
  std::string bytes{'\0', static_cast<char>(path.size())};
  bytes += path + std::string("\0\2{}\0\0\0", 7) + static_cast<char>(payload.size()) + payload;
  return bytes;
}
std::string request(std::uint32_t stream, const std::string& path) {
  return frame(FrameType::request, stream, message(path), wire::kFlagEnd);
}
std::string changed(std::string bytes, std::size_t at, char to) {
  bytes.at(at) = to;
  return bytes;
}

// A socket of a client that keeps no protocol.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    const timeval guard{kGuard.count(), 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False once the server does not take it any more.
  bool say(const std::string& bytes, int flags = 0) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Reads until the server closes; false if it does not.
  bool hears_the_end() const {
    std::array<char, 4096> room;
    for (;;) {
      const ssize_t received = recv(fd_, room.data(), room.size(), 0);
      if (received == 0 || (received < 0 && errno == ECONNRESET)) return true;
      if (received < 0) return false;
    }
  }
  bool hears_something() const {
    char one = 0;
    return recv(fd_, &one, 1, 0) == 1;
  }
  void reset() const {
    const linger at_once{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }

 private:
  int fd_;
};

class LiveServer : public ::testing::Test {
 protected:
  void SetUp() override {
    server_->handle("echo", [](Call& call) -> Task<Status> {
      call.reply(call.payload());
      co_return Status::ok();
    });
    server_->handle("large", [](Call& call) -> Task<Status> {
      call.reply(Slice::of(std::string(1u << 20, 'x')));
      co_return Status::ok();
    });
    const Result<std::string> bound = server_->listen("tcp://127.0.0.1:0");
    ASSERT_TRUE(bound && server_->start());
    port_ = transport::parse_address(*bound)->port;
    good_ = std::make_unique<Client>(runtime_, *bound);
    expect_served();
  }
  void TearDown() override {
    expect_served();
    while (server_->running() != 0) std::this_thread::yield();
    good_.reset();
    server_.reset();
  }
  // Who promises more than he sends is closed when a frame has taken so long.
  static rpc::ServerOptions impatient() {
    rpc::ServerOptions options;
    options.limits.frame_timeout = std::chrono::seconds(1);
    return options;
  }
  // Another client, all along.
  void expect_served() {
    const Result<Reply> reply =
        good_->call_blocking(trace::Context(), "echo", Slice::copy_of("still here"));
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->payload().text(), "still here");
  }

  testing::LeakCheck leaks_;
  testing::LogCapture log_;
  rpc::Runtime runtime_;
  std::unique_ptr<Server> server_ = std::make_unique<Server>(runtime_, impatient());
  std::unique_ptr<Client> good_;
  std::uint16_t port_ = 0;
};

struct BadBytes {
  const char* name;
  std::string bytes;
  bool closes;  // framing is lost, or the protocol broken; else the connection is of use still
};
void PrintTo(const BadBytes& bad, std::ostream* out) { *out << bad.name; }

class BadClient : public LiveServer, public ::testing::WithParamInterface<BadBytes> {};

const std::string kStart = kPreface + hello();
const BadBytes kBadBytes[] = {
    {"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
    {"random_bytes_after_the_preface", kPreface + std::string(64, '\xA5'), true},
    {"reserved_bits", kStart + changed(request(kStream, "echo"), 10, '\1'), true},
    {"unknown_flags", kStart + frame(FrameType::request, kStream, message("echo"), 0xC0), true},
    {"a_body_of_4_GiB", kStart + changed(request(kStream, "echo"), 0, '\xFF'), true},
    {"a_body_shorter_than_its_path", kStart + frame(FrameType::request, kStream, "\xFF", 1), false},
    {"a_reply_to_what_was_not_asked",
     kStart + frame(FrameType::reply, kStream, std::string(64, '\0')), false},
    {"a_second_hello", kStart + hello(), true},
    {"a_stream_of_the_other_side",
     kStart + request(wire::StreamId::make(true, wire::kFirstSlot, 0).raw, "echo"), true},
    {"a_request_on_the_connections_id", kStart + request(wire::kConnectionId, "echo"), true},
    {"a_window_beyond_all_bounds",
     kStart + frame(FrameType::window, wire::kConnectionId, std::string(4, '\xFF')), true},
    {"a_piece_of_nothing", kStart + frame(FrameType::data, kStream, "x", wire::kFlagContinued),
     false},
    {"an_unknown_frame", kStart + frame(static_cast<FrameType>(200), 0, "what"), false},
    {"a_path_that_is_not_utf8", kStart + request(kStream, "\xFF\xFE"), false},
    {"v1_path_beyond_the_limit",
     std::string("\x20\x00", 2) + std::string(0x2000, 'p') + std::string("\0\2{}\0\0\0\0", 8),
     false},
    {"v1_payload_of_4_GiB", std::string("\0\4echo\0\2{}\xFF\xFF\xFF\xFF", 14), true},
    {"v1_damaged_path", message("\xFF"), false},
};

TEST_P(BadClient, CostsNobodyElse) {
  const BadBytes& bad = GetParam();
  const RawClient client(port_);
  ASSERT_TRUE(client.say(bad.bytes));
  if (bad.closes) {
    EXPECT_TRUE(client.hears_the_end());
    return;
  }
  // The same connection serves what is well said.
  const bool v2 = bad.bytes.starts_with(kPreface);
  const std::uint32_t next = wire::StreamId::make(false, wire::kFirstSlot + 1, 0).raw;
  ASSERT_TRUE(client.say(v2 ? request(next, "echo") : message("echo")));
  EXPECT_TRUE(client.hears_something());
}

TEST_P(BadClient, ThatVanishesInTheMiddleCostsNobodyElse) {
  const std::string& bytes = GetParam().bytes;
  for (const std::size_t size : {std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
    const RawClient client(port_);
    ASSERT_TRUE(client.say(bytes.substr(0, size)));
    client.reset();
  }
}

INSTANTIATE_TEST_SUITE_P(Bytes, BadClient, ::testing::ValuesIn(kBadBytes),
                         [](const auto& bad) { return std::string(bad.param.name); });

TEST_F(LiveServer, OutlivesManyThatSayNothing) {
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<RawClient>(port_));
  expect_served();
}

// What the process holds in memory, in bytes.
std::size_t resident_bytes() {
  std::ifstream stat("/proc/self/statm");
  std::size_t pages = 0;
  stat >> pages >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Gibibytes of replies are owed to a client that reads none of them.
TEST_F(LiveServer, BoundsWhatWaitsForAClientThatNeverReads) {
  constexpr std::uint32_t kRequests = 2'000;
  const RawClient greedy(port_);
  ASSERT_TRUE(greedy.say(kStart));
  const std::size_t before = resident_bytes();
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    const std::uint32_t slot = wire::kFirstSlot + i;
    if (!greedy.say(request(wire::StreamId::make(false, slot, 0).raw, "large"), MSG_DONTWAIT))
      break;
  }
  // The loop has read what it wants to read when others were served twice.
  expect_served();
  expect_served();
#ifndef SPANWIRE_TEST_SANITIZED  // keeps what was freed
  EXPECT_LT(resident_bytes() - before, 4 * wire::kQueuedBytesPerConnectionMax);
#else
  static_cast<void>(before);
#endif
}

}  // namespace
}  // namespace spanwire
