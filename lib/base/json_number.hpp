// A finite number as JSON that every reader takes for that number.
#pragma once

#include <charconv>

namespace spanwire {

// Into [to, end), of at least 32 bytes; returns behind the last.
inline char* write_json_number(char* to, char* end, double value) noexcept {
  // From here on the shortest text may be digits alone: an integer, which readers round, or refuse
  // with all that is around it when it has more than 64 bits.
  constexpr double kExact = 9'007'199'254'740'992.0;
  if (value < kExact && value > -kExact) [[likely]] {
    return std::to_chars(to, end, value).ptr;
  }
  return std::to_chars(to, end, value, std::chars_format::scientific).ptr;
}

}  // namespace spanwire
