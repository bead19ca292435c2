#include "lib/otlp/json_writer.hpp"

#include <algorithm>

namespace spanwire::otlp {
namespace {

constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101ull;
constexpr std::uint64_t kHighBits = 0x80 * kEachByte;

// Not 0 if one of eight bytes is a control character, a quote, a backslash or not ASCII.
std::uint64_t special(std::uint64_t word) noexcept {
  const std::uint64_t quote = word ^ '"' * kEachByte;
  const std::uint64_t backslash = word ^ '\\' * kEachByte;
  const std::uint64_t low =
      (word - 0x20 * kEachByte) | (quote - kEachByte) | (backslash - kEachByte);
  return (low | word) & kHighBits;
}

bool special(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

// Bytes of the valid UTF-8 sequence at `from`; 0 if there is none.
std::size_t sequence_bytes(const char* from, const char* end) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(from[i]); };
  const auto left = static_cast<std::size_t>(end - from);
  const unsigned char first = byte(0);
  const auto follows = [&](std::size_t i, unsigned lowest, unsigned highest) {
    return i < left && byte(i) >= lowest && byte(i) <= highest;
  };
  if (first >= 0xC2 && first <= 0xDF) return follows(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned lowest = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned highest = first == 0xED ? 0x9F : 0xBF;
    return follows(1, lowest, highest) && follows(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned lowest = first == 0xF0 ? 0x90 : 0x80;
    const unsigned highest = first == 0xF4 ? 0x8F : 0xBF;
    return follows(1, lowest, highest) && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void JsonWriter::make_room(std::size_t bytes) {
  finish();
  const MutableByteView free = out_.reserve(std::max(bytes, kRoomMin));
  begin_ = at_ = reinterpret_cast<char*>(free.data());
  end_ = begin_ + free.size();
}

void JsonWriter::number(double value) {
  if (std::isnan(value)) return literal("\"NaN\"");
  if (std::isinf(value)) return value > 0 ? literal("\"Infinity\"") : literal("\"-Infinity\"");
  if (room() < kNumberBytesMax) make_room(kNumberBytesMax);
  at_ = std::to_chars(at_, at_ + kNumberBytesMax, value).ptr;
}

// Writes one character that is special; returns what follows it.
const char* JsonWriter::escape(const char* from, const char* end) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(*from);
  if (byte >= 0x80) {
    const std::size_t bytes = sequence_bytes(from, end);
    if (bytes == 0) {
      literal("\xEF\xBF\xBD");
      return from + 1;
    }
    raw({from, bytes});
    return from + bytes;
  }
  switch (byte) {
    case '"':
      literal("\\\"");
      break;
    case '\\':
      literal("\\\\");
      break;
    case '\n':
      literal("\\n");
      break;
    case '\r':
      literal("\\r");
      break;
    case '\t':
      literal("\\t");
      break;
    default:
      literal("\\u00");
      raw({&kDigits[byte >> 4], 1});
      raw({&kDigits[byte & 15], 1});
  }
  return from + 1;
}

void JsonWriter::string(std::string_view text) {
  const char* from = text.data();
  const char* const end = from + text.size();
  // Room for all of it, the quotes and the eight bytes that are written at a time.
  if (room() < text.size() + 16) make_room(text.size() + 16);
  *at_++ = '"';
  while (from != end) {
    while (end - from >= 8) {
      const std::uint64_t word = trace::detail::load_little_endian(from);
      if (special(word) != 0) break;
      std::memcpy(at_, from, 8);
      at_ += 8;
      from += 8;
    }
    while (from != end && !special(*from)) *at_++ = *from++;
    while (from != end && special(*from)) from = escape(from, end);
    const auto left = static_cast<std::size_t>(end - from);
    if (room() < left + 16) make_room(left + 16);
  }
  *at_++ = '"';
}

}  // namespace spanwire::otlp
