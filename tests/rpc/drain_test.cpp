// What a drain refuses is in its report, whoever refused it.
#include <string>
#include <thread>

#include "tests/rpc/gate.hpp"
#include "tests/rpc/raw_peer.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

using session::id_of;
using wire::FrameType;

// A server with a call that stays until the gate opens, and a peer that the test plays.
class Drain : public RpcTest {
 protected:
  std::string serve() {
    server().handle("test/gate", waits_at(gate_), RunOn::pool(1));
    const Result<std::string> bound = server().listen("tcp://127.0.0.1:0");
    EXPECT_TRUE(bound && server().start());
    return *bound;
  }
  void begin_drain() {
    gate_.await_waiting(1);
    drainer_ = std::thread([this] { report_ = server().drain_blocking(kGuard); });
  }
  DrainReport end_drain() {
    gate_.open();
    drainer_.join();
    return report_;
  }

  Gate gate_;
  DrainReport report_;
  std::thread drainer_;
};

TEST_F(Drain, CountsWhatComesBehindTheGoaway) {
  RawPeer peer = RawPeer::of(serve());
  peer.say(session::preface() + session::hello());
  peer.say(session::request(id_of(1), "test/gate"));
  begin_drain();
  peer.say(session::frame(FrameType::pong, 0, peer.hear_frame(FrameType::ping).body));
  const std::string last = peer.hear_frame(FrameType::goaway).body;
  EXPECT_EQ(wire::decode_goaway(bytes_of(last))->accepted, 1u);
  peer.say(session::request(id_of(2), "test/echo") + session::request(id_of(3), "test/echo"));
  // Once this is answered they have been read.
  peer.say(session::ping(7));
  peer.hear_frame(FrameType::pong);
  const DrainReport report = end_drain();
  EXPECT_EQ(report.finished, 1u);
  EXPECT_EQ(report.refused, 2u) << report.text();
}

TEST_F(Drain, CountsWhatAV1ConnectionRefuses) {
  RawPeer peer = RawPeer::of(serve());
  const std::string echo = session::request_body("test/echo", "x");
  peer.say(session::request_body("test/gate", ""));
  EXPECT_EQ(peer.hear_acknowledgement(), "");
  begin_drain();
  std::size_t refused = 0;
  while (refused < 3) {
    peer.say(echo);
    const std::string answer = peer.hear_acknowledgement();
    if (answer.empty()) continue;  // the drain has not begun
    EXPECT_EQ(answer, wire::kAckDraining);
    ++refused;
  }
  EXPECT_EQ(end_drain().refused, 3u);
}

// By the session, for want of memory; by the server, which knows no such path.
TEST_F(Drain, CountsWhateverTheReason) {
  ServerOptions options;
  options.limits.queued_bytes_max = 100'000;
  make_server(std::move(options));
  RawPeer peer = RawPeer::of(serve());
  peer.say(session::preface() + session::hello());
  peer.say(session::request(id_of(1), "test/gate", std::string(60'000, 'x')));
  begin_drain();
  const std::string asked = peer.hear_frame(FrameType::ping).body;
  peer.say(session::request(id_of(2), "test/echo", std::string(60'000, 'x')));
  peer.say(session::request(id_of(3), "test/nowhere"));
  peer.say(session::request(id_of(4), "\xFF"));
  for (int i = 0; i < 3; ++i) peer.hear_frame(FrameType::reply);
  peer.say(session::frame(FrameType::pong, 0, asked));
  EXPECT_EQ(end_drain().refused, 3u);
}

}  // namespace
}  // namespace spanwire::rpc
