// Base64 as Python's base64.b64encode and b64decode have it: with padding, in the standard
// alphabet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spanwire::journey {

std::string base64_encode(std::string_view bytes);
// Nothing for what is no base64: a foreign character, a wrong length or padding.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace spanwire::journey
