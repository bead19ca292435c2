// Scans for the next byte that needs a look, 16 or 64 at a time where the machine can.  Nothing
// outside of what was given is read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "lib/base/ascii.hpp"

namespace spanwire::wire {

// What a JSON string cannot hold as it is, or what has to be checked: quote, backslash, control
// characters, and everything beyond ASCII.
inline bool special_in_string(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

// What a header's name ends with, or cannot hold: a colon, and what is no printable ASCII.
inline bool ends_name(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte >= 0x7f || c == ':';
}

// ---- Eight bytes as one number, in any byte order.

inline constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
inline constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

template <class T>
T load_word(const char* from) noexcept {
  T word;
  std::memcpy(&word, from, sizeof(T));
  return word;
}

// True if any of the eight bytes is special.
inline bool word_has_special(std::uint64_t word) noexcept {
  const auto has_zero = [](std::uint64_t w) { return (w - kOnes) & ~w & kHighBits; };
  const std::uint64_t low = (word - kOnes * 0x20) & ~word & kHighBits;
  return (low | (word & kHighBits) | has_zero(word ^ (kOnes * '"')) |
          has_zero(word ^ (kOnes * '\\'))) != 0;
}

// ASCII letters in lower case; no byte may be beyond ASCII.
inline std::uint64_t lower_word(std::uint64_t word) noexcept {
  const std::uint64_t upper =
      ((word + kOnes * (0x80 - 'A')) ^ (word + kOnes * (0x80 - 'Z' - 1))) & kHighBits;
  return word | (upper >> 2);
}

#if defined(__SSE2__)

using Chunk = __m128i;
inline constexpr std::size_t kChunkBytes = 16;

inline Chunk load_chunk(const char* from) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline void store_chunk(char* to, Chunk chunk) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), chunk);
}
// Bytes of all ones where special; as signed numbers, those beyond ASCII are below the blank too.
inline Chunk special_bytes(Chunk chunk) noexcept {
  const Chunk quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"'));
  const Chunk backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\'));
  const Chunk low = _mm_cmplt_epi8(chunk, _mm_set1_epi8(0x20));
  return _mm_or_si128(_mm_or_si128(quote, backslash), low);
}
inline unsigned mask_of(Chunk chunk) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(chunk));
}
// One bit for each of 64 bytes.
inline std::uint64_t special_mask_64(const char* from) noexcept {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < 4; ++i) {
    mask |= std::uint64_t{mask_of(special_bytes(load_chunk(from + 16 * i)))} << (16 * i);
  }
  return mask;
}
// Both runs are up to `end`; there may be less than a chunk left when they return.
inline const char* skip_ascii_chunks(const char* at, const char* end) noexcept {
  while (static_cast<std::size_t>(end - at) >= kChunkBytes && mask_of(load_chunk(at)) == 0) {
    at += kChunkBytes;
  }
  return at;
}
// Copies 16 bytes; true if any of them was special.
inline bool copy_chunk(char* to, const char* from) noexcept {
  const Chunk chunk = load_chunk(from);
  store_chunk(to, chunk);
  return mask_of(special_bytes(chunk)) != 0;
}
inline bool words_have_special(std::uint64_t a, std::uint64_t b) noexcept {
  const Chunk both = _mm_set_epi64x(static_cast<long long>(b), static_cast<long long>(a));
  return mask_of(special_bytes(both)) != 0;
}
// One bit for each of 16 bytes that is a line feed or carriage return.
inline unsigned line_end_mask(const char* from) noexcept {
  const Chunk chunk = load_chunk(from);
  return mask_of(_mm_or_si128(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('\n')),
                              _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\r'))));
}
// One bit for each of 16 bytes that is a colon or no printable ASCII; a blank counts as none.
inline unsigned name_end_mask(const char* from) noexcept {
  const Chunk chunk = load_chunk(from);
  const Chunk bad = _mm_or_si128(_mm_cmplt_epi8(chunk, _mm_set1_epi8(0x21)),
                                 _mm_cmpeq_epi8(chunk, _mm_set1_epi8(0x7f)));
  return mask_of(_mm_or_si128(bad, _mm_cmpeq_epi8(chunk, _mm_set1_epi8(':'))));
}
// True if all 16 are printable ASCII.
inline bool printable_chunk(const char* from) noexcept {
  const Chunk chunk = load_chunk(from);
  const Chunk bad = _mm_or_si128(_mm_cmplt_epi8(chunk, _mm_set1_epi8(0x20)),
                                 _mm_cmpeq_epi8(chunk, _mm_set1_epi8(0x7f)));
  return mask_of(bad) == 0;
}

#else

inline constexpr std::size_t kChunkBytes = 16;

inline std::uint64_t special_mask_64(const char* from) noexcept {
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < 64; i += 8) {
    if (!word_has_special(load_word<std::uint64_t>(from + i))) continue;
    for (unsigned j = i; j < i + 8; ++j) {
      if (special_in_string(from[j])) mask |= std::uint64_t{1} << j;
    }
  }
  return mask;
}
inline const char* skip_ascii_chunks(const char* at, const char* end) noexcept {
  while (end - at >= 8 && (load_word<std::uint64_t>(at) & kHighBits) == 0) at += 8;
  return at;
}
inline bool words_have_special(std::uint64_t a, std::uint64_t b) noexcept {
  return word_has_special(a) || word_has_special(b);
}
inline bool copy_chunk(char* to, const char* from) noexcept {
  std::memcpy(to, from, kChunkBytes);
  return words_have_special(load_word<std::uint64_t>(from), load_word<std::uint64_t>(from + 8));
}
inline unsigned line_end_mask(const char* from) noexcept {
  unsigned mask = 0;
  for (unsigned i = 0; i < kChunkBytes; ++i) {
    if (from[i] == '\n' || from[i] == '\r') mask |= 1u << i;
  }
  return mask;
}
inline unsigned name_end_mask(const char* from) noexcept {
  unsigned mask = 0;
  for (unsigned i = 0; i < kChunkBytes; ++i) {
    if (ends_name(from[i])) mask |= 1u << i;
  }
  return mask;
}
inline bool printable_chunk(const char* from) noexcept {
  for (std::size_t i = 0; i < kChunkBytes; ++i) {
    const auto byte = static_cast<unsigned char>(from[i]);
    if (byte < 0x20 || byte >= 0x7f) return false;
  }
  return true;
}

#endif

inline bool all_ascii(const char* at, std::size_t size) noexcept {
  if (size >= 8) {
    std::uint64_t bits = load_word<std::uint64_t>(at + size - 8);
    for (std::size_t i = 0; i + 8 <= size; i += 8) bits |= load_word<std::uint64_t>(at + i);
    return (bits & kHighBits) == 0;
  }
  unsigned bits = 0;
  for (std::size_t i = 0; i < size; ++i) bits |= static_cast<unsigned char>(at[i]);
  return bits < 0x80;
}

// The first line feed or carriage return of [at, end), or end.
inline const char* scan_line(const char* at, const char* end) noexcept {
  while (static_cast<std::size_t>(end - at) >= kChunkBytes) {
    const unsigned mask = line_end_mask(at);
    if (mask != 0) return at + std::countr_zero(mask);
    at += kChunkBytes;
  }
  while (at != end && *at != '\n' && *at != '\r') ++at;
  return at;
}

// The first byte of [at, end) that ends a name, or end.
inline const char* scan_name(const char* at, const char* end) noexcept {
  while (static_cast<std::size_t>(end - at) >= kChunkBytes) {
    const unsigned mask = name_end_mask(at);
    if (mask != 0) return at + std::countr_zero(mask);
    at += kChunkBytes;
  }
  while (at != end && !ends_name(*at)) ++at;
  return at;
}

// The first byte of [at, end) beyond ASCII, or end.
inline const char* scan_ascii(const char* at, const char* end) noexcept {
  at = skip_ascii_chunks(at, end);
  while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return at;
}

// The first byte of [at, end) that is special in a string, or end.  For strings that are known to
// have some; SpecialFinder is for a whole block.
inline const char* scan_string(const char* at, const char* end) noexcept {
  while (end - at >= 8 && !word_has_special(load_word<std::uint64_t>(at))) at += 8;
  while (at != end && !special_in_string(*at)) ++at;
  return at;
}

// Finds special bytes.  Each window of 64 bytes is looked at once, however many strings begin in
// it, as long as the places asked for move forward.
class SpecialFinder {
 public:
  SpecialFinder(const char* begin, const char* end) noexcept : end_(end), base_(begin) {
    const auto bytes = static_cast<std::size_t>(end - begin);
    if (bytes >= kWindowBytes) {
      mask_ = special_mask_64(base_);
      return;
    }
    // Too short for a window: the zero behind the end is special too, and nothing is found beyond.
    char padded[kWindowBytes] = {};
    if (bytes != 0) std::memcpy(padded, begin, bytes);
    mask_ = special_mask_64(padded);
  }

  // The first special byte of [at, end), or end.
  const char* find(const char* at) noexcept {
    for (;;) {
      const auto offset = static_cast<std::size_t>(at - base_);
      if (offset < kWindowBytes) [[likely]] {
        const std::uint64_t mask = mask_ >> offset;
        if (mask != 0) [[likely]]
          return at + std::countr_zero(mask);
        if (static_cast<std::size_t>(end_ - base_) <= kWindowBytes) return end_;
        at = base_ + kWindowBytes;
      }
      if (at == end_) return end_;
      // The last window overlaps the one before it, so that it ends where the block does.
      base_ = static_cast<std::size_t>(end_ - at) >= kWindowBytes ? at : end_ - kWindowBytes;
      mask_ = special_mask_64(base_);
    }
  }

 private:
  static constexpr std::size_t kWindowBytes = 64;

  const char* end_;
  const char* base_;
  std::uint64_t mask_;
};

// Copies `size` bytes; true if none of them was special.  Overlapping steps cover the rest.
inline bool copy_clean(char* to, const char* from, std::size_t size) noexcept {
  if (size >= kChunkBytes) {
    bool special = false;
    for (std::size_t at = 0; at + kChunkBytes <= size; at += kChunkBytes) {
      special |= copy_chunk(to + at, from + at);
    }
    return !(special | copy_chunk(to + size - kChunkBytes, from + size - kChunkBytes));
  }
  if (size >= 8) {
    const auto front = load_word<std::uint64_t>(from);
    const auto back = load_word<std::uint64_t>(from + size - 8);
    std::memcpy(to, &front, 8);
    std::memcpy(to + size - 8, &back, 8);
    return !words_have_special(front, back);
  }
  bool special = false;
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = from[i];
    special |= special_in_string(from[i]);
  }
  return !special;
}

// The same with ASCII letters in lower case; what is copied means nothing if it returns false.
inline bool copy_clean_lower(char* to, const char* from, std::size_t size) noexcept {
  bool special = false;
  const auto copy_eight = [&](std::size_t at) {
    const auto word = load_word<std::uint64_t>(from + at);
    special |= word_has_special(word);
    const std::uint64_t small = lower_word(word);
    std::memcpy(to + at, &small, 8);
  };
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) copy_eight(at);
    copy_eight(size - 8);
    return !special;
  }
  for (std::size_t i = 0; i < size; ++i) {
    special |= special_in_string(from[i]);
    to[i] = lower(from[i]);
  }
  return !special;
}

}  // namespace spanwire::wire
