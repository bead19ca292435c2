#include "lib/inspect/json_fields.hpp"

#include <charconv>
#include <limits>

#include "lib/base/base64.hpp"

namespace spanwire::inspect {

using simdjson::SUCCESS;
using simdjson::dom::element_type;

JsonField field(simdjson::dom::object object, std::string_view key) noexcept {
  for (const simdjson::dom::key_value_pair member : object) {
    if (member.key == key) return member.value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> integer(const JsonField& json) noexcept {
  if (!json) return std::nullopt;
  std::int64_t number = 0;
  if (json->type() == element_type::INT64 || json->type() == element_type::UINT64) {
    if (json->get(number) != SUCCESS) return std::nullopt;  // beyond 63 bits
    return number;
  }
  std::string_view text;
  if (json->get(text) != SUCCESS) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::string_view string_or_empty(const JsonField& json) noexcept {
  std::string_view text;
  if (!json || json->get(text) != SUCCESS) return {};
  return text;
}

std::uint32_t count_or_zero(const JsonField& json) noexcept {
  const std::int64_t number = integer(json).value_or(0);
  if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) return 0;
  return static_cast<std::uint32_t>(number);
}

double double_of(simdjson::dom::element json) noexcept {
  double number = 0;
  if (json.get(number) == SUCCESS) return number;
  const std::string_view text = string_or_empty(json);
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

SpanKind kind_of(const JsonField& json) noexcept {
  const std::string_view text = string_or_empty(json);
  if (text == "SPAN_KIND_INTERNAL") return SpanKind::internal;
  if (text == "SPAN_KIND_SERVER") return SpanKind::server;
  if (text == "SPAN_KIND_CLIENT") return SpanKind::client;
  if (text == "SPAN_KIND_PRODUCER") return SpanKind::producer;
  if (text == "SPAN_KIND_CONSUMER") return SpanKind::consumer;
  const std::int64_t number = integer(json).value_or(0);
  return number >= 1 && number <= 5 ? static_cast<SpanKind>(number) : SpanKind::unspecified;
}

SpanStatus status_of(const JsonField& code) noexcept {
  const std::string_view text = string_or_empty(code);
  const std::int64_t number = integer(code).value_or(0);
  if (text == "STATUS_CODE_ERROR" || number == 2) return SpanStatus::error;
  if (text == "STATUS_CODE_OK" || number == 1) return SpanStatus::ok;
  return SpanStatus::unset;
}

bool bytes_of_base64(std::string_view text, std::uint8_t* bytes, std::size_t count) noexcept {
  if (text.find_first_not_of(kHexDigits) == std::string_view::npos) return false;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() != (count * 8 + 5) / 6) return false;
  std::uint32_t bits = 0;
  std::size_t held = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const int value = value_of_base64(c);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (at < count) bytes[at++] = static_cast<std::uint8_t>(bits >> held);
  }
  return true;
}

}  // namespace spanwire::inspect
