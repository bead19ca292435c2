// The floor of journey/propagate: the text form of a request's span and the slice before it,
// written and read by somebody who knows that there is a slice and that both are of one trace.  33
// bytes as 42 digits of base 85; nothing but the digits and the version is checked.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace spanwire::floor {

struct HandedOver {
  std::array<unsigned char, 16> trace_id;
  std::array<unsigned char, 8> span_id;
  std::array<unsigned char, 8> previous_id;
  unsigned char head;
};

inline constexpr std::size_t kHandedOverText = 42;
inline constexpr char kBase85[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

inline void write_handed_over(const HandedOver& from, char* to) noexcept {
  unsigned char bytes[36] = {};
  bytes[0] = from.head;
  std::memcpy(bytes + 1, from.trace_id.data(), 16);
  std::memcpy(bytes + 17, from.span_id.data(), 8);
  std::memcpy(bytes + 25, from.previous_id.data(), 8);
  char digits[45];
  for (int i = 0; i < 9; ++i) {
    std::uint32_t number;
    std::memcpy(&number, bytes + 4 * i, 4);
    number = __builtin_bswap32(number);
    const std::uint32_t high = number / 7225;
    const std::uint32_t low = number % 7225;
    const std::uint32_t middle = high % 7225;
    digits[5 * i] = kBase85[high / 7225];
    digits[5 * i + 1] = kBase85[middle / 85];
    digits[5 * i + 2] = kBase85[middle % 85];
    digits[5 * i + 3] = kBase85[low / 85];
    digits[5 * i + 4] = kBase85[low % 85];
  }
  std::memcpy(to, digits, kHandedOverText);
}

struct Base85Values {
  unsigned char of[256];
  Base85Values() noexcept {
    std::memset(of, 0xFF, sizeof of);
    for (unsigned char i = 0; i < 85; ++i) of[static_cast<unsigned char>(kBase85[i])] = i;
  }
};

inline bool read_handed_over(const char* from, HandedOver& to) noexcept {
  static const Base85Values values;
  char digits[45];
  std::memcpy(digits, from, kHandedOverText);
  std::memset(digits + kHandedOverText, '~', 3);
  unsigned char bytes[36];
  unsigned bad = 0;
  for (int i = 0; i < 9; ++i) {
    std::uint64_t number = 0;
    for (int j = 0; j < 5; ++j) {
      const unsigned value = values.of[static_cast<unsigned char>(digits[5 * i + j])];
      bad |= value & 0x80u;
      number = number * 85 + value;
    }
    bad |= static_cast<unsigned>(number >> 32);
    const std::uint32_t word = __builtin_bswap32(static_cast<std::uint32_t>(number));
    std::memcpy(bytes + 4 * i, &word, 4);
  }
  to.head = bytes[0];
  std::memcpy(to.trace_id.data(), bytes + 1, 16);
  std::memcpy(to.span_id.data(), bytes + 17, 8);
  std::memcpy(to.previous_id.data(), bytes + 25, 8);
  return bad == 0 && bytes[0] >> 5 == 1;
}

}  // namespace spanwire::floor
