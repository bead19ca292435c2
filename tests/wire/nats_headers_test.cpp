#include "spanwire/wire/nats_headers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace spanwire::wire {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Lines lines_of(const NatsHeaders& headers) {
  Lines lines;
  for (const NatsHeader& line : headers) lines.emplace_back(line.name, line.value);
  return lines;
}

struct Good {
  const char* name;
  std::string block;
  Lines lines;
  std::uint16_t status = 0;
  const char* description = "";
};
const Good kGood[] = {
    {"nothing", "", {}},
    {"no lines", "NATS/1.0\r\n\r\n", {}},
    {"a line", "NATS/1.0\r\nName: value\r\n\r\n", {{"Name", "value"}}},
    {"case as sent, several values",
     "NATS/1.0\r\nA: 1\r\na: 2\r\nA: 3\r\n\r\n",
     {{"A", "1"}, {"a", "2"}, {"A", "3"}}},
    {"no blank, no value, blanks around",
     "NATS/1.0\r\nA:1\r\nB:\r\nC: \t x y \t\r\n\r\n",
     {{"A", "1"}, {"B", ""}, {"C", "x y"}}},
    {"a colon in the value", "NATS/1.0\r\nA: b:c\r\n\r\n", {{"A", "b:c"}}},
    {"UTF-8 in the value", "NATS/1.0\r\nA: \xC3\xA9\r\n\r\n", {{"A", "\xC3\xA9"}}},
    {"continued", "NATS/1.0\r\nA: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", {{"A", "1 2 3"}, {"B", "4"}}},
    {"no responders", "NATS/1.0 503\r\n\r\n", {}, 503},
    {"a status with words", "NATS/1.0 408 Request Timeout\r\n\r\n", {}, 408, "Request Timeout"},
    {"a status and lines", "NATS/1.0  100  Idle \r\nA: 1\r\n\r\n", {{"A", "1"}}, 100, "Idle"},
};

TEST(NatsHeaders, ReadsBlocks) {
  NatsHeaders headers;  // used again and again
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.name);
    ASSERT_EQ(headers.parse(bytes_of(good.block)), Errc::ok);
    EXPECT_EQ(lines_of(headers), good.lines);
    EXPECT_EQ(headers.status(), good.status);
    EXPECT_EQ(headers.description(), good.description);
  }
}

struct Bad {
  const char* name;
  std::string block;
  Errc expected;
  std::size_t kept = 0;
};
const Bad kBad[] = {
    {"another protocol", "HTTP/1.1 200 OK\r\n\r\n", Errc::bad_version},
    {"another version", "NATS/2.0\r\n\r\n", Errc::bad_version},
    {"a longer version", "NATS/1.01\r\n\r\n", Errc::bad_version},
    {"in another case", "nats/1.0\r\n\r\n", Errc::bad_version},
    {"two digits", "NATS/1.0 50\r\n\r\n", Errc::bad_status},
    {"four digits", "NATS/1.0 5030\r\n\r\n", Errc::bad_status},
    {"no digits", "NATS/1.0 abc\r\n\r\n", Errc::bad_status},
    {"digits and letters", "NATS/1.0 503x\r\n\r\n", Errc::bad_status},
    {"below 100", "NATS/1.0 099\r\n\r\n", Errc::bad_status},
    {"no end of the first line", "NATS/1.0", Errc::truncated},
    {"no empty line", "NATS/1.0\r\nA: 1\r\n", Errc::truncated, 1},
    {"half of the empty line", "NATS/1.0\r\nA: 1\r\n\r", Errc::truncated, 1},
    {"continued without an end", "NATS/1.0\r\nA: 1\r\n 2", Errc::truncated},
    {"no colon", "NATS/1.0\r\nA: 1\r\nname\r\n\r\n", Errc::bad_header_line, 1},
    {"no name", "NATS/1.0\r\n: value\r\n\r\n", Errc::bad_header_line},
    {"a blank in the name", "NATS/1.0\r\na b: 1\r\n\r\n", Errc::bad_header_line},
    {"a blank before the colon", "NATS/1.0\r\na : 1\r\n\r\n", Errc::bad_header_line},
    {"a name that is not ASCII", "NATS/1.0\r\n\xC3\xA9: 1\r\n\r\n", Errc::bad_header_line},
    {"a line feed alone", "NATS/1.0\nA: 1\r\n\r\n", Errc::bad_header_line},
    {"a line feed in a value", "NATS/1.0\r\nA: 1\n2\r\n\r\n", Errc::bad_header_line},
    {"a carriage return in a value", "NATS/1.0\r\nA: 1\r2\r\n\r\n", Errc::bad_header_line},
    {"bytes behind the end", "NATS/1.0\r\nA: 1\r\n\r\nx", Errc::trailing_bytes, 1},
    {"a block behind the end", "NATS/1.0\r\nA: 1\r\n\r\nB: 2\r\n", Errc::trailing_bytes, 1},
};

TEST(NatsHeaders, RefuseWithTheRightErrorAndKeepWhatWasBefore) {
  NatsHeaders headers;
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.name);
    EXPECT_EQ(name(headers.parse(bytes_of(bad.block))), name(bad.expected));
    EXPECT_EQ(headers.size(), bad.kept);
  }
}

// Names are looked at in pieces: of every length, with every byte at every place.
TEST(NatsHeaders, NamesArePrintableToTheLastByte) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string name(size, 'n');
        name[at] = static_cast<char>(byte);
        const bool good = byte > ' ' && byte < 0x7f && byte != ':';
        std::array<std::byte, 128> room;
        NatsHeaderWriter writer{MutableByteView(room)};
        ASSERT_EQ(writer.add(name, "v"), good ? Errc::ok : Errc::bad_header_line)
            << size << " " << at << " " << byte;
        // In a block a colon ends the name, and a blank in front continues the line before.
        if (byte == ':' || (at == 0 && (byte == ' ' || byte == '\t'))) continue;
        const std::string block = "NATS/1.0\r\n" + name + ": v\r\n\r\n";
        NatsHeaders headers;
        ASSERT_EQ(headers.parse(bytes_of(block)), good ? Errc::ok : Errc::bad_header_line)
            << size << " " << at << " " << byte;
        if (good) {
          ASSERT_EQ(lines_of(headers), (Lines{{name, "v"}}));
        }
      }
    }
  }
}

TEST(NatsHeaders, HoldNoMoreThanTheirLimits) {
  std::string block = "NATS/1.0\r\n";
  for (std::size_t i = 0; i < kHeaderMembersMax; ++i) block += "A: 1\r\n";
  NatsHeaders headers;
  EXPECT_EQ(headers.parse(bytes_of(block + "\r\n")), Errc::ok);
  EXPECT_EQ(headers.parse(bytes_of(block + "A: 1\r\n\r\n")), Errc::headers_too_many);
  EXPECT_EQ(headers.size(), kHeaderMembersMax);
  EXPECT_EQ(headers.parse(bytes_of("NATS/1.0\r\n\r\n"), 11), Errc::headers_too_long);
}

TEST(NatsHeaders, EveryPrefixIsTruncatedOrWorse) {
  const std::string whole = "NATS/1.0 503 x\r\nA: 1\r\n 2\r\nB: 3\r\n\r\n";
  NatsHeaders headers;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_NE(headers.parse(bytes_of(std::string_view(whole).substr(0, size))), Errc::ok) << size;
  }
}

TEST(NatsHeaders, AreFoundInAnyCase) {
  NatsHeaders headers;
  ASSERT_EQ(headers.parse(bytes_of("NATS/1.0\r\nTraceParent: a\r\ntraceparent: b\r\n\r\n")),
            Errc::ok);
  std::string_view value;
  EXPECT_EQ(headers.find("traceparent", value), 2u);
  EXPECT_EQ(value, "b");
  EXPECT_EQ(headers.find("other", value), 0u);
}

TEST(NatsHeaderWriter, WritesWhatIsReadAgain) {
  std::array<std::byte, 256> room;
  NatsHeaderWriter writer{MutableByteView(room)};
  EXPECT_EQ(writer.add("traceparent", "x"), Errc::ok);
  EXPECT_EQ(writer.add("Empty", ""), Errc::ok);
  const ByteView block = writer.finish();
  EXPECT_EQ(text_of(block), "NATS/1.0\r\ntraceparent: x\r\nEmpty: \r\n\r\n");
  NatsHeaders headers;
  ASSERT_EQ(headers.parse(block), Errc::ok);
  EXPECT_EQ(lines_of(headers), (Lines{{"traceparent", "x"}, {"Empty", ""}}));
}

TEST(NatsHeaderWriter, LeavesOutWhatABlockCannotHold) {
  std::array<std::byte, 32> room;
  NatsHeaderWriter writer{MutableByteView(room)};
  EXPECT_EQ(writer.add("a b", "x"), Errc::bad_header_line);
  EXPECT_EQ(writer.add("a:b", "x"), Errc::bad_header_line);
  EXPECT_EQ(writer.add("", "x"), Errc::bad_header_line);
  EXPECT_EQ(writer.add("a", "x\r\ny: z"), Errc::control_character);
  EXPECT_EQ(writer.add("a", std::string(16, 'x')), Errc::headers_too_long);
  EXPECT_EQ(writer.add("a", std::string(15, 'x')), Errc::ok);
  EXPECT_EQ(writer.finish().size(), room.size());
  std::array<std::byte, 11> small;
  NatsHeaderWriter none{MutableByteView(small)};
  EXPECT_EQ(none.add("a", "b"), Errc::headers_too_long);
  EXPECT_TRUE(none.finish().empty());
}

}  // namespace
}  // namespace spanwire::wire
