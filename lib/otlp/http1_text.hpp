// What fields of HTTP/1 hold, for who writes requests and who answers them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spanwire::otlp {

// Digits alone: no sign, no blanks.
std::optional<std::uint64_t> number_in(std::string_view text, int base) noexcept;
// Whether a list with commas has the word, which is in lower case; the list may be in any.
bool has_word(std::string_view list, std::string_view word);

}  // namespace spanwire::otlp
