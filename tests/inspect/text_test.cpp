#include "spanwire/inspect/text.hpp"

#include <gtest/gtest.h>

namespace spanwire::inspect {
namespace {

TEST(Text, CountsAsPeopleDo) {
  EXPECT_EQ(counted(0, "span"), "0 spans");
  EXPECT_EQ(counted(1, "span"), "1 span");
  EXPECT_EQ(counted(2, "span"), "2 spans");
  EXPECT_EQ(counted(1, "search", "searches"), "1 search");
  EXPECT_EQ(counted(53, "search", "searches"), "53 searches");
}

TEST(Text, KnowsTheColumnsOfATerminal) {
  EXPECT_EQ(columns_of(""), 0u);
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("größe"), 5u);
  EXPECT_EQ(columns_of("推論"), 4u);
  EXPECT_EQ(columns_of("한국"), 4u);
  EXPECT_EQ(columns_of("🚀x"), 3u);
  EXPECT_EQ(columns_of("e\u0301"), 1u);
  EXPECT_EQ(columns_of("a\u200Db"), 2u);
  EXPECT_EQ(columns_of("█▏│├─"), 5u);
}

struct Utf8Case {
  const char* name;
  std::string bytes;
  char32_t value;
  int length;
};

TEST(Text, DecodesUtf8AndStepsOverWhatIsNot) {
  const Utf8Case cases[] = {
      {"ascii", "a", U'a', 1},
      {"two", "\xC3\xA9", 0xE9, 2},
      {"three", "\xE2\x82\xAC", 0x20AC, 3},
      {"four", "\xF0\x9F\x9A\x80", 0x1F680, 4},
      {"cut off", "\xE2\x82", 0xFFFD, 1},
      {"alone", "\x80", 0xFFFD, 1},
      {"overlong", "\xC0\xAF", 0xFFFD, 1},
      {"overlong three", "\xE0\x80\xAF", 0xFFFD, 1},
      {"surrogate", "\xED\xA0\x80", 0xFFFD, 1},
      {"beyond", "\xF4\x90\x80\x80", 0xFFFD, 1},
      {"broken", "\xE2(\xA1", 0xFFFD, 1},
  };
  for (const Utf8Case& item : cases) {
    const CodePoint got = decode_utf8(item.bytes);
    EXPECT_EQ(got.value, item.value) << item.name;
    EXPECT_EQ(got.bytes, item.length) << item.name;
  }
}

// What a peer wrote must not reach the terminal as a command.
TEST(Text, PrintableLeavesNoCommands) {
  EXPECT_EQ(printable("plain 推論"), "plain 推論");
  EXPECT_EQ(printable("\x1b[2Jx"), "\uFFFD[2Jx");
  EXPECT_EQ(printable("a\nb\tc\r"), "a b c ");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\uFFFD31m");
  EXPECT_EQ(printable("a\u202Eb\u2066c"), "abc");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(printable("\xFFz"), "\uFFFDz");
  EXPECT_EQ(printable("kept \uFFFD"), "kept \uFFFD");
}

TEST(Text, FitIsExactlyAsWideAsAsked) {
  EXPECT_EQ(fit("ab", 4), "ab  ");
  EXPECT_EQ(fit("abcd", 4), "abcd");
  EXPECT_EQ(fit("abcde", 4), "abc…");
  EXPECT_EQ(fit("abcde", 4, true), "abc~");
  EXPECT_EQ(fit("推論推論", 4), "推… ");
  EXPECT_EQ(fit("x", 0), "");
  for (std::size_t width = 0; width < 12; ++width) {
    EXPECT_EQ(columns_of(fit("a推b論e\u0301🚀z", width)), width) << width;
  }
}

TEST(Text, DurationsHaveThreeDigitsAndAUnit) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "0 ns"},
      {999, "999 ns"},
      {1'000, "1.00 µs"},
      {9'994, "9.99 µs"},
      {99'940, "99.9 µs"},
      {999'499, "999 µs"},
      {999'500, "1.00 ms"},
      {12'345'678, "12.3 ms"},
      {1'500'000'000, "1.50 s"},
      {99'940'000'000, "99.9 s"},
      {100'000'000'000, "1m 40s"},
      {5'999'000'000'000, "99m 59s"},
      {7'260'000'000'000, "2h 01m"},
      {-1'500, "-1.50 µs"},
  };
  for (const auto& [nanoseconds, text] : cases) EXPECT_EQ(duration_text(nanoseconds), text);
  EXPECT_EQ(duration_text(1'500, true), "1.50 us");
}

TEST(Text, TimesAreUtc) {
  EXPECT_EQ(time_text(0), "1970-01-01 00:00:00.000");
  EXPECT_EQ(time_text(1'795'254'000'123'456'789), "2026-11-21 09:40:00.123");
}

}  // namespace
}  // namespace spanwire::inspect
