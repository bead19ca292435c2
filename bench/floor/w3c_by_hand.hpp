// The floor of trace/extract and trace/inject: what somebody would write who needs exactly this, in
// one place, for one carrier.  Same input, same checks, same results; no carrier concept, no trust,
// no options, no counters.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "spanwire/wire/headers.hpp"

namespace spanwire::floor {

struct W3cContext {
  std::array<unsigned char, 16> trace_id{};
  std::array<unsigned char, 8> span_id{};
  unsigned char flags = 0;
  bool valid = false;
  bool escape = false;
  std::string_view tracestate;
  std::string_view baggage;
  std::string_view x_request_id;
  std::string_view request_id;
};

#if !defined(__SSE2__)
#error "the floor is written for x86-64: elsewhere the ratio would compare instruction sets"
#endif

// 16 digits to 8 numbers of 16 bits; `good` loses the lanes of what is no lower-case digit.
inline __m128i unhex16(const char* text, __m128i& good) noexcept {
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(all, _mm_set1_epi8('0' - 1)),
                                      _mm_cmplt_epi8(all, _mm_set1_epi8('9' + 1)));
  const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(all, _mm_set1_epi8('a' - 1)),
                                       _mm_cmplt_epi8(all, _mm_set1_epi8('f' + 1)));
  good = _mm_and_si128(good, _mm_or_si128(digit, letter));
  const __m128i nibbles =
      _mm_add_epi8(_mm_and_si128(all, _mm_set1_epi8(15)), _mm_and_si128(letter, _mm_set1_epi8(9)));
  return _mm_and_si128(_mm_or_si128(_mm_slli_epi16(nibbles, 4), _mm_srli_epi16(nibbles, 8)),
                       _mm_set1_epi16(255));
}

inline __m128i text_of(__m128i nibbles) noexcept {
  const __m128i letters = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
  return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')),
                      _mm_and_si128(letters, _mm_set1_epi8(39)));
}
// The first 8 of `bytes` as 16 digits; with `second` the other 8, too.
inline void hex(__m128i bytes, char* out, bool second) noexcept {
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(bytes, mask);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
  auto* const to = reinterpret_cast<__m128i*>(out);
  _mm_storeu_si128(to, text_of(_mm_unpacklo_epi8(high, low)));
  if (second) _mm_storeu_si128(to + 1, text_of(_mm_unpackhi_epi8(high, low)));
}

inline int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return 16;
}

inline bool parse_traceparent(std::string_view text, W3cContext& context) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.size() < 55) return false;
  const char* at = text.data();
  if (at[0] == '0' && at[1] == '0' && at[2] == '-') {
    if (text.size() != 55) return false;
  } else {
    if ((hex_digit(at[0]) | hex_digit(at[1])) > 15 || at[2] != '-') return false;
    if (at[0] == 'f' && at[1] == 'f') return false;
    if (text.size() > 55 && at[55] != '-') return false;
  }
  __m128i good = _mm_set1_epi8(-1);
  const __m128i first = unhex16(at + 3, good);
  const __m128i trace_id = _mm_packus_epi16(first, unhex16(at + 19, good));
  const __m128i span = unhex16(at + 36, good);
  const __m128i span_id = _mm_packus_epi16(span, span);
  const int flags_high = hex_digit(at[53]);
  const int flags_low = hex_digit(at[54]);
  if (_mm_movemask_epi8(good) != 0xFFFF || at[35] != '-' || at[52] != '-') return false;
  if ((flags_high | flags_low) > 15) return false;
  const __m128i zero = _mm_setzero_si128();
  if (_mm_movemask_epi8(_mm_cmpeq_epi8(trace_id, zero)) == 0xFFFF) return false;
  if (_mm_movemask_epi8(_mm_cmpeq_epi8(span_id, zero)) == 0xFFFF) return false;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(context.trace_id.data()), trace_id);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(context.span_id.data()), span_id);
  context.flags = static_cast<unsigned char>(flags_low & 3);
  return true;
}

// 1: first of a key, 2: later in a key, 4: value, 8: JSON escapes it.
inline constexpr std::array<unsigned char, 256> kTable = [] {
  std::array<unsigned char, 256> table{};
  for (unsigned c = 0x20; c < 0x7f; ++c) table[c] = 4;
  table[','] = table['='] = 0;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] |= 3;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] |= 3;
  table['_'] |= 2;
  table['-'] |= 2;
  table['*'] |= 2;
  table['/'] |= 2;
  table['@'] |= 2;
  table['"'] |= 8;
  table['\\'] |= 8;
  return table;
}();

inline bool parse_tracestate(std::string_view text, W3cContext& context) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  const char* first = nullptr;
  const char* last = nullptr;
  unsigned seen = 0;
  const auto table = [](char c) -> unsigned { return kTable[static_cast<unsigned char>(c)]; };
  for (int members = 0;; ++members) {
    while (at != end && (*at == ',' || *at == ' ' || *at == '\t')) ++at;
    if (at == end) break;
    if (members == 32) return false;
    if (first == nullptr) first = at;
    const char* begin = at;
    if ((table(*at) & 1) == 0) return false;
    do {
      ++at;
    } while (at != end && (table(*at) & 2) != 0);
    if (at == end || *at != '=' || at - begin > 256) return false;
    begin = ++at;
    while (at != end && (table(*at) & 4) != 0) seen |= table(*at++);
    last = at;
    while (at != end && (*at == ' ' || *at == '\t')) ++at;
    if (at != end && *at != ',') return false;
    while (last != begin && last[-1] == ' ') --last;
    if (last == begin || last - begin > 256) return false;
  }
  if (first == nullptr) return true;
  context.tracestate = {first, static_cast<std::size_t>(last - first)};
  context.escape = (seen & 8) != 0;
  return true;
}

inline void extract(const wire::HeaderList& headers, W3cContext& context) noexcept {
  using wire::WellKnown;
  const wire::Header* parent = headers.find(WellKnown::traceparent);
  if (parent != nullptr && !headers.repeated(WellKnown::traceparent)) {
    context.valid = parse_traceparent(parent->value, context);
    const wire::Header* state = headers.find(WellKnown::tracestate);
    if (context.valid && state != nullptr) parse_tracestate(state->value, context);
  }
  if (const wire::Header* found = headers.find(WellKnown::baggage)) context.baggage = found->value;
  if (const wire::Header* found = headers.find(WellKnown::x_request_id)) {
    context.x_request_id = found->value;
  }
  if (const wire::Header* found = headers.find(WellKnown::request_id)) {
    context.request_id = found->value;
  }
}

// The 55 characters of traceparent.
inline void write_traceparent(const W3cContext& context, char* at) noexcept {
  std::memcpy(at, "00-", 3);
  hex(_mm_loadu_si128(reinterpret_cast<const __m128i*>(context.trace_id.data())), at + 3, true);
  at[35] = '-';
  hex(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(context.span_id.data())), at + 36, false);
  std::memcpy(at + 52, "-0", 2);
  at[54] = static_cast<char>('0' + context.flags);
}

// A whole block, `{"traceparent":"...","tracestate":"..."}`, into `out` (large enough); its size.
// No carrier: no other header can be added, no limit is looked at.
inline std::size_t inject(const W3cContext& context, char* out) noexcept {
  static constexpr char kHead[] = "{\"traceparent\":\"";
  std::memcpy(out, kHead, sizeof kHead - 1);
  char* at = out + sizeof kHead - 1;
  write_traceparent(context, at);
  at[55] = '"';
  at += 56;
  if (!context.tracestate.empty()) {
    static constexpr char kState[] = ",\"tracestate\":\"";
    std::memcpy(at, kState, sizeof kState - 1);
    at += sizeof kState - 1;
    std::memcpy(at, context.tracestate.data(), context.tracestate.size());
    at += context.tracestate.size();
    *at++ = '"';
  }
  *at++ = '}';
  return static_cast<std::size_t>(at - out);
}

// The same through the writer that the library uses, as extract() goes through its list.
inline ByteView inject_through_writer(const W3cContext& context, MutableByteView room) {
  wire::HeaderWriter writer(room);
  char* const parent = writer.add_in_place(wire::WellKnown::traceparent, 55);
  if (parent != nullptr) write_traceparent(context, parent);
  if (!context.tracestate.empty()) {
    char* const state = writer.add_in_place(wire::WellKnown::tracestate, context.tracestate.size());
    if (state != nullptr) {
      std::memcpy(state, context.tracestate.data(), context.tracestate.size());
    }
  }
  return writer.finish();
}

}  // namespace spanwire::floor
