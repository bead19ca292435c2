// Hex of 16 bytes at once where the processor can (every x86-64), else as ids.hpp does it.
#pragma once

#include "spanwire/trace/ids.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spanwire::trace::hex {

#if defined(__SSE2__)

// 16 digits, each a number below 16, as text.
inline __m128i text_of_digits(__m128i digits) noexcept {
  const __m128i letters = _mm_cmpgt_epi8(digits, _mm_set1_epi8(9));
  const __m128i offset = _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10));
  return _mm_add_epi8(_mm_add_epi8(digits, _mm_set1_epi8('0')), offset);
}

inline void store(char* out, __m128i text) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), text);
}

inline void write_16(const void* bytes, char* out) noexcept {
  const __m128i all = _mm_loadu_si128(static_cast<const __m128i*>(bytes));
  const __m128i low = _mm_and_si128(all, _mm_set1_epi8(0x0F));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(all, 4), _mm_set1_epi8(0x0F));
  store(out, text_of_digits(_mm_unpacklo_epi8(high, low)));
  store(out + 16, text_of_digits(_mm_unpackhi_epi8(high, low)));
}

inline void write_8(const void* bytes, char* out) noexcept {
  const __m128i all = _mm_loadl_epi64(static_cast<const __m128i*>(bytes));
  const __m128i low = _mm_and_si128(all, _mm_set1_epi8(0x0F));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(all, 4), _mm_set1_epi8(0x0F));
  store(out, text_of_digits(_mm_unpacklo_epi8(high, low)));
}

// Reads digits of 0-9 and a-f; what was wrong anywhere is remembered.
class Reader {
 public:
  void read_8(const char* text, void* out) noexcept {
    const __m128i pairs = pairs_of(text);
    _mm_storel_epi64(static_cast<__m128i*>(out), _mm_packus_epi16(pairs, pairs));
  }
  void read_16(const char* text, void* out) noexcept {
    const __m128i pairs = pairs_of(text);
    _mm_storeu_si128(static_cast<__m128i*>(out), _mm_packus_epi16(pairs, pairs_of(text + 16)));
  }
  bool good() const noexcept { return _mm_movemask_epi8(good_) == 0xFFFF; }

 private:
  // Two digits a number, each in 16 bits.
  __m128i pairs_of(const char* from) noexcept {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('0' - 1)),
                                        _mm_cmplt_epi8(text, _mm_set1_epi8('9' + 1)));
    const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('a' - 1)),
                                         _mm_cmplt_epi8(text, _mm_set1_epi8('f' + 1)));
    good_ = _mm_and_si128(good_, _mm_or_si128(digit, letter));
    const __m128i values = _mm_add_epi8(_mm_and_si128(text, _mm_set1_epi8(0x0F)),
                                        _mm_and_si128(letter, _mm_set1_epi8(9)));
    const __m128i high = _mm_slli_epi16(values, 4);
    return _mm_and_si128(_mm_or_si128(high, _mm_srli_epi16(values, 8)), _mm_set1_epi16(0x00FF));
  }

  __m128i good_ = _mm_set1_epi8(-1);
};

#else

inline void write_8(const void* bytes, char* out) noexcept { detail::write_hex_8(bytes, out); }
inline void write_16(const void* bytes, char* out) noexcept {
  write_8(bytes, out);
  write_8(static_cast<const char*>(bytes) + 8, out + 16);
}

class Reader {
 public:
  void read_8(const char* text, void* out) noexcept { bad_ |= detail::read_hex_8(text, out); }
  void read_16(const char* text, void* out) noexcept {
    read_8(text, out);
    read_8(text + 16, static_cast<char*>(out) + 8);
  }
  bool good() const noexcept { return bad_ == 0; }

 private:
  std::uint64_t bad_ = 0;
};

#endif

}  // namespace spanwire::trace::hex
