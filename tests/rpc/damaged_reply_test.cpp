// Replies of wire v2 that are damaged.  Where framing is intact, their call fails with what was
// wrong and every other goes on; where it is lost, so is the connection, and each call on it fails
// with that cause.
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "tests/rpc/raw_listener.hpp"
#include "tests/rpc/raw_peer.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

using session::frame;
using session::reply;
using session::reply_body;
using wire::FrameType;

using MakeBytes = std::string (*)(std::uint32_t id);

struct Damage {
  const char* name;
  MakeBytes bytes;  // what the server answers
  Errc expected;
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

// A reply whose body is changed by `change`.
template <class Change>
std::string changed(std::uint32_t id, Change change) {
  std::string body = reply_body("fine", "payload");
  change(body);
  return frame(FrameType::reply, id, body);
}

// Where things lie in such a body.
constexpr std::size_t kMessageLength = 17;
constexpr std::size_t kMessage = wire::kReplyFixedBytes;
constexpr std::size_t kHeadersLength = kMessage + 4;
constexpr std::size_t kPayloadLength = kHeadersLength + 2 + 2;

const Damage kIntact[] = {
    {"Empty", [](std::uint32_t id) { return frame(FrameType::reply, id, ""); }, Errc::truncated},
    {"Cut",
     [](std::uint32_t id) { return changed(id, [](std::string& body) { body.pop_back(); }); },
     Errc::truncated},
    {"Trailing",
     [](std::uint32_t id) { return changed(id, [](std::string& body) { body += 'x'; }); },
     Errc::trailing_bytes},
    {"NoSuchStatus",
     [](std::uint32_t id) { return changed(id, [](std::string& body) { body[0] = 17; }); },
     Errc::bad_status},
    {"MessageNotUtf8",
     [](std::uint32_t id) {
       return changed(id, [](std::string& body) { body[kMessage] = '\xFF'; });
     },
     Errc::bad_utf8},
    {"MessageBeyondTheBody",
     [](std::uint32_t id) {
       return changed(id, [](std::string& body) { body[kMessageLength] = '\x7F'; });
     },
     Errc::truncated},
    {"HeadersBeyondTheLimit",
     [](std::uint32_t id) {
       return changed(id, [](std::string& body) { body[kHeadersLength] = '\x7F'; });
     },
     Errc::headers_too_long},
    {"PayloadBeyondTheLimit",
     [](std::uint32_t id) {
       return changed(id, [](std::string& body) { body[kPayloadLength] = '\x7F'; });
     },
     Errc::payload_too_long},
};

const Damage kLost[] = {
    {"ReservedBits",
     [](std::uint32_t id) {
       std::string bytes = reply(id, "x");
       bytes[11] = 1;
       return bytes;
     },
     Errc::reserved_bits_set},
    {"UnknownFlags", [](std::uint32_t id) { return reply(id, "x", 0x40); }, Errc::unknown_flags},
    {"HugeFrame",
     [](std::uint32_t id) {
       std::string bytes = reply(id, "x");
       bytes[0] = '\x7F';
       return bytes;
     },
     Errc::frame_too_long},
    {"PieceOfNothing",
     [](std::uint32_t id) { return frame(FrameType::reply, id, "x", wire::kFlagContinued); },
     Errc::bad_piece},
    {"TotalThatIsNotTheBodys",
     [](std::uint32_t id) {
       return frame(FrameType::reply, id, session::number64(1) + reply_body("fine", "x"),
                    wire::kFlagPieces);
     },
     Errc::bad_piece},
    {"OfNoCall", [](std::uint32_t) { return reply(session::id_of(100), "x"); },
     Errc::bad_stream_id},
};

// A v2 server that waits for so many requests, answers the first with `damage` and every other
// well.
class Saboteur {
 public:
  explicit Saboteur(MakeBytes damage, int at_once = 2)
      : damage_(damage), at_once_(at_once), thread_([this] { serve(); }) {}
  ~Saboteur() {
    listener_.stop();
    thread_.join();
  }
  std::string address() const { return "tcp://" + listener_.endpoint(); }

 private:
  void serve() {
    RawPeer peer(listener_.accept());
    peer.hear(wire::kPrefaceBytes);
    peer.say(session::hello());
    const RawFrame first = peer.hear_frame(FrameType::request);
    std::string answers = damage_(first.id);
    for (int more = 1; more < at_once_; ++more) {
      answers += reply(peer.hear_frame(FrameType::request).id, "well");
    }
    peer.say(answers);
    for (;;) {
      const RawFrame more = peer.hear_frame(FrameType::request);
      if (more.type != FrameType::request) return;
      peer.say(reply(more.id, "well"));
    }
  }

  MakeBytes damage_;
  int at_once_;
  RawListener listener_;
  std::thread thread_;
};

class DamagedReply : public RpcTest, public ::testing::WithParamInterface<Damage> {
 protected:
  // Two calls at once, the first of them first; then what they failed with.
  void call_twice(const Saboteur& saboteur) {
    ClientOptions options;
    options.connections_per_endpoint_max = 1;
    options.limits.header_block_bytes_max = 1'000;
    client_ = std::make_unique<Client>(runtime_, saboteur.address(), options);
    EXPECT_TRUE(runtime_.block_on(two()));
  }
  Task<void> two() { co_await when_all(ask("test/first", &first_), ask("test/second", &second_)); }
  Task<void> ask(std::string path, Result<Reply>* reply) {
    CallOptions options;
    *reply = co_await client_->call(trace::Context(), path, Slice::copy_of("x"), options);
  }
  ~DamagedReply() override { client_.reset(); }

  Result<Reply> first_;
  Result<Reply> second_;
};

class DamagedAlone : public DamagedReply {};
class DamagedWithAll : public DamagedReply {};
class DamagedHeaders : public RpcTest {
 protected:
  // What a call gets from a server that answers its request with `bytes`.
  Result<Reply> answer(MakeBytes bytes) {
    const Saboteur saboteur(bytes, 1);
    ClientOptions options;
    options.limits.header_block_bytes_max = 1'000;
    client_ = std::make_unique<Client>(runtime_, saboteur.address(), options);
    Result<Reply> reply = call("test/echo", "x");
    EXPECT_TRUE(call("test/echo", "the connection goes on"));
    client_.reset();
    return reply;
  }
};

// They cost what is damaged of them, not the call.
TEST_F(DamagedHeaders, OfAReplyCostThemselves) {
  const auto count = [] {
    return counter_snapshot().value("spanwire.rpc.client.bad_header_blocks");
  };
  const Result<Reply> reply = answer([](std::uint32_t id) {
    std::string body = reply_body("", "payload");
    const std::string_view block = R"({"a":"1","b":)";
    body.replace(wire::kReplyFixedBytes, 4,
                 session::number16(static_cast<std::uint16_t>(block.size())).append(block));
    return frame(FrameType::reply, id, body);
  });
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "payload");
  const std::int64_t before = count();
  const Headers headers = reply->headers();
  EXPECT_EQ(headers.get("a"), "1");
  EXPECT_FALSE(headers.get("b"));
  EXPECT_EQ(count(), before + 1);
}

TEST_F(DamagedHeaders, OfAHeadThatAreTooLongCostThemselves) {
  const Result<Reply> reply = answer([](std::uint32_t id) {
    return frame(FrameType::head, id, std::string(1'001, 'h')) + session::reply(id, "payload");
  });
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "payload");
}

TEST_P(DamagedAlone, FailsItsOwnCallAndNoOther) {
  const Saboteur saboteur(GetParam().bytes);
  call_twice(saboteur);
  ASSERT_FALSE(first_);
  EXPECT_EQ(first_.error().code(), GetParam().expected) << first_.error().message();
  EXPECT_EQ(call_failure(first_.error())->cause, GetParam().expected);
  EXPECT_EQ(call_failure(first_.error())->reached, Reached::started);
  ASSERT_TRUE(second_) << second_.error().message();
  EXPECT_EQ(second_->payload().text(), "well");
  const Result<Reply> later = call("test/later", "x");
  ASSERT_TRUE(later) << later.error().message();
  client_.reset();
}

INSTANTIATE_TEST_SUITE_P(Replies, DamagedAlone, ::testing::ValuesIn(kIntact),
                         [](const auto& damage) { return damage.param.name; });

TEST_P(DamagedWithAll, FailsEveryCallOfTheConnection) {
  const Saboteur saboteur(GetParam().bytes);
  call_twice(saboteur);
  for (const Result<Reply>* lost : {&first_, &second_}) {
    ASSERT_FALSE(*lost);
    EXPECT_EQ(lost->error().code(), Errc::connection_lost) << lost->error().message();
    EXPECT_EQ(call_failure(lost->error())->cause, GetParam().expected) << lost->error().message();
    EXPECT_EQ(status_of(lost->error()), StatusCode::unavailable);
  }
  client_.reset();
}

INSTANTIATE_TEST_SUITE_P(Replies, DamagedWithAll, ::testing::ValuesIn(kLost),
                         [](const auto& damage) { return damage.param.name; });

}  // namespace
}  // namespace spanwire::rpc
