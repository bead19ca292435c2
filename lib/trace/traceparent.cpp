#include "spanwire/trace/traceparent.hpp"

#include "lib/trace/text.hpp"

namespace spanwire::trace {
namespace {

using detail::nibble;

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

Errc detail::read_unusual_traceparent(std::string_view text, SpanContext& span) noexcept {
  text = trimmed(text);
  if (text.size() < kTraceparentBytes) return Errc::traceparent_malformed;
  if (!text.starts_with("00-")) {
    if (const Errc cause = check_other_version(text); cause != Errc::ok) return cause;
  } else if (text.size() != kTraceparentBytes) {
    return Errc::traceparent_malformed;
  }
  return read_ids_and_flags(text.data(), span);
}

Result<SpanContext> parse_traceparent(std::string_view text) {
  SpanContext span;
  if (const Errc cause = read_traceparent(text, span); cause != Errc::ok) return fail(cause);
  return span;
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
