// A shutdown with a deadline is over by then, whatever libzmq would still write.  Without the bound
// these tests last an hour: what was sent stays with libzmq, because its reader does not read.
#include <gtest/gtest.h>
#include <zmq.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "lib/transport/zmq/options.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/rpc/server.hpp"
#include "tests/rpc/raw_zmq.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

using namespace std::chrono_literals;
using testing::RawZmq;

constexpr std::size_t kPayload = 1u << 20;

TEST(ZmqLinger, IsTheShorterOfOptionAndDeadline) {
  EXPECT_EQ(transport::shorter_linger(1s, 10s), 1s);
  EXPECT_EQ(transport::shorter_linger(10s, 1s), 1s);
  EXPECT_EQ(transport::shorter_linger(10s, -1s), 0s);
  EXPECT_EQ(transport::shorter_linger(-1ms, 1s), 1s) << "for ever, as libzmq says it";
}

// Until the system's buffers are full too: nobody makes room for so long.
void push_until_full(Pusher& pusher) {
  for (Result<void> pushed; pushed;) {
    pushed = pusher.push_blocking(trace::Context().with_timeout(300ms), "p",
                                  Slice::of(std::string(kPayload, 'x')));
    EXPECT_TRUE(pushed || pushed.error() == Errc::deadline_exceeded) << pushed.error().message();
  }
}

TEST(ZmqLinger, OfAPusherEndsWithItsClose) {
  RawZmq deaf(ZMQ_PULL, "tcp://127.0.0.1:*", true, {}, 1);
  Runtime runtime;
  OneWayOptions options;
  options.zmq.linger = 1h;
  Pusher pusher(runtime, options.connect("zmq+" + deaf.endpoint()));
  ASSERT_TRUE(pusher.start());
  ASSERT_TRUE(pusher.connected_blocking(trace::Context().with_timeout(kGuard)));
  push_until_full(pusher);
  pusher.close(10ms);
  EXPECT_EQ(pusher.try_push({}, "p", Slice()).error(), Errc::shutting_down);
  pusher.close(1h);  // the first one holds
}

Task<Status> reply_large(Call* call, std::atomic<int>* handled) {
  call->reply(Slice::of(std::string(kPayload, 'x')));
  *handled += 1;
  co_return Status::ok();
}

TEST(ZmqLinger, OfAServerEndsWithItsDrain) {
  constexpr int kCalls = 40;
  std::optional<RawZmq> deaf;  // outlives the runtime
  Runtime runtime;
  ServerOptions options;
  options.zmq.linger = 1h;
  options.zmq.flight_bytes_max = kCalls * kPayload;  // more than the system's buffers take
  Server server(runtime, options.listen("zmq+tcp://127.0.0.1:0"));
  std::atomic<int> handled{0};
  server.handle("test/large", [&handled](Call& call) { return reply_large(&call, &handled); });
  ASSERT_TRUE(server.start());
  deaf.emplace(ZMQ_DEALER, server.addresses().at(0).substr(4), false, std::string_view(), 1);
  for (std::uint32_t slot = 1; slot <= kCalls; ++slot) {
    testing::Parts request = testing::request_parts("test/large", "");
    request[0] = testing::control_part(wire::FrameType::request, 12, slot << 11, wire::kFlagEnd);
    deaf->send(request);
  }
  const auto give_up = std::chrono::steady_clock::now() + kGuard;
  while (handled < kCalls && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_EQ(handled, kCalls);
  static_cast<void>(server.drain_blocking(10ms));
}

TEST(ZmqLinger, OfAClientEndsWithItsShutdown) {
  constexpr std::size_t kCalls = 40;
  RawZmq deaf(ZMQ_ROUTER, "tcp://127.0.0.1:*", true, {}, 1);
  Runtime runtime;
  ClientOptions options;
  options.zmq.linger = 1h;
  options.zmq.flight_bytes_max = kCalls * kPayload;
  options.connections_per_endpoint_max = 1;
  Client client(runtime, "naive+zmq+" + deaf.endpoint(), options);
  ASSERT_TRUE(client.ready_blocking());
  std::atomic<std::size_t> ended{0};
  for (std::size_t i = 0; i < kCalls; ++i) {
    client.call_then(trace::Context(), "test/large", Slice::of(std::string(kPayload, 'x')), {},
                     [&ended](const Result<Reply>& reply) {
                       EXPECT_EQ(reply.error(), Errc::cancelled);
                       ended += 1;
                     });
  }
  const ShutdownReport report = client.shutdown_blocking(100ms).value();
  EXPECT_EQ(report.cancelled, kCalls) << report.text();
  EXPECT_EQ(ended, kCalls);
}

}  // namespace
}  // namespace spanwire::rpc
