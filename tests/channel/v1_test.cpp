#include "spanwire/channel/v1.hpp"

#include <algorithm>

#include "spanwire/base/counters.hpp"
#include "spanwire/channel/accept.hpp"
#include "tests/channel/recorders.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::channel {
namespace {

using wire::Json;
using wire::read_vectors;
using wire::unhex;

std::string reply_of(std::string_view text) {
  std::string bytes(wire::reply_bytes(text), '\0');
  wire::encode_reply(text, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

// What the format can carry: the vectors are about it and not about an option.
wire::Limits format_limits() {
  wire::Limits limits;
  limits.path_bytes_max = wire::kV1PathBytesMax;
  return limits;
}

constexpr const char* kServedPath = "1a2b/default/backend/generate";

// Serves one path, as the worker of the vectors does, or all of them.
class Worker final : public ServerChannelEvents {
 public:
  void on_request(ServerChannel& channel, RequestIn& request) override {
    if (one_path && request.path != kServedPath) {
      ReplyOut reply;
      reply.status = 12;
      reply.not_started = true;
      return channel.reply(request.id, reply);
    }
    auto& call = calls.emplace_back(std::make_unique<ServedLog>());
    call->path = std::string(request.path);
    call->headers = std::string(text_of(request.headers));
    call->payload = std::string(text_of(request.payload.bytes));
    channel.attach(request.id, *call);
  }
  void on_refused(ServerChannel&) override { ++refused; }
  void on_closed(ServerChannel&, const Error& cause) override { closed = cause.code(); }

  bool one_path = false;
  std::vector<std::unique_ptr<ServedLog>> calls;
  int refused = 0;
  std::optional<Errc> closed;
};

// A server that finds v1 out by itself, and a raw peer, over the loopback.
class V1ServerLive : public ::testing::Test {
 protected:
  void connect(const wire::Limits& limits = format_limits()) {
    transport::MemoryLinks links = TcpPair(test).make();
    worker = std::make_unique<Worker>();
    peer = std::make_unique<RawPeer>();
    test.in_turn([&] {
      server = accept_channel(std::move(links.second), test.loop(), AcceptOptions(limits));
      server->start(*worker);
      peer->start(std::move(links.first));
    });
  }

  // All at once, or (small ones) byte by byte, each in a write of its own.
  void say(const std::string& bytes, bool bytewise) {
    if (!bytewise || bytes.size() > 1'000) return test.in_turn([&] { peer->say(bytes); });
    for (const char byte : bytes) {
      test.in_turn([&] { peer->say({&byte, 1}); });
      test.settle();
    }
  }

  // The peer says it, hears `replies` and goes away.
  void play(const std::string& bytes, const std::string& replies, bool bytewise) {
    connect();
    say(bytes, bytewise);
    test.until([&] { return peer->heard.size() >= replies.size(); });
    EXPECT_EQ(peer->heard, replies);
    test.in_turn([&] { peer->link().close(Errc::cancelled); });
    ASSERT_TRUE(test.until([&] { return worker->closed.has_value(); }));
    EXPECT_EQ(peer->heard, replies);
  }

  testing::LeakCheck leaks;
  testing::TestLoop test;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<RawPeer> peer;
  std::unique_ptr<ServerChannel> server;
};

TEST_F(V1ServerLive, AnswersEveryVectorAsItShould) {
  for (const Json& vector : read_vectors("v1_server.json")) {
    for (const bool bytewise : {false, true}) {
      SCOPED_TRACE(vector["name"].get<std::string>() + (bytewise ? ", byte by byte" : ""));
      connect();
      worker->one_path = true;
      std::string replies;
      for (const Json& text : vector["replies"]) replies += reply_of(text.get<std::string>());
      say(unhex(vector["sent_hex"].get<std::string>()), bytewise);
      ASSERT_TRUE(test.until([&] { return peer->heard.size() >= replies.size(); }));
      test.settle();
      EXPECT_EQ(peer->heard, replies);
      EXPECT_FALSE(worker->closed) << "the connection stays open";
      test.in_turn([&] { peer->link().close(Errc::cancelled); });
      ASSERT_TRUE(test.until([&] { return worker->closed.has_value(); }));
      const bool whole = vector["end"] == "ok";
      EXPECT_EQ(*worker->closed, whole ? Errc::peer_closed : Errc::truncated);
    }
  }
}

TEST_F(V1ServerLive, ReadsTheMessagesOfEveryVector) {
  for (const Json& vector : read_vectors("v1_requests.json", "decode")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    std::string replies;
    std::vector<const Json*> taken;
    for (const Json& message : vector["messages"]) {
      if (!message.contains("damage")) {
        taken.push_back(&message);
        replies += reply_of("");
      } else {
        const bool path = message["damage"] == "path_not_utf8";
        replies += reply_of(path ? wire::kAckBadPath : wire::kAckTooLong);
      }
    }
    const bool short_one = vector.contains("hex");
    for (const bool bytewise : {false, true}) {
      if (bytewise && !short_one) continue;
      play(wire::bytes_from(vector), replies, bytewise);
      EXPECT_EQ(*worker->closed, vector["end"] == "ok" ? Errc::peer_closed : Errc::truncated);
      ASSERT_EQ(worker->calls.size(), taken.size());
      for (std::size_t i = 0; i < taken.size(); ++i) {
        const Json& message = *taken[i];
        if (message.contains("path_hex")) {
          EXPECT_EQ(worker->calls[i]->path, unhex(message["path_hex"].get<std::string>()));
        }
        if (message.contains("payload_hex")) {
          EXPECT_EQ(worker->calls[i]->payload, unhex(message["payload_hex"].get<std::string>()));
        }
      }
    }
  }
}

std::string v1_request(std::size_t payload_bytes) {
  std::string bytes(wire::request_head_bytes("e", bytes_of("{}")), '\0');
  wire::encode_request_head("e", bytes_of("{}"), static_cast<std::uint32_t>(payload_bytes),
                            reinterpret_cast<std::byte*>(bytes.data()));
  return bytes + std::string(payload_bytes, 'x');
}

TEST_F(V1ServerLive, RefusesPayloadsThatItsHandlersHaveNoRoomFor) {
  wire::Limits limits = format_limits();
  limits.queued_bytes_max = 100'000;
  connect(limits);
  const std::string two = reply_of("") + reply_of(wire::kAckOverloaded);
  say(v1_request(60'000) + v1_request(60'000) + v1_request(10), false);
  const std::string replies = two + reply_of("");
  ASSERT_TRUE(test.until([&] { return peer->heard.size() >= replies.size(); }));
  EXPECT_EQ(peer->heard, replies);
  // The first has ended: there is room again.
  test.in_turn([&] {
    ReplyOut done;
    server->reply(0, done);
  });
  say(v1_request(60'000), false);
  ASSERT_TRUE(test.until([&] { return peer->heard.size() >= replies.size() + 4; }));
  EXPECT_EQ(peer->heard, replies + reply_of(""));
  EXPECT_EQ(worker->calls.size(), 3u);
  test.in_turn([&] { peer->link().close(Errc::cancelled); });
  ASSERT_TRUE(test.until([&] { return worker->closed.has_value(); }));
}

TEST_F(V1ServerLive, AnswersWhatRealFrontendsSent) {
  for (const Json& vector : read_vectors("v1_captures.json")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    // What was captured without its acknowledgement is acknowledged all the same: with nothing.
    play(unhex(vector["request_hex"].get<std::string>()),
         unhex(vector.value("reply_hex", "00000000")), false);
    ASSERT_EQ(worker->calls.size(), 1u);
    EXPECT_EQ(worker->calls[0]->path, vector["path"].get<std::string>());
    EXPECT_EQ(worker->calls[0]->payload.size(), vector["payload_bytes"].get<std::size_t>());
    EXPECT_EQ(worker->calls[0]->headers.front(), '{');
  }
}

TEST_F(V1ServerLive, DropsWhatTheHandlerReturnsAndCountsIt) {
  const auto dropped = [] {
    return counter_snapshot().value("spanwire.channel.v1.results_dropped");
  };
  const std::int64_t before = dropped();
  connect();
  say(unhex("00016500027b7d0000000178"), false);
  ASSERT_TRUE(test.until([&] { return peer->heard.size() == 4; }));
  ReplyOut reply;
  reply.payload = Slice::copy_of("the result");
  test.in_turn([&] { server->reply(0, reply); });
  test.settle();
  EXPECT_EQ(peer->heard, reply_of(""));
  EXPECT_EQ(dropped(), before + 1);
  EXPECT_EQ(server->in_flight(), 0u);
}

// A client of ours, and a raw peer that plays the server.
class V1ClientLive : public ::testing::Test {
 protected:
  void connect(const V1Options& options = {}) {
    transport::MemoryLinks links = TcpPair(test).make(true);
    peer = std::make_unique<RawPeer>();
    events = std::make_unique<ClientLog>();
    test.in_turn([&] {
      client = make_v1_client(std::move(links.first), test.loop(), options);
      client->start(*events);
      peer->start(std::move(links.second));
    });
  }

  Result<CallId> open(CallLog& call, std::string_view path, std::string_view headers = {},
                      std::string_view payload = {}) {
    RequestOut request;
    request.path = path;
    request.headers = bytes_of(headers);
    request.payload = Slice::copy_of(payload);
    Result<CallId> id = fail(Errc::cancelled);
    test.in_turn([&] { id = client->open(request, call); });
    return id;
  }

  testing::LeakCheck leaks;
  testing::TestLoop test;
  std::unique_ptr<ClientLog> events;
  std::unique_ptr<RawPeer> peer;
  std::unique_ptr<ClientChannel> client;
};

TEST_F(V1ClientLive, WritesTheBytesOfEveryVector) {
  V1Options options;
  options.limits = format_limits();
  for (const Json& vector : read_vectors("v1_requests.json", "encode")) {
    if (!vector.contains("frame_hex")) continue;
    SCOPED_TRACE(vector["name"].get<std::string>());
    connect(options);
    CallLog call;
    ASSERT_TRUE(open(call, wire::bytes_from(vector["path"]), wire::bytes_from(vector["headers"]),
                     wire::bytes_from(vector["payload"])));
    const std::string frame = unhex(vector["frame_hex"].get<std::string>());
    ASSERT_TRUE(test.until([&] { return peer->heard.size() >= frame.size(); }));
    EXPECT_EQ(peer->heard, frame);
    test.in_turn([&] { client->close(Errc::cancelled); });
  }
}

TEST_F(V1ClientLive, TakesNothingButTheKnownTextsForAnAnswer) {
  connect();
  for (const Json& vector : read_vectors("v1_replies.json", "meaning")) {
    const std::string text = vector["text"].get<std::string>();
    SCOPED_TRACE(text);
    CallLog call;
    ASSERT_TRUE(open(call, "e"));
    test.in_turn([&] { peer->say(reply_of(text)); });
    ASSERT_TRUE(test.until([&] { return call.ended(); }));
    EXPECT_EQ(call.ends, 1);
    const std::string meaning = vector["meaning"].get<std::string>();
    if (meaning == "unknown") {
      EXPECT_EQ(call.lost, Errc::not_an_acknowledgement);
      EXPECT_EQ(call.progress, Progress::sent);
      EXPECT_EQ(call.detail, "'" + text + "'");
    } else {
      EXPECT_EQ(call.status, meaning == "accepted" ? 0 : meaning == "overloaded" ? 8 : 14);
      EXPECT_EQ(call.not_started, meaning != "accepted");
      EXPECT_EQ(call.message, text);
    }
  }
  EXPECT_FALSE(events->closed) << "the connection goes on";
}

TEST_F(V1ClientLive, ReadsTheRepliesOfEveryVector) {
  for (const Json& vector : read_vectors("v1_replies.json", "decode")) {
    for (const bool bytewise : {false, true}) {
      SCOPED_TRACE(vector["name"].get<std::string>() + (bytewise ? ", byte by byte" : ""));
      connect();
      std::vector<CallLog> calls(vector["replies"].size() + 1);
      for (CallLog& call : calls) ASSERT_TRUE(open(call, "e"));
      const std::string bytes = unhex(vector["hex"].get<std::string>());
      for (const std::string_view piece : wire::cut(bytes, 1, bytewise ? 1 : 1'000)) {
        test.in_turn([&] { peer->say(piece); });
        test.settle();
      }
      const std::size_t replies = calls.size() - 1;
      ASSERT_TRUE(test.until([&] { return replies == 0 || calls[replies - 1].ended(); }));
      test.in_turn([&] { peer->link().close(Errc::cancelled); });
      ASSERT_TRUE(test.until([&] { return events->closed.has_value(); }));
      for (const CallLog& call : calls) EXPECT_EQ(call.ends, 1);
      // The one that no reply was for ends with the connection.
      const bool too_long = vector["end"] == "payload_too_long";
      EXPECT_EQ(calls.back().lost, too_long ? Errc::payload_too_long : Errc::peer_closed);
      EXPECT_EQ(calls.back().progress, Progress::sent);
    }
  }
}

TEST_F(V1ClientLive, RefusesStreams) {
  connect();
  CallLog call;
  RequestOut request;
  request.path = "e";
  request.stream = true;
  test.in_turn([&] { EXPECT_EQ(client->open(request, call).error(), Errc::not_supported); });
  Slice data = Slice::copy_of("x");
  test.in_turn([&] { EXPECT_EQ(client->write(1, data, true).error(), Errc::not_supported); });
}

TEST_F(V1ClientLive, SendsNoMessageThatADynamoServerWouldCloseOver) {
  V1Options options;
  options.message_bytes_max = 64;
  connect(options);
  for (const Json& vector : read_vectors("v1_requests.json", "whole_message_64")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::size_t head = 1 + 2 + wire::kV1LengthsBytes;
    const std::size_t payload = vector["message_bytes"].get<std::size_t>() - head;
    if (payload > 1'000) continue;
    CallLog call;
    const Result<CallId> id = open(call, "e", "{}", std::string(payload, 'x'));
    EXPECT_EQ(id.has_value(), vector["fits_64"].get<bool>());
    if (!id) {
      EXPECT_EQ(id.error(), Errc::payload_too_long);
      continue;
    }
    test.in_turn([&] { peer->say(reply_of("")); });
    ASSERT_TRUE(test.until([&] { return call.ended(); }));
  }
}

}  // namespace
}  // namespace spanwire::channel
