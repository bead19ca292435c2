#include "lib/inspect/names.hpp"

#include <algorithm>

namespace spanwire::inspect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A run of digits that is all there is between two slashes.
std::size_t numeric_segment(std::string_view name) noexcept {
  for (std::size_t slash = name.find('/'); slash != std::string_view::npos;
       slash = name.find('/', slash + 1)) {
    const std::string_view rest = name.substr(slash + 1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_digit);
    if (end != rest.begin() && (end == rest.end() || *end == '/')) return slash + 1;
  }
  return std::string_view::npos;
}

}  // namespace

std::size_t varying_part(std::string_view name) noexcept {
  std::size_t digits = 0;
  std::size_t hex = 0;
  bool digit_in_hex = false;
  const std::size_t segment = numeric_segment(name);
  for (std::size_t i = 0; i < std::min(segment, name.size()); ++i) {
    digits = is_digit(name[i]) ? digits + 1 : 0;
    hex = is_hex(name[i]) ? hex + 1 : 0;
    digit_in_hex = hex > 0 && (digit_in_hex || is_digit(name[i]));
    if (hex >= 8 && digit_in_hex) return i + 1 - hex;
    // Hex may still grow out of it; either way the name is cut where it begins to vary.
    if (digits >= 4) return i + 1 - std::max(digits, hex);
  }
  return segment;
}

std::string without_numbers(std::string_view name) {
  std::string made;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_digit(name[i])) {
      made += name[i];
    } else if (i == 0 || !is_digit(name[i - 1])) {
      made += '#';
    }
  }
  return made;
}

}  // namespace spanwire::inspect
