#include "lib/inspect/json_parse.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace spanwire::inspect {
namespace {

constexpr std::string_view kInNumbers = "+-.0123456789Ee";

template <class Integer>
bool too_large(std::string_view digits) noexcept {
  Integer value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc::result_out_of_range && end == digits.data() + digits.size();
}

bool is_wide_integer(std::string_view number) noexcept {
  return number.starts_with('-') ? too_large<std::int64_t>(number)
                                 : too_large<std::uint64_t>(number);
}

// Behind the text that begins before `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) noexcept {
  for (at = text.find_first_of("\"\\", at); at != std::string_view::npos;
       at = text.find_first_of("\"\\", at + 2)) {
    if (text[at] == '"') return at + 1;
  }
  return text.size();
}

// `text` with a fraction behind each integer of more than 64 bits.
std::string with_wide_integers_as_doubles(std::string_view text) {
  std::string widened;
  std::size_t copied = 0;
  for (std::size_t at = text.find_first_of("\"-0123456789"); at < text.size();
       at = text.find_first_of("\"-0123456789", at)) {
    if (text[at] == '"') {
      at = end_of_string(text, at + 1);
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of(kInNumbers, at), text.size());
    if (is_wide_integer(text.substr(at, end - at))) {
      widened.append(text.substr(copied, end - copied)).append(".0");
      copied = end;
    }
    at = end;
  }
  if (copied != 0) widened.append(text.substr(copied));
  return widened;
}

}  // namespace

simdjson::error_code parse_json(simdjson::dom::parser& parser, std::string_view text, bool padded,
                                simdjson::dom::element& root) {
  const auto error = parser.parse(text.data(), text.size(), !padded).get(root);
  if (error != simdjson::NUMBER_ERROR) return error;
  const std::string widened = with_wide_integers_as_doubles(text);
  return widened.empty() ? error : parser.parse(widened).get(root);
}

}  // namespace spanwire::inspect
