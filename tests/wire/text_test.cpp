// Timeouts and UTF-8.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "lib/wire/scan.hpp"
#include "spanwire/wire/timeout.hpp"
#include "spanwire/wire/utf8.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

TEST(Timeout, ReadsEveryVector) {
  for (const Json& vector : read_vectors("timeouts.json", "read")) {
    const std::string text = vector["text"].get<std::string>();
    const Result<std::chrono::nanoseconds> timeout = parse_timeout(text);
    EXPECT_EQ(name(timeout ? Errc::ok : timeout.error().code()), text_or(vector, "error", "ok"))
        << text;
    if (!timeout) continue;
    EXPECT_EQ(timeout->count(), vector["ns"].get<std::int64_t>()) << text;
  }
}

TEST(Timeout, WritesEveryVector) {
  for (const Json& vector : read_vectors("timeouts.json", "write")) {
    const std::chrono::nanoseconds timeout(vector["ns"].get<std::int64_t>());
    EXPECT_EQ(write_timeout(timeout).view(), vector["text"].get<std::string>());
  }
}

// The server must not give up before its client, nor much later.
TEST(Timeout, IsRoundedUpByLessThanAMillionth) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto ns = static_cast<std::int64_t>(random() >> (1 + random() % 63));
    const std::int64_t back = parse_timeout(write_timeout(std::chrono::nanoseconds(ns)))->count();
    EXPECT_GE(back, ns);
    // The coarsest case: one unit of what has just outgrown eight digits of the finer one.
    EXPECT_LE(static_cast<double>(back - ns), 1 + static_cast<double>(ns) * 36e-6) << ns;
  }
}

// One code point at a time, by the definition.
bool valid_by_definition(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xC0) || lead > 0xF7 || at + size > text.size()) return false;
    std::uint32_t point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      if ((byte & 0xC0) != 0x80) return false;
      point = point << 6 | (byte & 0x3Fu);
    }
    const std::uint32_t least = size == 1 ? 0 : size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    if (point < least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    at += size;
  }
  return true;
}

TEST(Utf8, AgreesWithTheDefinitionOnEveryPairAndOnTriples) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const unsigned third : {0x41u, 0x80u, 0xBFu, 0xC0u}) {
        const std::string text = {static_cast<char>(first), static_cast<char>(second),
                                  static_cast<char>(third)};
        ASSERT_EQ(valid_utf8(text), valid_by_definition(text)) << first << ' ' << second;
        const std::string four = text + static_cast<char>(0x80);
        ASSERT_EQ(valid_utf8(four), valid_by_definition(four)) << first << ' ' << second;
      }
    }
  }
}

TEST(Utf8, SeesABadByteAtEveryPlace) {
  for (std::size_t size = 1; size < 70; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(valid_utf8(text));
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_FALSE(valid_utf8(text)) << size << ' ' << at;
      text[at] = 'a';
    }
  }
}

TEST(Utf8, IsClippedBetweenCharacters) {
  const std::string_view text = "a\xC3\xA9\xF0\x9F\x9A\x80z";
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
  for (std::size_t max = 0; max < std::size(expected); ++max) {
    EXPECT_EQ(clip_utf8(text, max).size(), expected[max]) << max;
  }
}

// Every byte at every place of every small size: the scans see exactly what is special.
TEST(Scan, FindsEachSpecialByteAtEveryPlace) {
  for (std::size_t size = 1; size <= 130; size += size < 70 ? 1 : 7) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char special : {'"', '\\', '\0', '\x1F', '\x80', '\xFF'}) {
        std::string text(size, '~');
        text[at] = special;
        const char* const end = text.data() + size;
        SpecialFinder finder(text.data(), end);
        ASSERT_EQ(finder.find(text.data()), text.data() + at) << size;
        ASSERT_EQ(finder.find(text.data() + at), text.data() + at) << size;
        ASSERT_EQ(finder.find(text.data() + at + 1), end) << size;
        ASSERT_EQ(finder.find(text.data()), text.data() + at) << "backwards too, " << size;
        ASSERT_EQ(scan_string(text.data(), end), text.data() + at) << size;
        std::string copy(size, '\0');
        ASSERT_FALSE(copy_clean(copy.data(), text.data(), size));
        ASSERT_FALSE(copy_clean_lower(copy.data(), text.data(), size));
      }
    }
  }
}

TEST(Scan, CopiesCleanTextAndLowersLettersOnly) {
  std::string text;
  for (char c = 0x20; c < 0x7F; ++c) {
    if (c != '"' && c != '\\') text.push_back(c);
  }
  text.push_back('\x7F');
  for (std::size_t size = 0; size <= text.size(); ++size) {
    std::string copy(size, '\0');
    ASSERT_TRUE(copy_clean(copy.data(), text.data(), size));
    EXPECT_EQ(copy, text.substr(0, size));
    ASSERT_TRUE(copy_clean_lower(copy.data(), text.data(), size));
    for (std::size_t i = 0; i < size; ++i) {
      const bool letter = text[i] >= 'A' && text[i] <= 'Z';
      EXPECT_EQ(copy[i], letter ? text[i] + ('a' - 'A') : text[i]);
    }
  }
}

}  // namespace
}  // namespace spanwire::wire
