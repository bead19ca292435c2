// Each protocol error has one cause, ends the connection, and every call on it ends with that
// cause.
#include "tests/session/harness.hpp"

namespace spanwire::session {
namespace {

using namespace wire;

constexpr std::uint32_t kStreams = 4;

SessionOptions small_options() {
  SessionOptions options;
  options.limits.streams_max = kStreams;
  options.limits.connection_window_bytes = 8'192;
  options.limits.stream_window_bytes = 1'024;
  return options;
}

struct BadPeer {
  const char* name;
  Role role;  // of the session that has to do with it
  bool after_hello;
  std::string bytes;
  Errc expected;
};

void PrintTo(const BadPeer& peer, std::ostream* out) { *out << peer.name; }

std::string with_reserved_bits(std::string bytes) {
  bytes[11] = 1;
  return bytes;
}
std::string announcing(std::string bytes, std::uint32_t body_bytes) {
  store_big(reinterpret_cast<std::byte*>(bytes.data()), body_bytes);
  return bytes;
}
Hello hello_of(std::uint32_t stream_window, std::uint32_t connection_window) {
  Hello fields;
  fields.stream_window_bytes = stream_window;
  fields.connection_window_bytes = connection_window;
  return fields;
}
Hello hello_of_version(std::uint16_t version) {
  Hello fields;
  fields.version = version;
  return fields;
}
Hello hello_with_frames_of(std::uint32_t bytes) {
  Hello fields;
  fields.frame_body_bytes_max = bytes;
  return fields;
}
// The first piece of a request whose payload has `total` bytes, `here` of them in it.
std::string first_piece(std::uint32_t id, std::size_t total, std::size_t here,
                        std::int64_t lie = 0) {
  const std::string body = request_body("p", std::string(here, 'x'), total);
  const std::size_t all = body.size() - here + total;
  return frame(FrameType::request, id,
               number64(static_cast<std::uint64_t>(static_cast<std::int64_t>(all) + lie)) + body,
               kFlagEnd | kFlagPieces);
}
std::string next_piece(FrameType type, std::uint32_t id, std::size_t bytes) {
  return frame(type, id, std::string(bytes, 'x'), kFlagContinued);
}

// Slot 1 is a stream, slot 2 a unary call that runs.
std::string two_open() { return open_stream(id_of(1), "s") + request(id_of(2), "u"); }

const std::string kFiveFillStream =
    data(id_of(1), std::string(300, 'd')) + data(id_of(1), std::string(300, 'd')) +
    data(id_of(1), std::string(300, 'd')) + data(id_of(1), std::string(300, 'd'));

const BadPeer kBadPeers[] = {
    {"NoPreface", Role::server, false, "GET / HTTP/1.1\r\n\r\n", Errc::bad_preface},
    {"PrefaceWithOneWrongByte", Role::server, false, preface().substr(0, 7) + "x",
     Errc::bad_preface},
    {"RequestBeforeHello", Role::server, false, preface() + request(id_of(1), "p"),
     Errc::hello_expected},
    {"PingBeforeHello", Role::client, false, ping(1), Errc::hello_expected},
    {"ReplyBeforeHello", Role::client, false, reply(id_of(1)), Errc::hello_expected},
    {"HelloTwice", Role::server, true, hello(), Errc::hello_repeated},
    {"HelloTwiceToClient", Role::client, true, hello(), Errc::hello_repeated},
    {"VersionOne", Role::client, false, hello(hello_of_version(1)), Errc::bad_version},
    {"NoConnectionWindow", Role::client, false, hello(hello_of(1'024, 100)), Errc::bad_hello},
    {"NoStreamWindow", Role::client, false, hello(hello_of(3, 65'536)), Errc::bad_hello},
    {"WindowBeyondItsBound", Role::client, false, hello(hello_of(0x8000'0000u, 65'536)),
     Errc::bad_hello},
    {"TinyFrames", Role::client, false, hello(hello_with_frames_of(1'023)), Errc::bad_hello},
    {"ShortHello", Role::client, false, frame(FrameType::hello, 0, "short"), Errc::frame_too_short},
    {"ReservedBits", Role::server, true, with_reserved_bits(ping(1)), Errc::reserved_bits_set},
    {"UnknownFlags", Role::server, true, frame(FrameType::ping, 0, std::string(8, 'x'), 0x40),
     Errc::unknown_flags},
    {"OneWayStream", Role::server, true,
     request(id_of(1), "p", "", kFlagOneWay | kFlagStream | kFlagEnd), Errc::unknown_flags},
    {"HugeFrame", Role::server, true, announcing(request(id_of(1), "p"), 1u << 30),
     Errc::frame_too_long},
    {"LongWindow", Role::server, true, frame(FrameType::window, 0, "12345"), Errc::frame_too_long},
    {"ShortCancel", Role::server, true, frame(FrameType::cancel, id_of(1), "1"),
     Errc::frame_too_short},
    {"RequestOnTheConnection", Role::server, true, request(0, "p"), Errc::bad_stream_id},
    {"RequestOnSlotZero", Role::server, true, request(1, "p"), Errc::bad_stream_id},
    {"RequestOfTheWrongSide", Role::server, true, request(StreamId::make(true, 1, 0).raw, "p"),
     Errc::bad_stream_id},
    {"RequestBeyondTheStreams", Role::server, true, request(id_of(kStreams + 1), "p"),
     Errc::bad_stream_id},
    {"PingOnAStream", Role::server, true, frame(FrameType::ping, id_of(1), std::string(8, 'x')),
     Errc::bad_stream_id},
    {"DataOfNobody", Role::server, true, data(id_of(3), "d"), Errc::bad_stream_id},
    {"CancelOfNobody", Role::server, true, cancel(id_of(3)), Errc::bad_stream_id},
    {"WindowOfNobody", Role::server, true, window(id_of(3), 1), Errc::bad_stream_id},
    {"ReplyToNothing", Role::client, true, reply(id_of(1)), Errc::bad_stream_id},
    {"ReplyOfTheWrongSide", Role::client, true, reply(StreamId::make(true, 1, 0).raw),
     Errc::bad_stream_id},
    {"SlotInUse", Role::server, true, two_open() + request(id_of(2), "p"), Errc::stream_in_use},
    {"SlotInUseByAnotherGeneration", Role::server, true, two_open() + request(id_of(2, 1), "p"),
     Errc::stream_in_use},
    {"ReplyToAServer", Role::server, true, two_open() + reply(id_of(2)), Errc::unexpected_frame},
    {"HeadToAServer", Role::server, true, two_open() + frame(FrameType::head, id_of(2), "{}"),
     Errc::unexpected_frame},
    {"RequestToAClient", Role::client, true, request(id_of(1), "p"), Errc::unexpected_frame},
    {"CancelToAClient", Role::client, true, cancel(id_of(1)), Errc::unexpected_frame},
    {"DataOnAUnaryCall", Role::server, true, two_open() + data(id_of(2), "d"),
     Errc::unexpected_frame},
    {"CreditForAUnaryCall", Role::server, true, two_open() + window(id_of(2), 1),
     Errc::unexpected_frame},
    {"DataBehindTheEnd", Role::server, true,
     two_open() + data(id_of(1), "d", kFlagEnd) + data(id_of(1), "d"), Errc::data_after_end},
    {"MoreDataThanTheStreamsCredit", Role::server, true, two_open() + kFiveFillStream,
     Errc::credit_exceeded},
    {"MoreThanTheConnectionsCredit", Role::server, true,
     request(id_of(1), "p", std::string(8'192, 'x')), Errc::credit_exceeded},
    {"TooMuchCredit", Role::server, true, window(0, 0x7FFF'FFFFu), Errc::credit_overflow},
    {"TooMuchCreditForAStream", Role::server, true, two_open() + window(id_of(1), 0x7FFF'FFFFu),
     Errc::credit_overflow},
    {"PieceOfNothing", Role::server, true, two_open() + next_piece(FrameType::data, id_of(1), 5),
     Errc::bad_piece},
    {"PieceOfAnotherType", Role::server, true,
     first_piece(id_of(1), 100, 50) + next_piece(FrameType::data, id_of(1), 50), Errc::bad_piece},
    {"MorePiecesThanAnnounced", Role::server, true,
     first_piece(id_of(1), 100, 50) + next_piece(FrameType::request, id_of(1), 51),
     Errc::bad_piece},
    {"FirstPieceLargerThanItsTotal", Role::server, true, first_piece(id_of(1), 100, 100, -1),
     Errc::bad_piece},
    {"TotalThatIsNotThePayloads", Role::server, true, first_piece(id_of(1), 100, 50, 1),
     Errc::bad_piece},
    {"DataInsideASequence", Role::server, true,
     two_open() +
         frame(FrameType::data, id_of(1), number64(100) + std::string(50, 'd'), kFlagPieces) +
         data(id_of(1), "d"),
     Errc::bad_piece},
    {"PongToNoPing", Role::server, true, pong(1), Errc::pong_unexpected},
    {"PongToNoPingOfTheClient", Role::client, true, pong(0), Errc::pong_unexpected},
    {"GoawayThatGrows", Role::client, true, goaway(3) + goaway(4), Errc::goaway_grew},
    {"GoawayOfTheClientThatGrows", Role::server, true, goaway(0) + goaway(1), Errc::goaway_grew},
    {"GoawayWithoutUtf8", Role::client, true,
     frame(FrameType::goaway, 0, std::string(10, '\0') + "\xFF"), Errc::bad_utf8},
};

class SessionRefuses : public ::testing::TestWithParam<BadPeer> {};

TEST_P(SessionRefuses, WithTheRightError) {
  const BadPeer& peer = GetParam();
  Machine machine(peer.role, small_options());
  // So that a client stays open until the second goaway, as it would with a call in flight.
  if (peer.after_hello) {
    machine.shake_hands();
    if (peer.role == Role::client && peer.expected == Errc::goaway_grew) machine.open("p");
  } else {
    machine.start();
  }
  machine.feed(peer.bytes);
  ASSERT_TRUE(machine.end) << "the session goes on";
  EXPECT_EQ(name(*machine.end), name(peer.expected));
  EXPECT_EQ(machine.session.state(), State::closed);
  EXPECT_EQ(machine.session.in_flight(), 0u);
  for (const Heard& heard : machine.heard) {
    if (heard.what == "lost") {
      EXPECT_EQ(heard.code, peer.expected);
    }
  }
  // Nothing is listened to any more.
  const std::size_t heard = machine.heard.size();
  machine.feed(ping(1));
  EXPECT_EQ(machine.heard.size(), heard);
}

// The same, one byte at a time.
TEST_P(SessionRefuses, InAnySplit) {
  const BadPeer& peer = GetParam();
  Machine machine(peer.role, small_options());
  if (peer.after_hello) {
    machine.shake_hands();
    if (peer.role == Role::client && peer.expected == Errc::goaway_grew) machine.open("p");
  } else {
    machine.start();
  }
  for (const char byte : peer.bytes) {
    if (!machine.end) machine.feed(std::string_view(&byte, 1));
  }
  EXPECT_EQ(machine.end.value_or(Errc::ok), peer.expected);
}

INSTANTIATE_TEST_SUITE_P(Peers, SessionRefuses, ::testing::ValuesIn(kBadPeers),
                         [](const auto& peer) { return peer.param.name; });

// The peer learns why, unless it never said hello.
TEST(SessionErrors, TellThePeerTheCause) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.feed(request(id_of(1), "p") + pong(1));
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_FALSE(sent.empty());
  ASSERT_EQ(sent.back().type, FrameType::goaway);
  const Result<Goaway> said = decode_goaway(bytes_of(sent.back().body));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->reason, Errc::pong_unexpected);
  EXPECT_EQ(said->accepted, 1u);
}

// ---- Damage to one message costs that message

struct Damaged {
  const char* name;
  std::string bytes;
  std::uint8_t status;
};

void PrintTo(const Damaged& damaged, std::ostream* out) { *out << damaged.name; }

const Damaged kDamaged[] = {
    {"Truncated", frame(FrameType::request, id_of(1), request_body("p", "x", 2), kFlagEnd), 13},
    {"Trailing", frame(FrameType::request, id_of(1), request_body("p", "xx", 1), kFlagEnd), 13},
    {"Empty", frame(FrameType::request, id_of(1), "", kFlagEnd), 13},
    {"PathNotUtf8", request(id_of(1), "\xFF"), 13},
    {"PathTooLong", request(id_of(1), std::string(4'097, 'p')), 8},
    {"PayloadTooLong", first_piece(id_of(1), 2'000'000, 100), 8},
};

class SessionForgives : public ::testing::TestWithParam<Damaged> {};

TEST_P(SessionForgives, AMessageThatIsDamaged) {
  SessionOptions options;
  options.limits.payload_bytes_max = 1'000'000;
  Machine machine(Role::server, options);
  machine.shake_hands();
  machine.feed(GetParam().bytes);
  EXPECT_EQ(machine.count("request"), 0u);
  EXPECT_EQ(machine.refused, 1);
  const std::vector<SentFrame> sent = machine.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, FrameType::reply);
  EXPECT_EQ(sent[0].flags, kFlagNotStarted);
  const Result<ReplyView> answer = decode_reply(bytes_of(sent[0].body));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fixed.status, GetParam().status);
  // The connection goes on, also through what is left of the damaged body.
  if (GetParam().status == 8 && sent[0].id == id_of(1)) {
    machine.feed(frame(FrameType::request, id_of(1), "rest", kFlagContinued));
  }
  machine.feed(request(id_of(1, 1), "p"));
  EXPECT_EQ(machine.count("request"), 1u);
  EXPECT_EQ(machine.session.counters().damaged_messages, 1u);
}

INSTANTIATE_TEST_SUITE_P(Messages, SessionForgives, ::testing::ValuesIn(kDamaged),
                         [](const auto& damaged) { return damaged.param.name; });

TEST(SessionErrors, AReplyThatIsNotUnderstoodIsAnErrorNeverAHang) {
  Machine machine(Role::client);
  machine.shake_hands();
  const std::uint32_t id = *machine.open("p");
  std::string body = reply_body("fine", "x");
  body[0] = 17;
  machine.feed(frame(FrameType::reply, id, body));
  EXPECT_EQ(machine.last().what, "lost");
  EXPECT_EQ(machine.last().code, Errc::bad_status);
  EXPECT_EQ(machine.last().progress, Progress::started);
  EXPECT_EQ(machine.session.state(), State::ready);
  EXPECT_EQ(machine.session.in_flight(), 0u);
}

TEST(SessionErrors, AFrameOfALaterVersionIsSkippedAndCounted) {
  Machine machine(Role::server);
  machine.shake_hands();
  machine.feed(frame(static_cast<FrameType>(77), 12'345, "whatever", 0xFF) +
               request(id_of(1), "p"));
  EXPECT_EQ(machine.last().what, "request");
  EXPECT_EQ(machine.session.counters().unknown_types, 1u);
}

}  // namespace
}  // namespace spanwire::session
