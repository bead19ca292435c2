// The floor of trace/extract and trace/inject: what somebody would write who needs exactly this, in
// one place, for one carrier.  Same input, same checks, same results; no carrier concept, no trust,
// no options, no counters.
#pragma once

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

inline std::uint64_t load8(const void* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, 8);
  return word;
}
inline void store8(void* to, std::uint64_t word) noexcept { std::memcpy(to, &word, 8); }

// 8 hex digits to 4 bytes; `bad` collects the high bits of what is no lower-case digit.
inline std::uint64_t unhex8(std::uint64_t text, std::uint64_t& bad) noexcept {
  constexpr std::uint64_t k = 0x0101010101010101ull;
  const std::uint64_t low = text & 0x7F * k;
  const std::uint64_t digit = (low + 0x50 * k) & ~(low + 0x46 * k);
  const std::uint64_t letter = (low + 0x1F * k) & ~(low + 0x19 * k);
  bad |= (~(digit | letter) | text) & 0x80 * k;
  const std::uint64_t nibbles = (text & 0x0F * k) + (text >> 6 & k) * 9;
  std::uint64_t bytes = (nibbles << 4 | nibbles >> 8) & 0x00FF00FF00FF00FFull;
  bytes = (bytes | bytes >> 8) & 0x0000FFFF0000FFFFull;
  return (bytes | bytes >> 16) & 0xFFFFFFFFull;
}
inline std::uint64_t unhex16(const char* text, std::uint64_t& bad) noexcept {
  return unhex8(load8(text), bad) | unhex8(load8(text + 8), bad) << 32;
}

inline void hex4(std::uint64_t bytes, char* out) noexcept {
  constexpr std::uint64_t k = 0x0101010101010101ull;
  bytes = (bytes | bytes << 16) & 0x0000FFFF0000FFFFull;
  bytes = (bytes | bytes << 8) & 0x00FF00FF00FF00FFull;
  const std::uint64_t digits =
      (bytes >> 4 & 0x000F000F000F000Full) | (bytes & 0x000F000F000F000Full) << 8;
  store8(out, digits + '0' * k + ((digits + 6 * k) >> 4 & k) * 39);
}
inline void hex8(const unsigned char* bytes, char* out) noexcept {
  const std::uint64_t word = load8(bytes);
  hex4(word & 0xFFFFFFFFull, out);
  hex4(word >> 32, out + 8);
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
  std::uint64_t bad = 0;
  const std::uint64_t high = unhex16(at + 3, bad);
  const std::uint64_t low = unhex16(at + 19, bad);
  const std::uint64_t span = unhex16(at + 36, bad);
  const int flags_high = hex_digit(at[53]);
  const int flags_low = hex_digit(at[54]);
  if (bad != 0 || at[35] != '-' || at[52] != '-' || (flags_high | flags_low) > 15) return false;
  if ((high | low) == 0 || span == 0) return false;
  store8(context.trace_id.data(), high);
  store8(context.trace_id.data() + 8, low);
  store8(context.span_id.data(), span);
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

// A whole block, `{"traceparent":"...","tracestate":"..."}`, into `out` (large enough); its size.
inline std::size_t inject(const W3cContext& context, char* out) noexcept {
  static constexpr char kHead[] = "{\"traceparent\":\"00-";
  std::memcpy(out, kHead, sizeof kHead - 1);
  char* at = out + sizeof kHead - 1;
  hex8(context.trace_id.data(), at);
  hex8(context.trace_id.data() + 8, at + 16);
  at[32] = '-';
  hex8(context.span_id.data(), at + 33);
  std::memcpy(at + 49, "-0", 2);
  at[51] = static_cast<char>('0' + context.flags);
  at[52] = '"';
  at += 53;
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

}  // namespace spanwire::floor
