#include "lib/otlp/utf8_text.hpp"

namespace spanwire::otlp {

std::size_t sequence_bytes(const char* from, const char* end) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(from[i]); };
  const auto left = static_cast<std::size_t>(end - from);
  const unsigned char first = byte(0);
  const auto follows = [&](std::size_t i, unsigned lowest, unsigned highest) {
    return i < left && byte(i) >= lowest && byte(i) <= highest;
  };
  if (first >= 0xC2 && first <= 0xDF) return follows(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned lowest = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned highest = first == 0xED ? 0x9F : 0xBF;
    return follows(1, lowest, highest) && follows(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned lowest = first == 0xF0 ? 0x90 : 0x80;
    const unsigned highest = first == 0xF4 ? 0x8F : 0xBF;
    return follows(1, lowest, highest) && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

std::string_view repaired_if_needed(std::string_view text, std::string& scratch) {
  const char* at = text.data();
  const char* const end = at + text.size();
  scratch.clear();
  bool clean = true;
  while (at != end) {
    const bool ascii = static_cast<unsigned char>(*at) < 0x80;
    const std::size_t bytes = ascii ? 1 : sequence_bytes(at, end);
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
