// Copies of what was written a moment ago.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace spanwire {

// Word by word, as its fields were stored.  A compiler copies in larger pieces, and a load that
// covers two stores waits until both have left the core.
template <class T>
inline void copy_words(T& to, const T& from) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);
  for (std::size_t at = 0; at < sizeof(T); at += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&from) + at, sizeof word);
    asm("" : "+r"(word));  // in a register by itself
    std::memcpy(reinterpret_cast<char*>(&to) + at, &word, sizeof word);
  }
}

}  // namespace spanwire
