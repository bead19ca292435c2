// Scans for the next byte that needs a look, 16 at a time where the machine can.  Nothing at or
// behind `end` is read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spanwire::wire {

// What a JSON string cannot hold as it is, or what has to be checked: quote, backslash, control
// characters, and everything beyond ASCII.
inline bool special_in_string(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

#if defined(__SSE2__)

using Chunk = __m128i;
inline constexpr std::ptrdiff_t kChunkBytes = 16;

inline Chunk load_chunk(const char* from) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline void store_chunk(char* to, Chunk chunk) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), chunk);
}
// One bit a byte; as signed numbers, bytes beyond ASCII are below the blank as well.
inline unsigned special_mask(Chunk chunk) noexcept {
  const Chunk quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('"'));
  const Chunk backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\'));
  const Chunk low = _mm_cmplt_epi8(chunk, _mm_set1_epi8(0x20));
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low)));
}
inline unsigned beyond_ascii_mask(Chunk chunk) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(chunk));
}
inline Chunk to_lower(Chunk chunk) noexcept {
  const Chunk above = _mm_cmpgt_epi8(chunk, _mm_set1_epi8('A' - 1));
  const Chunk below = _mm_cmplt_epi8(chunk, _mm_set1_epi8('Z' + 1));
  return _mm_or_si128(chunk, _mm_and_si128(_mm_and_si128(above, below), _mm_set1_epi8(0x20)));
}

// The first byte of [at, end) that is special in a string, or end.
inline const char* scan_string(const char* at, const char* end) noexcept {
  while (end - at >= kChunkBytes) {
    const unsigned mask = special_mask(load_chunk(at));
    if (mask != 0) return at + std::countr_zero(mask);
    at += kChunkBytes;
  }
  while (at != end && !special_in_string(*at)) ++at;
  return at;
}

// The same where bytes from `begin` on may be read as well: the rest below a chunk is covered by
// one chunk that overlaps what lies before it.
inline const char* scan_string_in(const char* begin, const char* at, const char* end) noexcept {
  while (end - at >= kChunkBytes) {
    const unsigned mask = special_mask(load_chunk(at));
    if (mask != 0) return at + std::countr_zero(mask);
    at += kChunkBytes;
  }
  if (at == end || end - begin < kChunkBytes) return scan_string(at, end);
  const auto before = static_cast<unsigned>(kChunkBytes - (end - at));
  const unsigned mask = special_mask(load_chunk(end - kChunkBytes)) >> before;
  return mask != 0 ? at + std::countr_zero(mask) : end;
}

// The first byte of [at, end) beyond ASCII, or end.
inline const char* scan_ascii(const char* at, const char* end) noexcept {
  while (end - at >= kChunkBytes) {
    const unsigned mask = beyond_ascii_mask(load_chunk(at));
    if (mask != 0) return at + std::countr_zero(mask);
    at += kChunkBytes;
  }
  while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return at;
}

#else

// Without vector instructions: eight bytes at a time for the common case that none is special.
inline bool word_has_special(std::uint64_t word) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
  const auto zero_byte = [](std::uint64_t w) { return (w - kOnes) & ~w & kHighs; };
  return (((word - kOnes * 0x20) & ~word & kHighs) | (word & kHighs) |
          zero_byte(word ^ (kOnes * '"')) | zero_byte(word ^ (kOnes * '\\'))) != 0;
}

inline const char* scan_string(const char* at, const char* end) noexcept {
  std::uint64_t word;
  for (; end - at >= 8; at += 8) {
    std::memcpy(&word, at, 8);
    if (word_has_special(word)) break;
  }
  while (at != end && !special_in_string(*at)) ++at;
  return at;
}

inline const char* scan_ascii(const char* at, const char* end) noexcept {
  std::uint64_t word;
  for (; end - at >= 8; at += 8) {
    std::memcpy(&word, at, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return at;
}

inline const char* scan_string_in(const char* /*begin*/, const char* at, const char* end) noexcept {
  return scan_string(at, end);
}

#endif

}  // namespace spanwire::wire
