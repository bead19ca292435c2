// The text of `tracestate`: checked once on arrival, then kept and forwarded as it is.
// Rules and vectors: proto-spec/trace.md.  The functions that read take only text that
// check_tracestate() has accepted (or an empty one) unless they say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::trace {

inline constexpr std::size_t kTracestateMembersMax = 32;
inline constexpr std::size_t kTracestateKeyBytesMax = 256;
inline constexpr std::size_t kTracestateValueBytesMax = 256;
// What a full list can need; only padding makes a text longer, and such a text is refused.
inline constexpr std::size_t kTracestateBytesMax =
    kTracestateMembersMax * (kTracestateKeyBytesMax + 1 + kTracestateValueBytesMax + 1) - 1;
// Members above this size go first when a list has to be cut.
inline constexpr std::size_t kTracestateLargeMemberBytes = 128;

struct TracestateCheck {
  Errc cause = Errc::ok;
  // From the first member to the last, without blanks and commas outside; empty when refused.
  std::string_view text;
  std::uint32_t members = 0;  // empty ones are not counted
  bool needs_escape = false;  // a quote, a backslash or a tab is inside
};

// Checks any text.  One bad member refuses the whole list: tracestate_malformed,
// tracestate_too_many_members, tracestate_too_long.
TracestateCheck check_tracestate(std::string_view text) noexcept;

struct TracestateMember {
  std::string_view key;
  std::string_view value;
};
// Takes the next member off the front of `rest`; none at the end.
std::optional<TracestateMember> next_tracestate_member(std::string_view& rest) noexcept;
// The left-most member of that key.
std::optional<std::string_view> tracestate_get(std::string_view text,
                                               std::string_view key) noexcept;

// The list with `key` set and moved to the left, every older member of the key gone, and the
// right-most member dropped when the list would exceed kTracestateMembersMax.  Fails with
// tracestate_malformed for a key or value that is not legal.
Result<std::string> tracestate_set(std::string_view text, std::string_view key,
                                   std::string_view value);
std::string tracestate_erase(std::string_view text, std::string_view key);
// At most `bytes_max` characters: whole members go, those above kTracestateLargeMemberBytes first
// (from the right), then from the right.  `bytes_max` of 512 or more keeps what the specification
// promises.
std::string tracestate_fit(std::string_view text, std::size_t bytes_max);

}  // namespace spanwire::trace
