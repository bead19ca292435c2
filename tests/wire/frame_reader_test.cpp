#include "spanwire/wire/frame_reader.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/multipart.hpp"
#include "spanwire/wire/out_frame.hpp"
#include "spanwire/wire/v1.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

constexpr std::uint32_t kStream = StreamId::make(false, 1, 0).raw;

struct Seen {
  unsigned type = 0;
  unsigned flags = 0;
  std::uint32_t stream_id = 0;
  std::string body;
  bool operator==(const Seen&) const = default;
};

Seen seen(const InFrame& frame) {
  return {frame.header.type, frame.header.flags, frame.header.stream_id,
          std::string(text_of(frame.body))};
}

struct Outcome {
  std::vector<Seen> frames;
  Errc end = Errc::ok;
  bool operator==(const Outcome&) const = default;
};

Outcome read_pieces(const std::vector<std::string_view>& pieces) {
  FrameReader reader;
  Outcome run;
  InFrame frame;
  for (const std::string_view piece : pieces) {
    // A heap copy that goes away: what is handed over later must not point into it.
    const std::string copy(piece);
    reader.feed(bytes_of(copy));
    while (reader.next(frame)) run.frames.push_back(seen(frame));
  }
  run.end = reader.finish();
  return run;
}

TEST(FrameReader, ReadsEveryVectorInAnySplit) {
  for (const Json& vector : read_vectors("v2_frames.json", "runs")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    Outcome expected;
    for (const Json& frame : vector["frames"]) {
      expected.frames.push_back({frame["type"].get<unsigned>(), frame["flags"].get<unsigned>(),
                                 frame["stream_id"].get<std::uint32_t>(),
                                 unhex(frame["body_hex"].get<std::string>())});
    }
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Outcome whole = read_pieces({bytes});
    EXPECT_EQ(whole.frames, expected.frames);
    EXPECT_EQ(name(whole.end), vector["end"].get<std::string>());
    const std::string_view view(bytes);
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      ASSERT_EQ(read_pieces({view.substr(0, at), view.substr(at)}), whole) << at;
    }
    for (std::uint32_t seed = 0; seed < 10; ++seed) {
      ASSERT_EQ(read_pieces(cut(bytes, seed, 1 + seed)), whole) << seed;
    }
  }
}

std::string frame_bytes(FrameType type, std::uint8_t flags, std::string_view body) {
  std::string bytes(kFrameHeaderBytes, '\0');
  encode_frame_header(
      {static_cast<std::uint32_t>(body.size()), kStream, static_cast<std::uint8_t>(type), flags},
      reinterpret_cast<std::byte*>(bytes.data()));
  return bytes.append(body);
}

TEST(FrameReader, KeepsToTheLimitOfItsOwn) {
  FrameReader reader(10);
  InFrame frame;
  const std::string fits = frame_bytes(FrameType::data, 0, "1234567890");
  reader.feed(bytes_of(fits));
  EXPECT_TRUE(reader.next(frame));
  EXPECT_FALSE(reader.next(frame));
  // The header alone is enough to refuse it.
  const std::string longer = frame_bytes(FrameType::data, 0, "12345678901").substr(0, 12);
  reader.feed(bytes_of(longer));
  EXPECT_FALSE(reader.next(frame));
  EXPECT_EQ(reader.error(), Errc::frame_too_long);
  EXPECT_EQ(reader.finish(), Errc::frame_too_long);
  reader.feed(bytes_of(fits));
  EXPECT_FALSE(reader.next(frame)) << "framing is lost for good";
}

TEST(FrameReader, ReadsALargeBodyInPlace) {
  const std::string body(60'000, 'b');
  const std::string bytes = frame_bytes(FrameType::data, 0, body);
  FrameReader reader;
  InFrame frame;
  std::string_view rest(bytes);
  reader.feed(bytes_of(rest.substr(0, 100)));
  EXPECT_FALSE(reader.next(frame));
  EXPECT_TRUE(reader.in_body());
  EXPECT_EQ(reader.header().body_bytes, body.size());
  rest.remove_prefix(100);
  ASSERT_EQ(reader.target().size(), rest.size());
  std::memcpy(reader.target().data(), rest.data(), rest.size() - 1'000);
  reader.filled(rest.size() - 1'000);
  EXPECT_FALSE(reader.next(frame));
  EXPECT_TRUE(reader.target().empty()) << "the rest is not worth a read of its own";
  rest.remove_prefix(rest.size() - 1'000);
  reader.feed(bytes_of(rest));
  ASSERT_TRUE(reader.next(frame));
  EXPECT_EQ(text_of(frame.body), body);
  EXPECT_FALSE(reader.in_frame());
  const Slice part = frame.slice(frame.body.subspan(10, 20));
  EXPECT_EQ(part.data(), frame.body.data() + 10) << "no copy";
}

TEST(FrameReader, SharesTheBlockThatWasReadInto) {
  const std::string bytes = frame_bytes(FrameType::data, 0, "abcdef");
  Block* block = Block::make(bytes.size());
  std::memcpy(block->data(), bytes.data(), bytes.size());
  FrameReader reader;
  InFrame frame;
  reader.feed({block->data(), bytes.size()}, block);
  ASSERT_TRUE(reader.next(frame));
  const Slice part = frame.slice(frame.body.subspan(2, 3));
  EXPECT_TRUE(frame.slice(frame.body.first(0)).empty());
  EXPECT_FALSE(block->unique());
  block->release();
  EXPECT_EQ(part.text(), "cde");
}

TEST(FrameReader, CopiesWhereThereIsNothingToShare) {
  std::string bytes = frame_bytes(FrameType::data, 0, "abcdef");
  FrameReader reader;
  InFrame frame;
  reader.feed(bytes_of(bytes));
  ASSERT_TRUE(reader.next(frame));
  const Slice part = frame.slice(frame.body);
  bytes.assign(bytes.size(), '!');
  EXPECT_EQ(part.text(), "abcdef");
}

// Puts later pieces one behind the other, as a payload in the making.
class Placer final : public PiecePlacer {
 public:
  MutableByteView place(const FrameHeader& header) noexcept override {
    if (used_ + header.body_bytes > memory_.size()) return {};
    const MutableByteView place(reinterpret_cast<std::byte*>(memory_.data()) + used_,
                                header.body_bytes);
    used_ += header.body_bytes;
    return place;
  }
  std::string text() const { return memory_.substr(0, used_); }

 private:
  std::string memory_ = std::string(16, '\0');
  std::size_t used_ = 0;
};

TEST(FrameReader, PutsLaterPiecesWhereTheyStay) {
  const std::string bytes = frame_bytes(FrameType::data, kFlagPieces, "first") +
                            frame_bytes(FrameType::data, kFlagContinued, "0123456789") +
                            frame_bytes(FrameType::data, kFlagContinued, "abcdef") +
                            frame_bytes(FrameType::data, kFlagContinued, "no room");
  for (std::size_t piece_max : {1u, 3u, 1'000u}) {
    Placer placer;
    FrameReader reader(kFrameBodyBytesMax, &placer);
    InFrame frame;
    std::vector<std::pair<std::string, bool>> frames;
    for (const std::string_view piece : cut(bytes, 1, piece_max)) {
      reader.feed(bytes_of(piece));
      while (reader.next(frame)) frames.emplace_back(text_of(frame.body), frame.placed);
    }
    EXPECT_EQ(frames,
              (std::vector<std::pair<std::string, bool>>{
                  {"first", false}, {"0123456789", true}, {"abcdef", true}, {"no room", false}}));
    EXPECT_EQ(placer.text(), "0123456789abcdef");
  }
}

// ---- Outgoing frames: what the two layouts write is what the decoders read.

OutFrame request_frame(std::uint8_t flags) {
  OutFrame frame;
  frame.header = {0, kStream, static_cast<std::uint8_t>(FrameType::request), flags};
  frame.first = bytes_of("a/gen");
  frame.headers = bytes_of("{}");
  frame.payload = Slice::copy_of("payload");
  frame.payload_total = 7;
  return frame;
}

std::string laid_out(const OutFrame& frame) {
  std::string bytes(byte_head_bytes(frame), '\0');
  write_byte_head(frame, bytes.size(), reinterpret_cast<std::byte*>(bytes.data()));
  bytes.append(frame.payload.text());
  EXPECT_EQ(bytes.size(), kFrameHeaderBytes + byte_body_bytes(frame));
  return bytes;
}

Seen read_one(const std::string& bytes) {
  const Outcome run = read_pieces({bytes});
  EXPECT_EQ(run.frames.size(), 1u);
  EXPECT_EQ(run.end, Errc::ok);
  return run.frames.at(0);
}

TEST(OutFrameBytes, RequestIsOneV1Message) {
  const Seen in = read_one(laid_out(request_frame(kFlagEnd)));
  const Result<RequestView> request = decode_request(bytes_of(in.body));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "a/gen");
  EXPECT_EQ(text_of(request->headers), "{}");
  EXPECT_EQ(text_of(request->payload), "payload");
}

TEST(OutFrameBytes, FirstPieceOfARequestHasTheTotalInFront) {
  OutFrame frame = request_frame(kFlagEnd | kFlagPieces);
  frame.payload_total = 70'000;
  frame.body_total = 70'015;
  const Seen in = read_one(laid_out(frame));
  const ByteView body = bytes_of(in.body);
  EXPECT_EQ(*decode_pieces_total(body), 70'015u);
  const Result<RequestHead> head = decode_request_head(body.subspan(kPiecesTotalBytes));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->path, "a/gen");
  EXPECT_EQ(head->payload_bytes, 70'000u);
  EXPECT_EQ(text_of(body.subspan(kPiecesTotalBytes + head->head_bytes)), "payload");
}

TEST(OutFrameBytes, LaterPieceIsNothingButPayload) {
  EXPECT_EQ(read_one(laid_out(request_frame(kFlagContinued))).body, "payload");
}

TEST(OutFrameBytes, ReplyHasItsFieldsBeforeHeadersAndPayload) {
  std::string fixed(reply_fixed_bytes("why"), '\0');
  encode_reply_fixed({2, 17, 23, "why"}, reinterpret_cast<std::byte*>(fixed.data()));
  OutFrame frame = request_frame(0);
  frame.header.type = static_cast<std::uint8_t>(FrameType::reply);
  frame.first = bytes_of(fixed);
  const Seen in = read_one(laid_out(frame));
  const Result<ReplyView> reply = decode_reply(bytes_of(in.body));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->fixed.status, 2);
  EXPECT_EQ(reply->fixed.received_ns, 17u);
  EXPECT_EQ(reply->fixed.duration_ns, 23u);
  EXPECT_EQ(reply->fixed.message, "why");
  EXPECT_EQ(text_of(reply->headers), "{}");
  EXPECT_EQ(text_of(reply->payload), "payload");
}

TEST(OutFrameBytes, OthersAreTheirFieldsAlone) {
  OutFrame frame;
  frame.header = {0, kStream, static_cast<std::uint8_t>(FrameType::head), 0};
  frame.headers = bytes_of(R"({"a":"b"})");
  EXPECT_EQ(read_one(laid_out(frame)).body, R"({"a":"b"})");
  OutFrame ping;
  const auto token = encode_ping(5);
  ping.header.type = static_cast<std::uint8_t>(FrameType::ping);
  ping.first = token;
  EXPECT_EQ(read_one(laid_out(ping)).body, text_of(token));
  OutFrame data;
  data.header = {0, kStream, static_cast<std::uint8_t>(FrameType::data), kFlagPieces};
  data.payload = Slice::copy_of("abc");
  data.body_total = 9;
  EXPECT_EQ(read_one(laid_out(data)).body, unhex("0000000000000009") + "abc");
}

std::vector<Slice> laid_out_parts(const OutFrame& frame, bool* payload_last = nullptr) {
  OutParts out;
  lay_out_parts(frame, out);
  if (payload_last != nullptr) *payload_last = out.payload_last;
  std::vector<Slice> parts;
  for (const ByteView part : out.view()) parts.push_back(Slice::copy_of(part));
  return parts;
}

TEST(OutFrameParts, RequestHasItsFieldsAsParts) {
  bool payload_last = false;
  std::vector<Slice> parts = laid_out_parts(request_frame(kFlagEnd), &payload_last);
  EXPECT_TRUE(payload_last);
  EXPECT_EQ(parts.size(), 4u);
  const Result<InParts> in = decode_parts(parts);
  ASSERT_TRUE(in);
  EXPECT_EQ(in->first->text(), "a/gen");
  EXPECT_EQ(in->headers->text(), "{}");
  EXPECT_EQ(in->payload->text(), "payload");
}

TEST(OutFrameParts, FirstPieceHasTheTotalAsAPart) {
  OutFrame frame = request_frame(kFlagEnd | kFlagPieces);
  frame.body_total = 12'345;
  std::vector<Slice> parts = laid_out_parts(frame);
  EXPECT_EQ(parts.size(), kPartsMax);
  const Result<InParts> in = decode_parts(parts);
  ASSERT_TRUE(in);
  EXPECT_EQ(in->body_total, 12'345u);
  EXPECT_EQ(in->payload->text(), "payload");
}

TEST(OutFrameParts, OthersHaveOnePart) {
  bool payload_last = false;
  std::vector<Slice> later = laid_out_parts(request_frame(kFlagContinued), &payload_last);
  EXPECT_TRUE(payload_last);
  ASSERT_TRUE(decode_parts(later));
  EXPECT_EQ(decode_parts(later)->payload->text(), "payload");
  OutFrame ping;
  const auto token = encode_ping(5);
  ping.header.type = static_cast<std::uint8_t>(FrameType::ping);
  ping.first = token;
  std::vector<Slice> parts = laid_out_parts(ping, &payload_last);
  EXPECT_FALSE(payload_last);
  ASSERT_TRUE(decode_parts(parts));
  EXPECT_EQ(decode_parts(parts)->payload->text(), text_of(token));
}

std::string text_of_part(const Slice* part) {
  return part == nullptr ? "(none)" : std::string(part->text());
}

TEST(Multipart, DecodesEveryVector) {
  for (const Json& vector : read_vectors("multipart.json", "vectors")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    std::vector<Slice> parts;
    for (const Json& part : vector["parts_hex"]) {
      parts.push_back(Slice::copy_of(unhex(part.get<std::string>())));
    }
    const Result<InParts> in = decode_parts(parts);
    EXPECT_EQ(name(in ? Errc::ok : in.error().code()), text_or(vector, "error", "ok"));
    if (!in) continue;
    EXPECT_EQ(in->header.type, vector["type"].get<std::uint8_t>());
    EXPECT_EQ(in->body_total, vector.value("total", std::uint64_t{0}));
    const auto expected = [&](const char* key) {
      return vector.contains(key) ? unhex(vector[key].get<std::string>()) : "(none)";
    };
    EXPECT_EQ(text_of_part(in->first), expected("first"));
    EXPECT_EQ(text_of_part(in->headers), expected("headers"));
    EXPECT_EQ(text_of_part(in->payload), expected("payload"));
  }
}

TEST(Multipart, TakesAOneWayMessageOfThreeParts) {
  const auto decode = [](std::vector<std::string> texts) {
    std::vector<Slice> parts;
    for (const std::string& text : texts) parts.push_back(Slice::copy_of(text));
    Limits limits;
    limits.path_bytes_max = 4;
    limits.header_block_bytes_max = 3;
    limits.payload_bytes_max = 2;
    const Result<OneWayParts> in = decode_one_way(parts, limits);
    return in ? Errc::ok : in.error().code();
  };
  EXPECT_EQ(decode({"path", "{ }", "xy"}), Errc::ok);
  EXPECT_EQ(decode({"", "", ""}), Errc::ok);
  EXPECT_EQ(decode({}), Errc::wrong_part_count);
  EXPECT_EQ(decode({"path", "{}"}), Errc::wrong_part_count);
  EXPECT_EQ(decode({"path", "{}", "x", "y"}), Errc::wrong_part_count);
  EXPECT_EQ(decode({"paths", "{}", "x"}), Errc::path_too_long);
  EXPECT_EQ(decode({"\xFF", "{}", "x"}), Errc::path_not_utf8);
  EXPECT_EQ(decode({"path", "{  }", "x"}), Errc::headers_too_long);
  EXPECT_EQ(decode({"path", "{}", "xyz"}), Errc::payload_too_long);
}

}  // namespace
}  // namespace spanwire::wire
