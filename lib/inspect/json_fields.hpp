// JSON values as OTLP writes them.  An absent value is a nullopt.  Internal to inspect.
#pragma once

#include <simdjson.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

inline constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

// The year 2255: later times are damage, and sums of earlier ones stay in 64 bits.
inline constexpr std::int64_t kTimeMax = 9'000'000'000'000'000'000;

using JsonField = std::optional<simdjson::dom::element>;

// The first member of that name.
JsonField field(simdjson::dom::object object, std::string_view key) noexcept;

// OTLP writes 64-bit integers as decimal text and allows numbers; times are unsigned on the wire.
std::optional<std::int64_t> integer(const JsonField& json) noexcept;
// Text of the document, valid until the next line; empty for anything but a string.
std::string_view string_or_empty(const JsonField& json) noexcept;
// 0 for what is no number of 32 bits.
std::uint32_t count_or_zero(const JsonField& json) noexcept;
// NaN for what is none.
double double_of(simdjson::dom::element json) noexcept;

// Numbers by the specification; some writers use the proto names.
SpanKind kind_of(const JsonField& json) noexcept;
SpanStatus status_of(const JsonField& code) noexcept;

// The bytes of an id in base64, standard or URL alphabet, with its padding or without.  Hex digits
// alone are an id of the wrong length, not base64.
bool bytes_of_base64(std::string_view text, std::uint8_t* bytes, std::size_t count) noexcept;

enum class IdSpelling : std::uint8_t { hex, base64, base64_as_hex, bad };

// Hex in any case, as receivers accept it, or base64.  `id` is zeros for an absent or empty text.
template <class Id>
IdSpelling read_id(const JsonField& json, Id& id) noexcept {
  id = Id();
  if (!json || json->is_null()) return IdSpelling::hex;
  std::string_view text;
  if (json->get(text) != simdjson::SUCCESS) return IdSpelling::bad;
  if (text.empty()) return IdSpelling::hex;
  if (text.size() == Id::kHexChars) {
    if (id.read_hex(text.data())) return IdSpelling::hex;
    std::array<char, Id::kHexChars> lower;
    for (std::size_t i = 0; i < lower.size(); ++i) {
      const char c = text[i];
      lower[i] = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return id.read_hex(lower.data()) ? IdSpelling::hex : IdSpelling::bad;
  }
  std::array<std::uint8_t, Id::kBytes> bytes{};
  if (bytes_of_base64(text, bytes.data(), bytes.size())) {
    id = Id(bytes);
    return IdSpelling::base64;
  }
  // Hex of N bytes, taken for base64, gives 3/4 of its digits as bytes.
  const bool hex = text.find_first_not_of(kHexDigits) == std::string_view::npos;
  return hex && text.size() == Id::kHexChars * 3 / 2 ? IdSpelling::base64_as_hex : IdSpelling::bad;
}

}  // namespace spanwire::inspect
