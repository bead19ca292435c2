#include "spanwire/wire/utf8.hpp"

#include <cstdint>

#include "lib/wire/scan.hpp"

namespace spanwire::wire {
namespace {

bool continues(const char* at) noexcept { return (static_cast<unsigned char>(*at) & 0xC0) == 0x80; }

}  // namespace

std::size_t utf8_sequence_bytes(const char* from, const char* end) noexcept {
  const auto left = static_cast<std::size_t>(end - from);
  if (left < 2) return 0;
  const auto lead = static_cast<unsigned char>(from[0]);
  const auto second = static_cast<unsigned char>(from[1]);
  if (lead >= 0xC2 && lead <= 0xDF) return continues(from + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !continues(from + 1) || !continues(from + 2)) return 0;
    const bool overlong = lead == 0xE0 && second < 0xA0;
    const bool surrogate = lead == 0xED && second >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !continues(from + 1) || !continues(from + 2) || !continues(from + 3)) return 0;
    const bool overlong = lead == 0xF0 && second < 0x90;
    const bool beyond = lead == 0xF4 && second >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

bool valid_utf8(ByteView bytes) noexcept {
  const std::string_view text = text_of(bytes);
  if (all_ascii(text.data(), text.size())) [[likely]]
    return true;
  const char* at = text.data();
  const char* const end = at + text.size();
  while ((at = scan_ascii(at, end)) != end) {
    const std::size_t length = utf8_sequence_bytes(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool printable_ascii(std::string_view text) noexcept {
  const char* const at = text.data();
  const std::size_t size = text.size();
  if (size < kChunkBytes) {
    bool good = true;
    for (const char c : text) {
      good &= static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f;
    }
    return good;
  }
  for (std::size_t i = 0; i + kChunkBytes <= size; i += kChunkBytes) {
    if (!printable_chunk(at + i)) return false;
  }
  return printable_chunk(at + size - kChunkBytes);
}

std::string_view clip_utf8(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && continues(text.data() + size)) --size;
  return text.substr(0, size);
}

}  // namespace spanwire::wire
