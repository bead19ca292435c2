#include "spanwire/wire/frame.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/limits.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

TEST(FrameHeader, DecodesEveryVectorAndEncodesItBack) {
  for (const Json& vector : read_vectors("v2_frames.json", "headers")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Result<FrameHeader> header = decode_frame_header(bytes_of(bytes));
    EXPECT_EQ(name(header ? Errc::ok : header.error().code()), vector["decode"].get<std::string>());
    if (!header) continue;
    EXPECT_EQ(header->body_bytes, vector["body_bytes"].get<std::uint32_t>());
    EXPECT_EQ(header->stream_id, vector["stream_id"].get<std::uint32_t>());
    EXPECT_EQ(header->type, vector["type"].get<std::uint8_t>());
    EXPECT_EQ(header->flags, vector["flags"].get<std::uint8_t>());
    EXPECT_EQ(name(check_frame_header(*header)), vector["check"].get<std::string>());
    std::string back(kFrameHeaderBytes, '\0');
    encode_frame_header(*header, reinterpret_cast<std::byte*>(back.data()));
    EXPECT_EQ(back, bytes);
  }
}

TEST(FrameHeader, LooksAtNothingBehindIt) {
  const std::string bytes = unhex("000000000000080004000000") + "more";
  EXPECT_TRUE(decode_frame_header(bytes_of(bytes)));
}

TEST(StreamId, IsSideSlotAndGeneration) {
  for (const Json& vector : read_vectors("v2_frames.json", "ids")) {
    const StreamId id =
        StreamId::make(vector["server_side"].get<bool>(), vector["slot"].get<std::uint32_t>(),
                       vector["generation"].get<std::uint32_t>());
    EXPECT_EQ(id.raw, vector["raw"].get<std::uint32_t>());
    EXPECT_EQ(id.server_side(), vector["server_side"].get<bool>());
    EXPECT_EQ(id.slot(), vector["slot"].get<std::uint32_t>());
    EXPECT_EQ(id.generation(), vector["generation"].get<std::uint32_t>());
  }
}

TEST(StreamId, CountsGenerationsRound) {
  const StreamId last = StreamId::make(false, 3, kGenerationMax);
  EXPECT_EQ(StreamId::make(false, 3, last.generation() + 1), StreamId::make(false, 3, 0));
}

TEST(Preface, IsTakenOrRefusedByTheFirstByteThatSaysSo) {
  const std::vector<std::string> names = {"matched", "more", "mismatched"};
  for (const Json& vector : read_vectors("v2_frames.json", "prefaces")) {
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    EXPECT_EQ(names.at(static_cast<std::size_t>(match_preface(bytes_of(bytes)))),
              vector["match"].get<std::string>())
        << vector["hex"];
  }
}

// ---- Bodies

TEST(Hello, DecodesEveryVectorAndEncodesItBack) {
  for (const Json& vector : read_vectors("v2_bodies.json", "hello")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Result<Hello> hello = decode_hello(bytes_of(bytes));
    EXPECT_EQ(name(hello ? Errc::ok : hello.error().code()), text_or(vector, "error", "ok"));
    if (!hello) continue;
    Hello expected;
    expected.version = vector["version"].get<std::uint16_t>();
    expected.features = vector["features"].get<std::uint32_t>();
    expected.streams_max = vector["streams_max"].get<std::uint32_t>();
    expected.stream_window_bytes = vector["stream_window_bytes"].get<std::uint32_t>();
    expected.connection_window_bytes = vector["connection_window_bytes"].get<std::uint32_t>();
    expected.frame_body_bytes_max = vector["frame_body_bytes_max"].get<std::uint32_t>();
    expected.payload_bytes_max = vector["payload_bytes_max"].get<std::uint32_t>();
    expected.ping_interval_min_ms = vector["ping_interval_min_ms"].get<std::uint32_t>();
    expected.incarnation = vector["incarnation"].get<std::uint64_t>();
    expected.path_bytes_max = vector["path_bytes_max"].get<std::uint16_t>();
    expected.header_block_bytes_max = vector["header_block_bytes_max"].get<std::uint16_t>();
    EXPECT_EQ(*hello, expected);
    std::string back(kHelloBytes, '\0');
    encode_hello(*hello, reinterpret_cast<std::byte*>(back.data()));
    EXPECT_EQ(back, bytes.substr(0, kHelloBytes));
  }
}

TEST(Reply, DecodesEveryVectorAndEncodesItBack) {
  for (const Json& vector : read_vectors("v2_bodies.json", "reply")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Result<ReplyView> head = decode_reply_head(bytes_of(bytes));
    EXPECT_EQ(name(head ? Errc::ok : head.error().code()), text_or(vector, "head_error", "ok"));
    const Result<ReplyView> reply = decode_reply(bytes_of(bytes));
    EXPECT_EQ(name(reply ? Errc::ok : reply.error().code()), text_or(vector, "error", "ok"));
    if (!reply) continue;
    EXPECT_EQ(reply->fixed.status, vector["status"].get<std::uint8_t>());
    EXPECT_EQ(reply->fixed.received_ns, vector["received_ns"].get<std::uint64_t>());
    EXPECT_EQ(reply->fixed.duration_ns, vector["duration_ns"].get<std::uint64_t>());
    EXPECT_EQ(reply->fixed.message, unhex(vector["message_hex"].get<std::string>()));
    EXPECT_EQ(text_of(reply->headers), unhex(vector["headers_hex"].get<std::string>()));
    EXPECT_EQ(text_of(reply->payload), unhex(vector["payload_hex"].get<std::string>()));
    EXPECT_EQ(reply->head_bytes + reply->payload.size(), bytes.size());
    std::string fixed(reply_fixed_bytes(reply->fixed.message), '\0');
    EXPECT_EQ(encode_reply_fixed(reply->fixed, reinterpret_cast<std::byte*>(fixed.data())),
              fixed.size());
    EXPECT_EQ(fixed, bytes.substr(0, fixed.size()));
    EXPECT_TRUE(decode_reply_fixed(bytes_of(fixed)));
  }
}

TEST(Reply, KeepsToTheLimitsGiven) {
  const std::string bytes = unhex("00") + std::string(16, '\0') + unhex("0000") +
                            unhex("00027b7d") + unhex("00000003") + "abc";
  Limits limits;
  EXPECT_TRUE(decode_reply(bytes_of(bytes), limits));
  limits.payload_bytes_max = 2;
  EXPECT_EQ(decode_reply(bytes_of(bytes), limits).error().code(), Errc::payload_too_long);
  limits.header_block_bytes_max = 1;
  EXPECT_EQ(decode_reply(bytes_of(bytes), limits).error().code(), Errc::headers_too_long);
}

TEST(Reply, TakesAnEmptyFixedPartForNothingKnown) {
  const Result<ReplyFixed> fixed = decode_reply_fixed({});
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->status, 0);
  EXPECT_EQ(fixed->received_ns, 0u);
  EXPECT_TRUE(fixed->message.empty());
}

TEST(Goaway, DecodesEveryVectorAndEncodesItBack) {
  for (const Json& vector : read_vectors("v2_bodies.json", "goaway")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Result<Goaway> goaway = decode_goaway(bytes_of(bytes));
    EXPECT_EQ(name(goaway ? Errc::ok : goaway.error().code()), text_or(vector, "error", "ok"));
    if (!goaway) continue;
    EXPECT_EQ(goaway->accepted, vector["accepted"].get<std::uint64_t>());
    EXPECT_EQ(static_cast<unsigned>(goaway->reason), vector["reason"].get<unsigned>());
    EXPECT_EQ(goaway->message, vector["message"].get<std::string>());
    std::string back(kGoawayBytes + goaway->message.size(), '\0');
    EXPECT_EQ(encode_goaway(*goaway, reinterpret_cast<std::byte*>(back.data())), back.size());
    EXPECT_EQ(back, bytes);
  }
}

// cancel, window and ping alike: a number of fixed size.
Result<std::uint64_t> decode_number(const std::string& kind, ByteView body) {
  if (kind == "cancel") {
    SPANWIRE_TRY(const Errc reason, decode_cancel(body));
    return static_cast<std::uint64_t>(reason);
  }
  if (kind == "window") {
    SPANWIRE_TRY(const std::uint32_t credit, decode_window(body));
    return credit;
  }
  return decode_ping(body);
}

TEST(NumberBodies, DecodeEveryVector) {
  for (const Json& vector : read_vectors("v2_bodies.json", "numbers")) {
    const std::string kind = vector["kind"].get<std::string>();
    SCOPED_TRACE(kind + ": " + vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Result<std::uint64_t> value = decode_number(kind, bytes_of(bytes));
    EXPECT_EQ(name(value ? Errc::ok : value.error().code()), text_or(vector, "error", "ok"));
    if (!value) continue;
    EXPECT_EQ(*value, vector["value"].get<std::uint64_t>());
  }
}

TEST(NumberBodies, EncodeWhatTheyDecode) {
  EXPECT_EQ(*decode_cancel(encode_cancel(Errc::deadline_exceeded)), Errc::deadline_exceeded);
  EXPECT_EQ(*decode_window(encode_window(0x01020304)), 0x01020304u);
  EXPECT_EQ(*decode_ping(encode_ping(0x0102030405060708)), 0x0102030405060708u);
  EXPECT_EQ(*decode_pieces_total(encode_pieces_total(1u << 20)), 1u << 20);
  EXPECT_EQ(decode_pieces_total(bytes_of("1234567")).error().code(), Errc::frame_too_short);
}

}  // namespace
}  // namespace spanwire::wire
