// PropagateContext: what goes along when a request moves to another thread or process.
//
// Binary form, of 25, 33 or 49 bytes: a byte of version and flags, the trace id, the span id of the
// request; then, where there is one, the span id of the previous slice and, if it is of another
// trace, its trace id.  In headers it stands as text in the base 85 of RFC 1924, at most 62
// characters, as Python's base64.b85encode writes it.  tracestate and baggage travel in headers of
// their own.  Specified with vectors: proto-spec/journey.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "spanwire/base/errc.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::journey {

// A value.  The default says nothing: it comes from a peer that does not trace.
struct PropagateContext {
  // The span of the whole request, parent of the threads' spans, and the texts that travel with it.
  trace::Context request;
  // The latest slice before the hand-over, for the next one to link to; none at the beginning.
  trace::SpanContext previous;

  explicit operator bool() const noexcept { return request.span().valid(); }
};

// The header of the text form.
inline constexpr std::string_view kPropagateHeader = "spanwire-journey";
inline constexpr std::size_t kPropagateBytesMax = 49;
inline constexpr std::size_t kPropagateTextMax = 62;

// A written form, in place.
template <class Unit, std::size_t Max>
struct PropagateForm {
  std::array<Unit, Max> units;
  std::size_t size = 0;
};
using PropagateBytes = PropagateForm<std::byte, kPropagateBytesMax>;
struct PropagateText : PropagateForm<char, kPropagateTextMax> {
  std::string_view view() const noexcept { return {units.data(), size}; }
};

// Nothing is written for a context that says nothing.
PropagateBytes to_bytes(const PropagateContext& context) noexcept;
PropagateText to_text(const PropagateContext& context) noexcept;

// Read a form; `context` has no texts, and is unchanged after an error.  What is refused is counted
// as Errc::bad_propagate_context, or as the first of these.  Errors: not_traced for an empty form;
// truncated, trailing_bytes, bad_version, unknown_flags, trace_id_zero, span_id_zero; bad_escape
// for a character that is not of base 85, or a group of them that is no number of 32 bits.
Errc read_bytes(ByteView bytes, PropagateContext& context) noexcept;
Errc read_text(std::string_view text, PropagateContext& context) noexcept;

}  // namespace spanwire::journey
