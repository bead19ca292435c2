// SpanContext: which span of which trace, and what was decided about it.  The part of a context
// that travels in `traceparent`; tracestate and baggage are in Context (context.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "spanwire/trace/ids.hpp"

namespace spanwire::trace {

// Bits of the flags byte.  All others are reserved: cleared on input, 0 on output.
inline constexpr std::uint8_t kFlagSampled = 0x01;  // somebody upstream records this trace
inline constexpr std::uint8_t kFlagRandom = 0x02;   // the last 7 bytes of the trace id are random
inline constexpr std::uint8_t kFlagsKnown = kFlagSampled | kFlagRandom;
// Beside them in memory alone: B3 and Jaeger say that somebody debugs this trace.  Inherited by
// every span of it, and passed on in those two forms only.
inline constexpr std::uint8_t kFlagDebug = 0x80;
inline constexpr std::uint8_t kFlagsInherited = kFlagRandom | kFlagDebug;

// A value of 32 bytes, trivially copyable.  The default is "no span".
class alignas(8) SpanContext {
 public:
  constexpr SpanContext() noexcept = default;
  // Reserved bits of `flags` are cleared, but for kFlagDebug.  `remote`: it came out of a carrier.
  constexpr SpanContext(const TraceId& trace_id, const SpanId& span_id, std::uint8_t flags,
                        bool remote = false) noexcept
      : trace_id_(trace_id),
        span_id_(span_id),
        bits_((flags & (kFlagsKnown | kFlagDebug)) | (remote ? kRemote : 0)) {}

  const TraceId& trace_id() const noexcept { return trace_id_; }
  const SpanId& span_id() const noexcept { return span_id_; }
  // W3C's, and kFlagDebug.
  std::uint8_t flags() const noexcept { return static_cast<std::uint8_t>(bits_); }
  bool sampled() const noexcept { return (bits_ & kFlagSampled) != 0; }
  bool random() const noexcept { return (bits_ & kFlagRandom) != 0; }
  // Only with sampled().
  bool debug() const noexcept {
    return (bits_ & (kFlagDebug | kFlagSampled)) == (kFlagDebug | kFlagSampled);
  }
  bool remote() const noexcept { return (bits_ & kRemote) != 0; }
  // Neither id is zero.
  bool valid() const noexcept { return !trace_id_.is_zero() && !span_id_.is_zero(); }
  explicit operator bool() const noexcept { return valid(); }

  // The same span after a sampler's decision; all other bits stay.
  SpanContext with_sampled(bool sampled) const noexcept {
    SpanContext changed = *this;
    changed.bits_ = (bits_ & ~std::uint64_t{kFlagSampled}) | (sampled ? kFlagSampled : 0);
    return changed;
  }
  // A span of this trace in this process: same trace id, random and debug bit.
  SpanContext child(const SpanId& span_id, bool sampled) const noexcept {
    return {trace_id_, span_id,
            static_cast<std::uint8_t>((bits_ & kFlagsInherited) | (sampled ? kFlagSampled : 0))};
  }

  // For people and logs: the text of a traceparent, "00-4bf9...-00f0...-01"; "-" for no span.
  std::string to_string() const;

  friend bool operator==(const SpanContext& a, const SpanContext& b) noexcept {
    return a.trace_id_ == b.trace_id_ && a.span_id_ == b.span_id_ && a.bits_ == b.bits_;
  }

 private:
  static constexpr std::uint64_t kRemote = 0x100;

  TraceId trace_id_;
  SpanId span_id_;
  // A whole word: an object that ends with padding is copied in pieces that overlap, and those wait
  // until what was stored a moment ago has left the core.
  std::uint64_t bits_ = 0;  // flags and kRemote
};

static_assert(sizeof(SpanContext) == 32 && std::is_trivially_copyable_v<SpanContext>);

}  // namespace spanwire::trace
