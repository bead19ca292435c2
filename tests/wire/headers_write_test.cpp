#include <gtest/gtest.h>

#include <array>
#include <string>

#include "spanwire/wire/headers.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

class HeaderWriterTest : public testing::Test {
 protected:
  std::string written() { return std::string(text_of(writer_.finish())); }

  Buffer buffer_;
  HeaderWriter writer_{buffer_};
};

TEST_F(HeaderWriterTest, WritesNothingAsBraces) { EXPECT_EQ(written(), "{}"); }

TEST_F(HeaderWriterTest, WritesMembersWithoutBlanksAndNamesInLowerCase) {
  EXPECT_EQ(writer_.add("X-Request-ID", "Req-1"), Errc::ok);
  EXPECT_EQ(writer_.add(WellKnown::traceparent, "00-x"), Errc::ok);
  EXPECT_EQ(writer_.add("", ""), Errc::ok);
  EXPECT_EQ(writer_.members(), 3u);
  EXPECT_EQ(written(), R"({"x-request-id":"Req-1","traceparent":"00-x","":""})");
}

TEST_F(HeaderWriterTest, LeavesRoomForAValueOfTheCaller) {
  char* const value = writer_.add_in_place(WellKnown::traceparent, 4);
  ASSERT_NE(value, nullptr);
  std::copy_n("00-x", 4, value);
  EXPECT_EQ(written(), R"({"traceparent":"00-x"})");
}

TEST_F(HeaderWriterTest, EscapesOnlyWhatJsonDemands) {
  const std::string value =
      "tab\tnl\nquote\"bs\\slash/del\x7Fnul" + std::string(1, '\0') + "e\xC3\xA9";
  EXPECT_EQ(writer_.add("K\"\\/", value), Errc::ok);
  EXPECT_EQ(writer_.add("c", "\b\f\r\x1F"), Errc::ok);
  EXPECT_EQ(written(),
            "{\"k\\\"\\\\/\":\"tab\\tnl\\nquote\\\"bs\\\\slash/del\x7Fnul\\u0000e\xC3\xA9\","
            "\"c\":\"\\b\\f\\r\\u001f\"}");
}

TEST_F(HeaderWriterTest, LeavesOutTextThatIsNotUtf8) {
  EXPECT_EQ(writer_.add("a", "1"), Errc::ok);
  EXPECT_EQ(writer_.add("bad", "\xFF"), Errc::bad_utf8);
  EXPECT_EQ(writer_.add("b\xC3(", "2"), Errc::bad_utf8);
  EXPECT_EQ(writer_.add(WellKnown::tracestate, "\xED\xA0\x80"), Errc::bad_utf8);
  EXPECT_EQ(writer_.add("c", "3"), Errc::ok);
  EXPECT_EQ(written(), R"({"a":"1","c":"3"})");
}

TEST_F(HeaderWriterTest, AppendsBehindWhatTheBufferHolds) {
  Buffer buffer;
  buffer.append("head");
  HeaderWriter writer(buffer);
  EXPECT_EQ(writer.add("a", "b"), Errc::ok);
  EXPECT_EQ(text_of(writer.finish()), R"({"a":"b"})");
  EXPECT_EQ(text_of(buffer.view()), R"(head{"a":"b"})");
}

TEST_F(HeaderWriterTest, TakesAMemberUpToTheLimitAndNotOneByteMore) {
  // {"k":""} is eight bytes.
  EXPECT_EQ(writer_.add("k", std::string(kHeaderBlockBytesMax - 7, 'a')), Errc::headers_too_long);
  EXPECT_EQ(writer_.add("k", std::string(kHeaderBlockBytesMax - 8, 'a')), Errc::ok);
  EXPECT_EQ(writer_.add("", ""), Errc::headers_too_long);
  EXPECT_EQ(writer_.add(WellKnown::baggage, ""), Errc::headers_too_long);
  EXPECT_EQ(writer_.add_in_place(WellKnown::baggage, 1), nullptr);
  EXPECT_EQ(writer_.add_in_place(WellKnown::baggage, ~std::size_t{0}), nullptr);
  EXPECT_EQ(written().size(), kHeaderBlockBytesMax);
}

TEST_F(HeaderWriterTest, TakesAnEscapedMemberUpToTheLimitAndNotOneByteMore) {
  const std::string value((kHeaderBlockBytesMax - 9) / 2, '\n');  // escaped: 65,526 bytes
  EXPECT_EQ(writer_.add("kk", value + "a"), Errc::headers_too_long);
  EXPECT_EQ(writer_.add("kk", value), Errc::ok);
  EXPECT_EQ(written().size(), kHeaderBlockBytesMax);
}

TEST_F(HeaderWriterTest, TakesAsManyMembersAsAreRead) {
  for (std::size_t i = 0; i < kHeaderMembersMax; ++i) {
    ASSERT_EQ(writer_.add(std::to_string(i), ""), Errc::ok);
  }
  EXPECT_EQ(writer_.add("x", ""), Errc::headers_too_many);
  EXPECT_EQ(writer_.add(WellKnown::baggage, ""), Errc::headers_too_many);
  EXPECT_EQ(writer_.add_in_place(WellKnown::baggage, 0), nullptr);
  HeaderList list;
  EXPECT_EQ(list.parse(writer_.finish()), Errc::ok);
  EXPECT_EQ(list.size(), kHeaderMembersMax);
}

TEST_F(HeaderWriterTest, KeepsWithinFixedRoom) {
  const std::string_view block = R"({"a":"\n"})";
  for (std::size_t room = 2; room <= block.size(); ++room) {
    // The exact size on the heap: a write outside is then seen by the sanitizer.
    const auto bytes = std::make_unique<std::byte[]>(room);
    HeaderWriter writer(MutableByteView(bytes.get(), room));
    EXPECT_EQ(writer.add("a", "\n"), room == block.size() ? Errc::ok : Errc::headers_too_long);
    EXPECT_EQ(text_of(writer.finish()), room == block.size() ? block : "{}");
  }
}

TEST_F(HeaderWriterTest, SaysHowManyBytesAMemberTakes) {
  for (const std::string value : {"", "abc", "\n\x01\"", "\xC3\xA9"}) {
    const std::size_t bytes = header_bytes("name", value);
    EXPECT_LE(bytes, header_bytes_max("name", value));
    const auto room = std::make_unique<std::byte[]>(bytes + 1);
    HeaderWriter writer(MutableByteView(room.get(), bytes + 1));
    EXPECT_EQ(writer.add("name", value), Errc::ok);
    EXPECT_EQ(writer.finish().size(), bytes + 1);
  }
}

// Whatever length, alignment and escapes: what was written is what is read.
TEST_F(HeaderWriterTest, WritesWhatTheParserAndAnIndependentReaderRead) {
  static const std::array<std::string, 8> kPieces = {"a",  "B",        "\n",   "\"",
                                                     "\\", "\xC3\xA9", "\x01", "0123456789abcdef"};
  std::mt19937 random(7);
  for (int round = 0; round < 3'000; ++round) {
    std::string value;
    for (std::size_t i = random() % 12; i > 0; --i) value += kPieces[random() % kPieces.size()];
    std::string key(random() % 40, 'K');
    Buffer buffer;
    HeaderWriter writer(buffer);
    ASSERT_EQ(writer.add(key, value), Errc::ok);
    ASSERT_EQ(writer.add(WellKnown::baggage, value), Errc::ok);
    const ByteView block = writer.finish();
    HeaderList list;
    ASSERT_EQ(list.parse(block), Errc::ok);
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].name, std::string(key.size(), 'k'));
    EXPECT_EQ(list[0].value, value);
    EXPECT_EQ(Json::parse(text_of(block))["baggage"].get<std::string>(), value);
  }
}

}  // namespace
}  // namespace spanwire::wire
