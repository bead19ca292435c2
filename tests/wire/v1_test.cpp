#include "spanwire/wire/v1.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spanwire/wire/headers.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

// The format's own limits: what the vectors show is the codec's part, not an option's.
Limits wide_limits() {
  Limits limits;
  limits.path_bytes_max = kV1PathBytesMax;
  return limits;
}

// A request as plain values, to compare what different splits of the input gave.
struct Seen {
  std::string path;
  std::string headers;
  std::string payload;
  Errc damage = Errc::ok;
  bool operator==(const Seen&) const = default;
};

struct Outcome {
  std::vector<Seen> requests;
  Errc end = Errc::ok;
  bool operator==(const Outcome&) const = default;
};

Outcome decode_pieces(const std::vector<std::string_view>& pieces, const Limits& limits,
                      std::size_t message_bytes_max = kV1MessageBytesMax) {
  RequestDecoder decoder(limits, message_bytes_max);
  Outcome run;
  InRequest in;
  for (const std::string_view piece : pieces) {
    // A heap copy that goes away: what is handed over later must not point into it.
    const std::string copy(piece);
    decoder.feed(bytes_of(copy));
    while (decoder.next(in)) {
      run.requests.push_back({std::string(in.path), std::string(text_of(in.headers)),
                              std::string(text_of(in.payload)), in.damage});
    }
  }
  run.end = decoder.finish();
  return run;
}

Outcome decode_all(std::string_view bytes, const Limits& limits) {
  return decode_pieces({bytes}, limits);
}

void expect_headers(const Json& expected, std::string_view block) {
  HeaderList list;
  EXPECT_EQ(name(list.parse(bytes_of(block))), text_or(expected, "header_fault", "ok"));
  ASSERT_EQ(list.size(), expected["headers"].size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].name, bytes_from(expected["headers"][i][0]));
    EXPECT_EQ(list[i].value, bytes_from(expected["headers"][i][1]));
  }
}

void expect_request(const Json& expected, const Seen& seen) {
  EXPECT_EQ(name(seen.damage), text_or(expected, "damage", "ok"));
  if (expected.contains("path_hex")) {
    EXPECT_EQ(seen.path, unhex(expected["path_hex"].get<std::string>()));
  } else {
    EXPECT_EQ(seen.path.size(), expected["path_bytes"].get<std::size_t>());
  }
  EXPECT_EQ(seen.payload, unhex(text_or(expected, "payload_hex", "")));
  expect_headers(expected, seen.headers);
}

TEST(RequestDecoder, ReadsEveryVector) {
  for (const Json& vector : read_vectors("v1_requests.json", "decode")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Outcome run = decode_all(bytes_from(vector), wide_limits());
    EXPECT_EQ(name(run.end), vector["end"].get<std::string>());
    ASSERT_EQ(run.requests.size(), vector["messages"].size());
    for (std::size_t i = 0; i < run.requests.size(); ++i) {
      expect_request(vector["messages"][i], run.requests[i]);
    }
  }
}

TEST(RequestDecoder, SeesTheSameInAnySplit) {
  for (const Json& vector : read_vectors("v1_requests.json", "decode")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = bytes_from(vector);
    const Outcome whole = decode_all(bytes, wide_limits());
    const std::size_t splits_max = std::min<std::size_t>(bytes.size(), 200);
    for (std::size_t at = 0; at <= splits_max; ++at) {
      const std::string_view view(bytes);
      ASSERT_EQ(decode_pieces({view.substr(0, at), view.substr(at)}, wide_limits()), whole) << at;
    }
    if (bytes.size() < 2'000) {
      ASSERT_EQ(decode_pieces(cut(bytes, 0, 1), wide_limits()), whole) << "byte by byte";
    }
    for (std::uint32_t seed = 0; seed < 8; ++seed) {
      ASSERT_EQ(decode_pieces(cut(bytes, seed, 1 + bytes.size() / 3), wide_limits()), whole)
          << seed;
    }
  }
}

TEST(RequestDecoder, ReadsWhatWasCaptured) {
  for (const Json& vector : read_vectors("v1_captures.json", "vectors")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Outcome run = decode_all(unhex(vector["request_hex"].get<std::string>()), {});
    EXPECT_EQ(run.end, Errc::ok);
    ASSERT_EQ(run.requests.size(), 1u);
    EXPECT_EQ(run.requests[0].path, vector["path"].get<std::string>());
    EXPECT_EQ(run.requests[0].payload.size(), vector["payload_bytes"].get<std::size_t>());
    expect_headers(vector, run.requests[0].headers);
    if (!vector.contains("reply_hex")) continue;
    AckDecoder replies;
    const std::string reply = unhex(vector["reply_hex"].get<std::string>());
    replies.feed(bytes_of(reply));
    std::string_view text = "none";
    ASSERT_TRUE(replies.next(text));
    EXPECT_EQ(classify_ack(text), Acknowledgement::accepted);
    EXPECT_EQ(replies.finish(), Errc::ok);
  }
}

// What a server answers to the bytes of each probe, by damage and route alone.
TEST(RequestDecoder, GivesAServerWhatItNeedsToAnswer) {
  for (const Json& vector : read_vectors("v1_server.json", "vectors")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Outcome run = decode_all(unhex(vector["sent_hex"].get<std::string>()), {});
    EXPECT_EQ(name(run.end), vector["end"].get<std::string>());
    std::vector<std::string> replies;
    for (const Seen& seen : run.requests) {
      if (seen.damage != Errc::ok) {
        replies.emplace_back(ack_text(seen.damage));
      } else {
        const bool served = seen.path == "1a2b/default/backend/generate";
        replies.push_back(served ? std::string() : unknown_endpoint_text(seen.path));
      }
    }
    EXPECT_EQ(replies, vector["replies"].get<std::vector<std::string>>());
    for (const std::string& reply : replies) {
      EXPECT_NE(classify_ack(reply), Acknowledgement::unknown) << reply;
    }
  }
}

std::string message(std::string_view path, std::string_view headers, std::string_view payload) {
  std::string bytes(request_head_bytes(path, bytes_of(headers)), '\0');
  const std::size_t written =
      encode_request_head(path, bytes_of(headers), static_cast<std::uint32_t>(payload.size()),
                          reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_EQ(written, bytes.size());
  return bytes.append(payload);
}

TEST(RequestDecoder, NamesDamageAndGoesOn) {
  Limits limits;
  limits.path_bytes_max = 3;
  limits.header_block_bytes_max = 7;
  limits.payload_bytes_max = 5;
  struct Case {
    std::string bytes;
    Errc damage;
  };
  const std::vector<Case> cases = {
      {message("abc", "", "12345"), Errc::ok},
      {message("abcd", "", "1"), Errc::path_too_long},
      {message("\xFF", "", "1"), Errc::path_not_utf8},
      {message("a", R"({"a":""})", "1"), Errc::headers_too_long},
      {message("a", "", "123456"), Errc::payload_too_long},
      {message("abcd\xFF", R"({"a":"b"})", "1234567"), Errc::path_too_long},
  };
  for (const Case& bad : cases) {
    SCOPED_TRACE(name(bad.damage));
    const std::string bytes = bad.bytes + message("end", "", "!");
    const Outcome run = decode_all(bytes, limits);
    ASSERT_EQ(run.requests.size(), 2u);
    EXPECT_EQ(run.requests[0].damage, bad.damage);
    EXPECT_EQ(run.requests[1], (Seen{"end", "{}", "!", Errc::ok}));
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(decode_pieces(cut(bytes, seed, 6), limits), run);
    }
    const Result<RequestView> one = decode_request(bytes_of(bad.bytes), limits);
    EXPECT_EQ(one ? Errc::ok : one.error().code(), bad.damage);
  }
}

TEST(RequestDecoder, RefusesALargePayloadAtOnceAndPassesOverIt) {
  Limits limits;
  limits.payload_bytes_max = 10;
  RequestDecoder decoder(limits);
  InRequest in;
  const std::string head = message("a", "", std::string(1'000, 'x')).substr(0, 12);
  decoder.feed(bytes_of(head));
  ASSERT_TRUE(decoder.next(in));
  EXPECT_EQ(in.damage, Errc::payload_too_long);
  EXPECT_FALSE(decoder.next(in));
  EXPECT_TRUE(decoder.in_message());
  EXPECT_EQ(decoder.finish(), Errc::truncated);
  EXPECT_TRUE(decoder.target().empty());
  const std::string rest = std::string(999, 'x') + message("b", "", "y");
  decoder.feed(bytes_of(rest));
  ASSERT_TRUE(decoder.next(in));
  EXPECT_EQ(in.path, "b");
  EXPECT_EQ(text_of(in.payload), "y");
}

TEST(RequestDecoder, ReadsALargePayloadInPlace) {
  const std::string payload(100'000, 'p');
  const std::string bytes = message("big", R"({"a":"b"})", payload);
  RequestDecoder decoder;
  InRequest in;
  std::string_view rest(bytes);
  {
    const std::string first(rest.substr(0, 500));
    decoder.feed(bytes_of(first));
    EXPECT_FALSE(decoder.next(in));
  }
  rest.remove_prefix(500);
  while (!decoder.target().empty()) {
    const MutableByteView target = decoder.target();
    const std::size_t size = std::min<std::size_t>(target.size(), 30'000);
    std::copy_n(bytes_of(rest).data(), size, target.data());
    rest.remove_prefix(size);
    decoder.filled(size);
    if (decoder.next(in)) break;
  }
  // The last few bytes are not worth a read of their own.
  if (!rest.empty()) {
    decoder.feed(bytes_of(rest));
    ASSERT_TRUE(decoder.next(in));
  }
  EXPECT_EQ(in.path, "big");
  EXPECT_EQ(text_of(in.payload), payload);
  const std::byte* const where = in.payload.data();
  const Slice kept = in.take_payload();
  EXPECT_EQ(kept.data(), where) << "no copy";
  EXPECT_EQ(decoder.finish(), Errc::ok);
}

TEST(RequestDecoder, TakesAPayloadOfTheLargestSize) {
  const std::size_t head_bytes = request_head_bytes("e", {});
  const std::string payload(kV1MessageBytesMax - head_bytes, 'z');
  const std::string bytes = message("e", "", payload);
  const Outcome run = decode_pieces(
      {std::string_view(bytes).substr(0, 1'000'000), std::string_view(bytes).substr(1'000'000)},
      {});
  ASSERT_EQ(run.requests.size(), 1u);
  EXPECT_EQ(run.requests[0].payload.size(), payload.size());
  EXPECT_EQ(run.requests[0].damage, Errc::ok);
}

TEST(RequestDecoder, SharesTheBlockThatWasReadInto) {
  Block* block = Block::make(64);
  const std::string bytes = message("e", "", "payload");
  std::copy_n(bytes_of(bytes).data(), bytes.size(), block->data());
  RequestDecoder decoder;
  InRequest in;
  decoder.feed({block->data(), bytes.size()}, block);
  ASSERT_TRUE(decoder.next(in));
  const Slice kept = in.take_payload();
  EXPECT_FALSE(block->unique());
  block->release();
  EXPECT_EQ(kept.text(), "payload");
}

TEST(RequestCodec, EncodesEveryVector) {
  for (const Json& vector : read_vectors("v1_requests.json", "encode")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string path = bytes_from(vector["path"]);
    const std::string headers = bytes_from(vector["headers"]);
    const std::string payload = bytes_from(vector["payload"]);
    const Errc code = check_request(path, bytes_of(headers), payload.size(), wide_limits());
    EXPECT_EQ(name(code), text_or(vector, "error", "ok"));
    if (code != Errc::ok) continue;
    const std::string frame = message(path, headers, payload);
    if (vector.contains("frame_hex")) {
      EXPECT_EQ(frame, unhex(vector["frame_hex"].get<std::string>()));
    } else if (vector.contains("frame_parts")) {
      EXPECT_EQ(frame, bytes_from(Json{{"parts", vector["frame_parts"]}}));
    } else {
      const std::string head = unhex(vector["head_hex"].get<std::string>());
      EXPECT_EQ(frame.substr(0, head.size()), head);
    }
    const Result<RequestView> back = decode_request(bytes_of(frame), wide_limits());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->path, path);
    EXPECT_EQ(text_of(back->payload), payload);
    if (vector.contains("members")) {
      Buffer buffer;
      HeaderWriter writer(buffer);
      for (const Json& member : vector["members"]) {
        ASSERT_EQ(writer.add(bytes_from(member[0]), bytes_from(member[1])), Errc::ok);
      }
      EXPECT_EQ(text_of(writer.finish()), headers) << "our writer's own form is the same";
    }
  }
}

TEST(RequestCodec, CountsTheWholeMessageTowardsAPeersLimit) {
  for (const Json& vector : read_vectors("v1_requests.json", "whole_message_64")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = bytes_from(vector);
    const Result<RequestView> view = decode_request(bytes_of(bytes));
    ASSERT_TRUE(view);
    const Errc code = check_request(view->path, view->headers, view->payload.size(), {}, 64);
    EXPECT_EQ(code, vector["fits_64"].get<bool>() ? Errc::ok : Errc::payload_too_long);
    const Outcome read = decode_pieces({bytes, bytes}, {}, 64);
    ASSERT_EQ(read.requests.size(), 2u) << "what is too long is passed over";
    for (const Seen& seen : read.requests) EXPECT_EQ(seen.damage, code);
  }
}

TEST(RequestCodec, WritesBracesForNoHeaders) {
  EXPECT_EQ(message("a/gen", "", "hi"), unhex("0005612f67656e00027b7d000000026869"));
}

TEST(RequestCodec, TakesAWholeMessageAndNothingElse) {
  const std::string bytes = message("e", "{}", "xy");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<RequestView> view = decode_request(bytes_of(bytes.substr(0, size)));
    ASSERT_FALSE(view);
    EXPECT_EQ(view.error().code(), Errc::truncated) << size;
  }
  EXPECT_TRUE(decode_request(bytes_of(bytes)));
  const std::string longer = bytes + "x";
  EXPECT_EQ(decode_request(bytes_of(longer)).error().code(), Errc::trailing_bytes);
}

struct Replies {
  std::vector<std::string> texts;
  Errc end = Errc::ok;
  bool operator==(const Replies&) const = default;
};

Replies decode_replies(const std::vector<std::string_view>& pieces) {
  AckDecoder decoder;
  Replies replies;
  for (const std::string_view piece : pieces) {
    const std::string copy(piece);
    decoder.feed(bytes_of(copy));
    for (std::string_view text; decoder.next(text);) replies.texts.emplace_back(text);
  }
  replies.end = decoder.finish();
  return replies;
}

TEST(AckDecoder, ReadsEveryVectorInAnySplit) {
  for (const Json& vector : read_vectors("v1_replies.json", "decode")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string bytes = unhex(vector["hex"].get<std::string>());
    const Replies whole = decode_replies({bytes});
    EXPECT_EQ(whole.texts, vector["replies"].get<std::vector<std::string>>());
    EXPECT_EQ(name(whole.end), vector["end"].get<std::string>());
    for (std::uint32_t seed = 0; seed < 10; ++seed) {
      EXPECT_EQ(decode_replies(cut(bytes, seed, 1 + seed)), whole);
    }
  }
}

TEST(AckDecoder, EncodesWhatItReads) {
  for (const std::string text : {"", "no", "Server overloaded: worker at capacity"}) {
    std::string bytes(reply_bytes(text), '\0');
    EXPECT_EQ(encode_reply(text, reinterpret_cast<std::byte*>(bytes.data())), bytes.size());
    EXPECT_EQ(decode_replies({bytes}), (Replies{{text}, Errc::ok}));
  }
}

TEST(AckDecoder, TakesTheLongestTextAndNotOneByteMore) {
  std::string bytes(reply_bytes(std::string(kV1ReplyBytesMax, 't')), '\0');
  encode_reply(std::string(kV1ReplyBytesMax, 't'), reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_EQ(decode_replies({bytes}).texts.size(), 1u);
  EXPECT_EQ(decode_replies({unhex("00010001")}), (Replies{{}, Errc::payload_too_long}));
}

TEST(Acknowledgement, MeansWhatTheTextBeginsWith) {
  const std::vector<std::string> names = {"accepted", "overloaded", "unavailable", "unknown"};
  for (const Json& vector : read_vectors("v1_replies.json", "meaning")) {
    const std::string text = vector["text"].get<std::string>();
    EXPECT_EQ(names.at(static_cast<std::size_t>(classify_ack(text))),
              vector["meaning"].get<std::string>())
        << text;
  }
}

}  // namespace
}  // namespace spanwire::wire
