#include "lib/otlp/http1_text.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {

std::optional<std::uint64_t> number_in(std::string_view text, int base) noexcept {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

bool has_word(std::string_view list, std::string_view word) {
  const std::string words = lower_case(list);
  const std::vector<std::string_view> all = split_list(words);
  return std::find(all.begin(), all.end(), word) != all.end();
}

}  // namespace spanwire::otlp
