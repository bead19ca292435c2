#include "lib/otlp/environment_reader.hpp"

#include <charconv>

#include "lib/base/ascii.hpp"

namespace spanwire::otlp {
namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

}  // namespace

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const std::string_view part = stripped(text.substr(0, comma)); !part.empty()) {
      parts.push_back(part);
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::optional<std::string> EnvironmentReader::text(std::string_view variable) const {
  const std::optional<std::string> value = environment_(variable);
  if (!value || stripped(*value).empty()) return std::nullopt;
  return std::string(stripped(*value));
}

std::optional<EnvironmentReader::Named> EnvironmentReader::first_of(
    std::initializer_list<std::string_view> variables) const {
  for (const std::string_view variable : variables) {
    if (auto value = text(variable)) return Named{variable, std::move(*value)};
  }
  return std::nullopt;
}

bool EnvironmentReader::boolean(std::string_view variable) {
  const std::optional<std::string> value = text(variable);
  if (!value) return false;
  const std::string lower = lower_case(*value);
  if (lower != "true" && lower != "false") warn(variable, *value, "neither true nor false: false");
  return lower == "true";
}

std::optional<std::uint64_t> EnvironmentReader::number(std::string_view variable,
                                                       std::uint64_t lowest,
                                                       std::string_view used) {
  const std::optional<std::string> value = text(variable);
  if (!value) return std::nullopt;
  constexpr std::uint64_t kHighest = 0x7FFF'FFFFu;
  std::uint64_t result = 0;
  const char* const end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, result);
  if (error != std::errc() || stop != end || result < lowest || result > kHighest) {
    warn(variable, *value,
         "not a whole number from " + std::to_string(lowest) + " to " + std::to_string(kHighest) +
             ": using " + std::string(used));
    return std::nullopt;
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> EnvironmentReader::pairs(std::string_view variable,
                                                                          Show show) {
  std::vector<std::pair<std::string, std::string>> result;
  const std::optional<std::string> value = text(variable);
  if (!value) return result;
  for (const std::string_view part : split_list(*value)) {
    const std::size_t equals = part.find('=');
    std::optional<std::string> key;
    std::optional<std::string> decoded;
    if (equals != std::string_view::npos) {
      key = percent_decoded(stripped(part.substr(0, equals)));
      decoded = percent_decoded(stripped(part.substr(equals + 1)));
    }
    if (!key || key->empty() || !decoded) {
      warn(variable, show == Show::shown ? *value : "...",
           "not a list of key=value: the whole variable is left out");
      return {};
    }
    result.emplace_back(std::move(*key), std::move(*decoded));
  }
  return result;
}

void EnvironmentReader::warn(std::string_view variable, std::string_view value,
                             std::string_view problem) {
  std::string line(variable);
  line.append("='").append(value).append("': ").append(problem);
  warnings_.push_back(std::move(line));
}

}  // namespace spanwire::otlp
