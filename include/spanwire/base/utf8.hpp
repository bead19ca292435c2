// UTF-8, a sequence at a time.  Pure functions, of use to compilers too.
#pragma once

#include <cstddef>
#include <string_view>

namespace spanwire {

// Length of the one well-formed sequence of two to four bytes that begins at `from` (no overlong
// form, no surrogate, nothing above U+10FFFF), 0 if there is none.  Looks at nothing at or behind
// `end`.
constexpr std::size_t utf8_sequence_bytes(const char* from, const char* end) noexcept {
  const auto left = static_cast<std::size_t>(end - from);
  const auto byte = [from](std::size_t i) { return static_cast<unsigned char>(from[i]); };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (left < 2) return 0;
  const unsigned lead = byte(0);
  const unsigned second = byte(1);
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    const bool overlong = lead == 0xE0 && second < 0xA0;
    const bool surrogate = lead == 0xED && second >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    const bool overlong = lead == 0xF0 && second < 0x90;
    const bool beyond = lead == 0xF4 && second >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

// Whether all of it is, byte by byte: for compilers.
constexpr bool is_utf8(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const bool ascii = static_cast<unsigned char>(*at) < 0x80;
    const std::size_t bytes = ascii ? 1 : utf8_sequence_bytes(at, end);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

}  // namespace spanwire
