#include "spanwire/wire/timeout.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace spanwire::wire {
namespace {

struct Unit {
  char letter;
  std::int64_t ns;
};

// Finest first.
constexpr std::array<Unit, 6> kUnits = {{{'n', 1},
                                         {'u', 1'000},
                                         {'m', 1'000'000},
                                         {'S', 1'000'000'000},
                                         {'M', 60'000'000'000},
                                         {'H', 3'600'000'000'000}}};
constexpr std::int64_t kCountMax = 99'999'999;
constexpr std::size_t kDigitsMax = 8;

// Eight digits, as most timeouts have, at once; -1 if one is none.
std::int64_t eight_digits(const char* text) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101u;
  const std::uint64_t digits = word - '0' * kOnes;
  if (((digits | (digits + (0x7F - 9) * kOnes) | word) & 0x80 * kOnes) != 0) return -1;
  // Neighbours are joined: to numbers below 100, then 10,000, then the whole.
  const std::uint64_t pairs = (digits * 10 + (digits >> 8)) & 0x00FF'00FF'00FF'00FFu;
  const std::uint64_t fours = (pairs * 100 + (pairs >> 16)) & 0x0000'FFFF'0000'FFFFu;
  return static_cast<std::int64_t>((fours * 10'000 + (fours >> 32)) & 0xFFFF'FFFFu);
}

std::int64_t digits_of(std::string_view text) noexcept {
  if (text.size() == kDigitsMax) return eight_digits(text.data());
  std::int64_t count = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    count = count * 10 + (c - '0');
  }
  return count;
}

std::int64_t divide_up(std::int64_t value, std::int64_t by) noexcept {
  return value / by + (value % by != 0 ? 1 : 0);
}

}  // namespace

TimeoutText write_timeout(std::chrono::nanoseconds timeout) noexcept {
  const std::int64_t ns = timeout.count() > 0 ? timeout.count() : 0;
  std::size_t unit = 0;
  while (divide_up(ns, kUnits[unit].ns) > kCountMax) ++unit;
  std::int64_t count = divide_up(ns, kUnits[unit].ns);
  char reversed[kDigitsMax];
  std::size_t digits = 0;
  do {
    reversed[digits++] = static_cast<char>('0' + count % 10);
    count /= 10;
  } while (count != 0);
  TimeoutText text;
  while (digits != 0) text.text_[text.size_++] = reversed[--digits];
  text.text_[text.size_++] = kUnits[unit].letter;
  return text;
}

Result<std::chrono::nanoseconds> parse_timeout(std::string_view text) noexcept {
  if (text.size() < 2 || text.size() > kTimeoutTextBytesMax) return fail(Errc::bad_number);
  const std::int64_t count = digits_of(text.substr(0, text.size() - 1));
  if (count < 0) return fail(Errc::bad_number);
  for (const Unit& unit : kUnits) {
    if (unit.letter != text.back()) continue;
    std::int64_t ns = 0;
    const bool fits = !__builtin_mul_overflow(count, unit.ns, &ns);
    return std::chrono::nanoseconds(fits ? ns : std::numeric_limits<std::int64_t>::max());
  }
  return fail(Errc::bad_number);
}

}  // namespace spanwire::wire
