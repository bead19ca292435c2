// Replies that are lost alone: their call fails with what was wrong, the connection goes on.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "spanwire/wire/v1.hpp"
#include "tests/rpc/raw_listener.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

// What a call that may run twice failed with.
void expect_lost_alone(const Result<Reply>& reply, Errc code, StatusCode status) {
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), code) << reply.error().message();
  EXPECT_EQ(status_of(reply.error()), status);
  const CallFailure* failure = call_failure(reply.error());
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->cause, code);
  EXPECT_EQ(failure->attempt, 1);
}

using LostReply = RpcTest;

TEST_F(LostReply, BeyondTheClientsBudgetIsNotAskedForAgain) {
  std::atomic<int> ran{0};
  server().handle("test/big", [&ran](Call& call) -> Task<Status> {
    ran.fetch_add(1);
    call.reply(Slice::of(std::string(1u << 20, 'x')));
    co_return Status::ok();
  });
  ClientOptions options;
  options.limits.queued_bytes_max = 100'000;
  client(options);
  CallOptions may_repeat;
  may_repeat.idempotent = true;
  expect_lost_alone(call("test/big", "x", may_repeat), Errc::out_of_memory_budget,
                    StatusCode::resource_exhausted);
  EXPECT_EQ(ran, 1);
  EXPECT_TRUE(call("test/echo", "still here"));
}

// A v1 server that answers each request with the same text.
class Babbler {
 public:
  explicit Babbler(std::string text) : text_(std::move(text)), thread_([this] { serve(); }) {}
  ~Babbler() {
    listener_.stop();
    thread_.join();
  }
  std::string address() const { return "dynamo+tcp://" + listener_.endpoint(); }
  int connections() const { return connections_; }

 private:
  void serve() {
    for (;;) {
      const int peer = listener_.accept();
      if (peer < 0) return;
      connections_.fetch_add(1);
      std::vector<std::byte> reply(wire::reply_bytes(text_));
      wire::encode_reply(text_, reply.data());
      char request[4096];  // each of the test's requests comes in one piece
      while (::read(peer, request, sizeof request) > 0) {
        EXPECT_EQ(::write(peer, reply.data(), reply.size()), static_cast<ssize_t>(reply.size()));
      }
      ::close(peer);
    }
  }

  std::string text_;
  RawListener listener_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

TEST_F(LostReply, ThatIsNoAcknowledgementIsNotAskedForAgain) {
  Babbler babbler("hm");
  client_ = std::make_unique<Client>(runtime_, babbler.address());
  CallOptions may_repeat;
  may_repeat.idempotent = true;
  for (int i = 0; i < 3; ++i) {
    const Result<Reply> reply = call("test/echo", "x", may_repeat);
    expect_lost_alone(reply, Errc::not_an_acknowledgement, StatusCode::unavailable);
    EXPECT_NE(reply.error().message().find("'hm'"), std::string::npos) << reply.error().message();
  }
  EXPECT_EQ(babbler.connections(), 1);
  client_.reset();
}

}  // namespace
}  // namespace spanwire::rpc
