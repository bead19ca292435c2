#include "lib/otlp/utf8_text.hpp"

#include "spanwire/base/utf8.hpp"

namespace spanwire::otlp {

std::string_view repaired_if_needed(std::string_view text, std::string& scratch) {
  const char* at = text.data();
  const char* const end = at + text.size();
  scratch.clear();
  bool clean = true;
  while (at != end) {
    const bool ascii = static_cast<unsigned char>(*at) < 0x80;
    const std::size_t bytes = ascii ? 1 : utf8_sequence_bytes(at, end);
    if (bytes == 0) {
      clean = false;
      scratch += kReplacement;
      ++at;
      continue;
    }
    scratch.append(at, bytes);
    at += bytes;
  }
  return clean ? text : std::string_view(scratch);
}

}  // namespace spanwire::otlp
