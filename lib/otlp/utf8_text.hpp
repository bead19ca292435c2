// Texts of the program as UTF-8, which OTLP requires: each byte that is none becomes U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/detail/record_layout.hpp"

namespace spanwire::otlp {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The last word may overlap the one before it.
inline bool is_ascii(std::string_view text) noexcept {
  const char* const from = text.data();
  const std::size_t size = text.size();
  std::uint64_t all = 0;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      all |= trace::detail::load_as<std::uint64_t>(from + at);
    }
    all |= trace::detail::load_as<std::uint64_t>(from + size - 8);
  } else if (size >= 4) {
    all = trace::detail::load_as<std::uint32_t>(from) |
          trace::detail::load_as<std::uint32_t>(from + size - 4);
  } else {
    for (const char c : text) all |= static_cast<unsigned char>(c);
  }
  return (all & 0x8080'8080'8080'8080ull) == 0;
}

// `text` itself if it is UTF-8; else a repaired copy in `scratch`.
std::string_view repaired_if_needed(std::string_view text, std::string& scratch);

inline std::string_view as_utf8(std::string_view text, std::string& scratch) {
  return is_ascii(text) ? text : repaired_if_needed(text, scratch);
}
// The same for one that is UTF-8 for certain if it is a literal.
inline std::string_view as_utf8(std::string_view text, bool literal, std::string& scratch) {
  return literal ? text : as_utf8(text, scratch);
}

}  // namespace spanwire::otlp
