#include "spanwire/wire/utf8.hpp"

#include <cstdint>

#include "lib/wire/scan.hpp"
#include "spanwire/base/utf8.hpp"

namespace spanwire::wire {
namespace {

bool continues(const char* at) noexcept { return (static_cast<unsigned char>(*at) & 0xC0) == 0x80; }

}  // namespace

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
