// The text of `traceparent`: parsed and written by W3C Trace Context level 2.
// Rules and vectors: proto-spec/trace.md.  Pure functions, no allocation but for an error's value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/detail/hex.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {

// "00-" trace id "-" span id "-" flags: what version 00 has, and what every later one begins with.
inline constexpr std::size_t kTraceparentBytes = 55;

namespace detail {

inline constexpr std::size_t kTraceIdAt = 3;
inline constexpr std::size_t kSpanIdAt = 36;
inline constexpr std::size_t kFlagsAt = 53;

// 0 to 15, or 16 for what is not a lower-case hex digit.
constexpr unsigned nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  return 16;
}

// What stands behind the version; kTraceparentBytes characters are there.
inline Errc read_ids_and_flags(const char* at, SpanContext& span) noexcept {
  std::array<std::uint8_t, TraceId::kBytes> trace_id_bytes;
  std::array<std::uint8_t, SpanId::kBytes> span_id_bytes;
  hex::Reader reader;
  reader.read_16(at + kTraceIdAt, trace_id_bytes.data());
  reader.read_8(at + kSpanIdAt, span_id_bytes.data());
  const unsigned high = nibble(at[kFlagsAt]);
  const unsigned low = nibble(at[kFlagsAt + 1]);
  const bool dashes = at[kSpanIdAt - 1] == '-' && at[kFlagsAt - 1] == '-';
  if (!dashes || !reader.good() || (high | low) > 15) return Errc::traceparent_malformed;
  const TraceId trace_id(trace_id_bytes);
  const SpanId span_id(span_id_bytes);
  if (trace_id.is_zero()) return Errc::trace_id_zero;
  if (span_id.is_zero()) return Errc::span_id_zero;
  span = SpanContext(trace_id, span_id, static_cast<std::uint8_t>(low), true);
  return Errc::ok;
}

// With blanks around it, or of another version.
Errc read_unusual_traceparent(std::string_view text, SpanContext& span) noexcept;

}  // namespace detail

// Reads one header value into `span` (marked remote).  Blanks and tabs around it are skipped,
// unknown flags cleared, a later version is read as far as we know it.  Fails with
// traceparent_malformed, traceparent_version_invalid (ff), trace_id_zero, span_id_zero; `span` is
// then untouched.
inline Errc read_traceparent(std::string_view text, SpanContext& span) noexcept {
  // Blanks can only be where a text of this length is malformed anyhow.
  if (text.size() != kTraceparentBytes || std::memcmp(text.data(), "00-", 3) != 0) [[unlikely]] {
    return detail::read_unusual_traceparent(text, span);
  }
  return detail::read_ids_and_flags(text.data(), span);
}
Result<SpanContext> parse_traceparent(std::string_view text);

// Writes version 00, kTraceparentBytes characters without a terminator, and of the flags those in
// `flags_mask`: some peers refuse the random bit.  `span` must be valid.
inline void write_traceparent(const SpanContext& span, char* out,
                              std::uint8_t flags_mask = kFlagsKnown) noexcept {
  using namespace detail;
  std::memcpy(out, "00-", kTraceIdAt);
  hex::write_16(span.trace_id().bytes().data(), out + kTraceIdAt);
  out[kSpanIdAt - 1] = '-';
  hex::write_8(span.span_id().bytes().data(), out + kSpanIdAt);
  std::memcpy(out + kFlagsAt - 1, "-0", 2);
  out[kFlagsAt + 1] = static_cast<char>('0' + (span.flags() & flags_mask));
}
FixedText<kTraceparentBytes> traceparent_text(const SpanContext& span) noexcept;

}  // namespace spanwire::trace
