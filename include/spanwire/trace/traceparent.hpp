// The text of `traceparent`: parsed and written by W3C Trace Context level 2.
// Rules and vectors: proto-spec/trace.md.  Pure functions, no allocation but for an error's value.
#pragma once

#include <cstddef>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {

// "00-" trace id "-" span id "-" flags: what version 00 has, and what every later one begins with.
inline constexpr std::size_t kTraceparentBytes = 55;

// Reads one header value into `span` (marked remote).  Blanks and tabs around it are skipped,
// unknown flags cleared, a later version is read as far as we know it.  Fails with
// traceparent_malformed, traceparent_version_invalid (ff), trace_id_zero, span_id_zero; `span` is
// then untouched.
Errc read_traceparent(std::string_view text, SpanContext& span) noexcept;
Result<SpanContext> parse_traceparent(std::string_view text);

// Writes version 00, kTraceparentBytes characters without a terminator, and of the flags those in
// `flags_mask`: some peers refuse the random bit.  `span` must be valid.
void write_traceparent(const SpanContext& span, char* out,
                       std::uint8_t flags_mask = kFlagsKnown) noexcept;
FixedText<kTraceparentBytes> traceparent_text(const SpanContext& span) noexcept;

}  // namespace spanwire::trace
