// What the terminal views share.  Internal to inspect.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {

inline constexpr std::string_view kReset = "\x1b[0m";
inline constexpr std::string_view kBold = "\x1b[1m";
inline constexpr std::string_view kDim = "\x1b[2m";
inline constexpr std::string_view kRed = "\x1b[31m";

inline constexpr std::size_t kDurationColumns = 9;

inline std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + ' ' + std::string(count == 1 ? one : many);
}

// Filled with blanks on the left.
inline std::string right_aligned(const std::string& text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  return std::string(columns > used ? columns - used : 0, ' ') + text;
}

}  // namespace spanwire::inspect
