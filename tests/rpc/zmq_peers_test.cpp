// Peers over ZeroMQ that have nothing of ours, good and bad, against a live server and client.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/rpc/counted.hpp"
#include "tests/rpc/raw_zmq.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

using testing::control_part;
using testing::header_of;
using testing::is_type;
using testing::Parts;
using testing::RawZmq;
using testing::request_parts;
using wire::FrameType;

constexpr std::string_view kZmq = "zmq+";

// A server over zmq+tcp, and a client of ours that must not notice what others do.
class ZmqPeers : public RpcTest {
 protected:
  void SetUp() override {
    const Result<std::string> bound = server().listen("zmq+tcp://127.0.0.1:0");
    ASSERT_TRUE(bound) << bound.error().message();
    ASSERT_TRUE(server().start());
    address_ = *bound;
    client_ = std::make_unique<Client>(runtime_, address_);
    EXPECT_TRUE(call("test/echo", "before"));
  }
  void TearDown() override {
    if (server_ == nullptr) return;
    const Result<Reply> after = call("test/echo", "after");
    EXPECT_TRUE(after) << after.error().message();
  }

  std::string endpoint() const { return address_.substr(kZmq.size()); }
  std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoul(address_.substr(address_.rfind(':') + 1)));
  }
};

TEST_F(ZmqPeers, ANaiveDealerIsServed) {
  RawZmq dealer(ZMQ_DEALER, endpoint());
  for (int i = 0; i < 3; ++i) {
    dealer.send(request_parts("test/upper", "shout"));
    const Parts reply = dealer.receive();
    ASSERT_EQ(reply.size(), 4u);
    EXPECT_TRUE(is_type(header_of(reply), FrameType::reply));
    EXPECT_EQ(header_of(reply).stream_id, 1u << 11);
    EXPECT_EQ(reply[1][0], '\0');
    EXPECT_NE(reply[2].find(R"("x-length":"5")"), std::string::npos) << reply[2];
    EXPECT_EQ(reply[3], "SHOUT");
  }
}

TEST_F(ZmqPeers, ANaiveReqIsServed) {
  RawZmq req(ZMQ_REQ, endpoint());
  for (int i = 0; i < 3; ++i) {
    req.send(request_parts("test/echo", "again"));
    const Parts reply = req.receive();
    ASSERT_EQ(reply.size(), 4u);
    EXPECT_EQ(reply[3], "again");
  }
}

TEST_F(ZmqPeers, LargePayloadsPassBothWaysWhole) {
  std::string payload(3u << 20, 'x');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 31);
  RawZmq dealer(ZMQ_DEALER, endpoint());
  dealer.send(request_parts("test/echo", payload));
  const Parts reply = dealer.receive();
  ASSERT_EQ(reply.size(), 4u);
  EXPECT_TRUE(reply[3] == payload);
  const Result<Reply> ours = call("test/echo", payload);
  ASSERT_TRUE(ours) << ours.error().message();
  EXPECT_TRUE(ours->payload().text() == payload);
}

TEST_F(ZmqPeers, ANaivePeerGetsNoStream) {
  RawZmq dealer(ZMQ_DEALER, endpoint());
  dealer.send(request_parts("test/echo", "x", "{}", wire::kFlagStream));
  const Parts reply = dealer.receive();
  ASSERT_EQ(reply.size(), 4u);
  EXPECT_EQ(reply[1][0], static_cast<char>(StatusCode::unimplemented));
}

struct BadMessage {
  const char* name;
  Parts parts;
  const char* cause;  // in the log
};

class ZmqBadMessage : public ZmqPeers, public ::testing::WithParamInterface<BadMessage> {};

// Whatever it is, its sender is told farewell, the log names it, and nobody else notices.
TEST_P(ZmqBadMessage, EndsItsSenderByName) {
  testing::LogCapture log;
  // The log holds back what it has just said, by whichever clock.
  static int year = 0;
  log.clock().advance(std::chrono::hours(24 * 365) * ++year);
  RawZmq dealer(ZMQ_DEALER, endpoint());
  dealer.send(GetParam().parts);
  Parts answer = dealer.receive();
  // An empty part in front is sent back, as REQ wants it.
  if (answer.size() > 1 && answer[0].empty()) answer.erase(answer.begin());
  // A peer that did not begin with a request is taken for one of ours.
  if (!answer.empty() && is_type(header_of(answer), FrameType::hello)) answer = dealer.receive();
  EXPECT_TRUE(is_type(header_of(answer), FrameType::farewell)) << answer.size();
  EXPECT_TRUE(log.contains(GetParam().cause));
}

std::string header_with(char reserved) {
  std::string control = control_part(FrameType::request, 3, 1u << 11, wire::kFlagEnd);
  control[11] = reserved;
  return control;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ZmqBadMessage,
    ::testing::Values(
        BadMessage{"text", {"hello?"}, "truncated"},
        BadMessage{"long_control", {std::string(13, 'c')}, "trailing_bytes"},
        BadMessage{"empty_parts", {"", "", "", ""}, "truncated"},
        BadMessage{"too_few_parts",
                   {control_part(FrameType::request, 2, 1u << 11, wire::kFlagEnd), "{}"},
                   "wrong_part_count"},
        BadMessage{"too_many_parts",
                   {control_part(FrameType::request, 5, 1u << 11, wire::kFlagEnd), "a", "b", "c",
                    "d", "e"},
                   "wrong_part_count"},
        BadMessage{"very_many_parts",
                   [] {
                     Parts parts(5'000, "");
                     parts[0] = control_part(FrameType::request, 0, 1u << 11, wire::kFlagEnd);
                     return parts;
                   }(),
                   "wrong_part_count"},
        BadMessage{"wrong_length",
                   {control_part(FrameType::request, 99, 1u << 11, wire::kFlagEnd), "a", "b", "c"},
                   "length_mismatch"},
        BadMessage{"reserved_bits", {header_with(1), "a", "b", "c"}, "reserved_bits_set"},
        BadMessage{"unknown_flags",
                   {control_part(FrameType::request, 3, 1u << 11, 0x40), "a", "b", "c"},
                   "unknown_flags"},
        BadMessage{"bad_stream_id",
                   {control_part(FrameType::request, 3, 0, wire::kFlagEnd), "a", "b", "c"},
                   "bad_stream_id"},
        BadMessage{"bad_hello",
                   {control_part(FrameType::hello, 44, 0), std::string(44, '\xff')},
                   "reserved_bits_set"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

// libzmq closes the connection before it stores the part.
TEST_F(ZmqPeers, AHugePartEndsItsConnection) {
  const std::int64_t before = counted("spanwire.zmq.disconnected");
  RawZmq dealer(ZMQ_DEALER, endpoint());
  dealer.send({std::string(34u << 20, 'h')});
  EXPECT_TRUE(reaches("spanwire.zmq.disconnected", before + 1));
}

// Speaks TCP to the port, whatever that is.
class RawTcp {
 public:
  explicit RawTcp(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawTcp() { ::close(fd_); }
  void write(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Says that nothing follows and reads until the other side closes.
  void finish() {
    ::shutdown(fd_, SHUT_WR);
    char waste[256];
    while (::recv(fd_, waste, sizeof(waste), 0) > 0) {
    }
  }

 private:
  int fd_;
};

TEST_F(ZmqPeers, GarbageBeforeTheHandshakeIsCounted) {
  const std::int64_t before = counted("spanwire.zmq.handshake_failed");
  RawTcp stranger(port());
  // A greeting of ZMTP 3 with a mechanism that does not exist.
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0", 12);
  greeting.append("TELEPATHY").resize(64, '\0');
  stranger.write(greeting);
  stranger.finish();
  EXPECT_TRUE(reaches("spanwire.zmq.handshake_failed", before + 1));
}

TEST_F(ZmqPeers, AnHttpRequestIsNoPeer) {
  const std::int64_t before = counted("spanwire.zmq.disconnected");
  RawTcp browser(port());
  browser.write("GET /v1/models HTTP/1.1\r\nHost: worker\r\nAccept: */*\r\n\r\n");
  browser.finish();
  EXPECT_TRUE(reaches("spanwire.zmq.disconnected", before + 1));
}

// Its reply finds nobody: the link ends, the server goes on.
TEST_F(ZmqPeers, APeerThatVanishesDuringItsCallEndsItsLink) {
  const std::int64_t before = counted("spanwire.zmq.disconnected");
  {
    RawZmq dealer(ZMQ_DEALER, endpoint());
    dealer.send(request_parts("test/hang", ""));
    dealer.send(request_parts("test/hang", ""));
    EXPECT_TRUE(is_type(header_of(dealer.receive()), FrameType::farewell))
        << "one id twice at a time";
  }
  RawZmq patient(ZMQ_DEALER, endpoint());
  patient.send(request_parts("test/hang", ""));
  EXPECT_TRUE(reaches("spanwire.zmq.disconnected", before + 1));
}

// A script as the server: answers what `answer` makes of a request, until it is destroyed.
class ScriptServer {
 public:
  using Answer = std::function<std::vector<Parts>(const Parts& request)>;

  ScriptServer(int type, Answer answer)
      : socket_(type, "tcp://127.0.0.1:*", true),
        address_("naive+zmq+" + socket_.endpoint()),
        thread_([this, answer = std::move(answer)] { serve(answer); }) {}
  ~ScriptServer() {
    ended_ = true;
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  void serve(const Answer& answer) {
    while (!ended_) {
      const Parts request = socket_.receive(20);
      if (request.empty()) continue;
      for (const Parts& reply : answer(request)) socket_.send(reply);
    }
  }

  RawZmq socket_;
  std::string address_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

class NaiveServer : public RpcTest {
 protected:
  Result<Reply> ask(const std::string& address, std::string_view payload) {
    if (client_ == nullptr) client_ = std::make_unique<Client>(runtime_, address);
    return call("script/path", payload);
  }
};

Parts reply_to(const std::string& control, const std::string& payload) {
  const std::uint32_t id = wire::decode_frame_header(bytes_of(control))->stream_id;
  return {control_part(FrameType::reply, payload.size(), id), "", "", payload};
}

TEST_F(NaiveServer, ARepSocketServesAClientOfOurs) {
  const ScriptServer script(ZMQ_REP, [](const Parts& request) {
    EXPECT_EQ(request.size(), 4u);
    EXPECT_EQ(request[1], "script/path");
    return std::vector<Parts>{reply_to(request[0], request[3] + "!")};
  });
  for (int i = 0; i < 3; ++i) {
    const Result<Reply> reply = ask(script.address(), "well");
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->payload().text(), "well!");
  }
}

TEST_F(NaiveServer, ARouterSocketMayLeaveTheEmptyPartOut) {
  const ScriptServer script(ZMQ_ROUTER, [](const Parts& request) {
    EXPECT_EQ(request.size(), 6u);
    EXPECT_EQ(request[1], "");
    Parts reply = reply_to(request[2], "routed");
    reply.insert(reply.begin(), request[0]);
    return std::vector<Parts>{reply};
  });
  const Result<Reply> reply = ask(script.address(), "");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "routed");
}

TEST_F(NaiveServer, AStaleReplyIsCountedAndCostsNothing) {
  const ScriptServer script(ZMQ_ROUTER, [](const Parts& request) {
    Parts good = reply_to(request[2], "right");
    Parts stale = good;
    stale[0] = control_part(FrameType::reply, stale[3].size(), 77u << 11);
    good.insert(good.begin(), request[0]);
    stale.insert(stale.begin(), request[0]);
    return std::vector<Parts>{stale, good, good};
  });
  const std::int64_t before = counted("spanwire.session.unasked_replies");
  constexpr int kCalls = 5;
  for (int i = 0; i < kCalls; ++i) {
    const Result<Reply> reply = ask(script.address(), "");
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->payload().text(), "right");
  }
  // The reply to nobody, and the second one to a call that has its own; the last may not have been
  // read.  A connection tells at its end.
  client_.reset();
  EXPECT_TRUE(reaches("spanwire.session.unasked_replies", before + 2 * kCalls - 1));
}

// Whoever waits no longer than the handshake may last hears what it waited for.
TEST_F(NaiveServer, DialledAsOneOfOursTheDeadlineSaysWhatIsMissing) {
  const ScriptServer script(ZMQ_ROUTER, [](const Parts&) { return std::vector<Parts>(); });
  Client ours(runtime_, script.address().substr(std::string_view("naive+").size()));
  CallOptions brief;
  brief.timeout = std::chrono::milliseconds(1000);
  brief.wait_for_ready = true;
  Result<Reply> reply = ours.call_blocking({}, "script/path", Slice(), brief);
  while (!reply && reply.error().message().find("still connecting") != std::string::npos) {
    reply = ours.call_blocking({}, "script/path", Slice(), brief);
  }
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), Errc::deadline_exceeded);
  EXPECT_NE(reply.error().message().find("connected, and the peer has not answered the hello"),
            std::string::npos)
      << reply.error().message();
}

TEST_F(NaiveServer, AnAnswerThatIsNoFrameEndsTheCallByName) {
  const ScriptServer script(ZMQ_REP,
                            [](const Parts&) { return std::vector<Parts>{Parts{"what?"}}; });
  const Result<Reply> reply = ask(script.address(), "");
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message().find("ends inside"), std::string::npos)
      << reply.error().message();
}

// Calls that were under way end with an error, each once; later ones find the new server.
TEST_F(RpcTest, ARouterRestartedUnderLoadIsFoundAgain) {
  const Result<std::string> bound = server().listen("zmq+tcp://127.0.0.1:0");
  ASSERT_TRUE(bound) << bound.error().message();
  ASSERT_TRUE(server().start());
  ClientOptions options;
  options.reconnect_first = options.reconnect_last = std::chrono::milliseconds(1);
  options.wait_for_ready = true;
  Client loaded(runtime_, *bound, options);
  std::atomic<int> good{0};
  std::atomic<int> ended{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const auto reply =
            loaded.call_blocking(trace::Context(), "test/echo", Slice::copy_of("load"));
        if (reply) {
          ++good;
          continue;
        }
        ++ended;
        EXPECT_FALSE(reply.error().message().empty());
      }
    });
  }
  for (int restart = 0; restart < 3; ++restart) {
    const int reached = good + 50;
    while (good < reached) std::this_thread::yield();
    server_.reset();
    for (;;) {
      make_server(ServerOptions());
      if (server_->listen(*bound)) break;  // the old one's last word may still be on its way
      std::this_thread::yield();
    }
    ASSERT_TRUE(server_->start());
  }
  const int reached = good + 50;
  while (good < reached) std::this_thread::yield();
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace spanwire::rpc
