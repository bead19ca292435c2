#include "lib/otlp/json_writer.hpp"

#include <algorithm>

#include "lib/base/json_number.hpp"
#include "lib/otlp/utf8_text.hpp"
#include "spanwire/base/utf8.hpp"

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
  at_ = write_json_number(at_, at_ + kNumberBytesMax, value);
}

// Writes one character that is special; returns what follows it.
const char* JsonWriter::escape(const char* from, const char* end) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(*from);
  if (byte >= 0x80) {
    const std::size_t bytes = utf8_sequence_bytes(from, end);
    if (bytes == 0) {
      raw(kReplacement);
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
