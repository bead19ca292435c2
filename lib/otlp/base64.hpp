// base64 (RFC 4648).
#pragma once

#include <string>
#include <string_view>

namespace spanwire::otlp {

// In the standard alphabet, with padding.
std::string encode_base64(std::string_view bytes);
// Of the standard or the URL alphabet, with padding or without; up to the first character of
// neither.
std::string decode_base64(std::string_view text);

}  // namespace spanwire::otlp
