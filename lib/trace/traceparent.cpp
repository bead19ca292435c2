#include "spanwire/trace/traceparent.hpp"

#include "lib/trace/hex.hpp"
#include "lib/trace/text.hpp"

namespace spanwire::trace {
namespace {

constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kSpanIdAt = 36;
constexpr std::size_t kFlagsAt = 53;

// 0 to 15, or 16 for what is not a lower-case hex digit.
constexpr unsigned nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  return 16;
}

// `text` has at least kTraceparentBytes characters and does not begin with "00-".
Errc check_other_version(std::string_view text) noexcept {
  if (nibble(text[0]) > 15 || nibble(text[1]) > 15 || text[2] != '-') {
    return Errc::traceparent_malformed;
  }
  if (text[0] == 'f' && text[1] == 'f') return Errc::traceparent_version_invalid;
  if (text.size() > kTraceparentBytes && text[kTraceparentBytes] != '-') {
    return Errc::traceparent_malformed;
  }
  return Errc::ok;
}

}  // namespace

Errc read_traceparent(std::string_view text, SpanContext& span) noexcept {
  // Blanks can only be where a text of this length is malformed anyhow.
  if (text.size() != kTraceparentBytes) text = trim(text);
  if (text.size() < kTraceparentBytes) return Errc::traceparent_malformed;
  const char* at = text.data();
  if (std::memcmp(at, "00-", 3) != 0) {
    if (const Errc cause = check_other_version(text); cause != Errc::ok) return cause;
  } else if (text.size() != kTraceparentBytes) {
    return Errc::traceparent_malformed;
  }
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

Result<SpanContext> parse_traceparent(std::string_view text) {
  SpanContext span;
  if (const Errc cause = read_traceparent(text, span); cause != Errc::ok) return fail(cause);
  return span;
}

void write_traceparent(const SpanContext& span, char* out, std::uint8_t flags_mask) noexcept {
  std::memcpy(out, "00-", kTraceIdAt);
  hex::write_16(span.trace_id().bytes().data(), out + kTraceIdAt);
  out[kSpanIdAt - 1] = '-';
  hex::write_8(span.span_id().bytes().data(), out + kSpanIdAt);
  std::memcpy(out + kFlagsAt - 1, "-0", 2);
  out[kFlagsAt + 1] = static_cast<char>('0' + (span.flags() & flags_mask));
}

FixedText<kTraceparentBytes> traceparent_text(const SpanContext& span) noexcept {
  FixedText<kTraceparentBytes> text;
  write_traceparent(span, text.chars.data());
  return text;
}

std::string SpanContext::to_string() const {
  return valid() ? traceparent_text(*this).str() : std::string("-");
}

}  // namespace spanwire::trace
