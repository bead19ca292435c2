// What the W3C texts have in common: lists, classes of characters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/ascii.hpp"

namespace spanwire::trace {

// Takes the next member of a comma-separated list off the front of `rest`, trimmed, empty ones
// skipped; empty at the end.
inline constexpr std::string_view next_in_list(std::string_view& rest) noexcept {
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view member = trimmed(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (!member.empty()) return member;
  }
  return {};
}

// What a character may be part of.
inline constexpr std::uint8_t kKeyFirst = 0x01;      // tracestate key, first
inline constexpr std::uint8_t kKeyRest = 0x02;       // tracestate key, later
inline constexpr std::uint8_t kStateValue = 0x04;    // tracestate value
inline constexpr std::uint8_t kToken = 0x08;         // baggage key
inline constexpr std::uint8_t kBaggageOctet = 0x10;  // baggage value as it may be written
inline constexpr std::uint8_t kPrintable = 0x20;     // 0x20 to 0x7e
inline constexpr std::uint8_t kEscaped = 0x40;       // JSON escapes it

inline constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, std::uint8_t bit) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= bit;
  };
  for (unsigned c = 0x20; c <= 0x7e; ++c) classes[c] |= kPrintable | kStateValue;
  for (unsigned c = 0x21; c <= 0x7e; ++c) classes[c] |= kBaggageOctet;
  for (const char c : std::string_view(",="))
    classes[static_cast<unsigned char>(c)] &= 0xFF ^ kStateValue;
  for (const char c : std::string_view("\",;\\")) {
    classes[static_cast<unsigned char>(c)] &= 0xFF ^ kBaggageOctet;
  }
  add("abcdefghijklmnopqrstuvwxyz0123456789", kKeyFirst | kKeyRest | kToken);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~", kToken);
  add("_-*/@", kKeyRest);
  add("\"\\", kEscaped);
  return classes;
}();

inline constexpr std::uint8_t class_of(char c) noexcept {
  return kClasses[static_cast<unsigned char>(c)];
}

inline constexpr bool all_of_class(std::string_view text, std::uint8_t bit) noexcept {
  for (const char c : text) {
    if ((class_of(c) & bit) == 0) return false;
  }
  return true;
}

}  // namespace spanwire::trace
