// base64 (RFC 4648).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spanwire {

// What a digit of the standard or the URL alphabet stands for; -1 for any other character.
constexpr int value_of_base64(char digit) noexcept {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
  if (digit >= '0' && digit <= '9') return digit - '0' + 52;
  if (digit == '+' || digit == '-') return 62;
  return digit == '/' || digit == '_' ? 63 : -1;
}

// In the standard alphabet, with padding.
std::string encode_base64(std::string_view bytes);

// Of the standard alphabet with padding, as encode_base64() writes it; nothing for what is not.
std::optional<std::string> decode_base64(std::string_view text);

// Of either alphabet, with padding or without; up to the first character that is no digit.
std::string decode_base64_leniently(std::string_view text);

}  // namespace spanwire
