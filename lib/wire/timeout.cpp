#include "spanwire/wire/timeout.hpp"

#include <array>
#include <cstdint>
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
  std::int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return fail(Errc::bad_number);
    count = count * 10 + (c - '0');
  }
  for (const Unit& unit : kUnits) {
    if (unit.letter != text.back()) continue;
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    return std::chrono::nanoseconds(count > kMax / unit.ns ? kMax : count * unit.ns);
  }
  return fail(Errc::bad_number);
}

}  // namespace spanwire::wire
