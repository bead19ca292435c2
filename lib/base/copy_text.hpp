// Short texts, copied where they are written.
#pragma once

#include <cstddef>
#include <cstring>

namespace spanwire {

// Most texts are short: a call of memcpy costs more than copying them.
inline constexpr std::size_t kShortTextBytes = 32;

// Up to kShortTextBytes.
inline void copy_short_text(char* to, const char* from, std::size_t bytes) noexcept {
  if (bytes >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + bytes - 16, from + bytes - 16, 16);
  } else if (bytes >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + bytes - 8, from + bytes - 8, 8);
  } else if (bytes >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + bytes - 4, from + bytes - 4, 4);
  } else {
    for (std::size_t i = 0; i < bytes; ++i) to[i] = from[i];
  }
}

inline void copy_text(char* to, const char* from, std::size_t bytes) noexcept {
  if (bytes > kShortTextBytes) {
    std::memcpy(to, from, bytes);
  } else {
    copy_short_text(to, from, bytes);
  }
}

}  // namespace spanwire
