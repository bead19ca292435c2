// The text of `baggage` (W3C Baggage): members key=value;metadata, values percent-encoded.
// Kept and forwarded as text; a value is decoded when somebody asks for it.  Never copied to span
// attributes.  Rules and vectors: proto-spec/trace.md.  The functions that read take only text that
// check_baggage() has accepted (or an empty one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::trace {

inline constexpr std::size_t kBaggageMembersMax = 64;
inline constexpr std::size_t kBaggageBytesMax = 8192;

struct BaggageCheck {
  // The first thing that was wrong: baggage_malformed (a member was dropped), baggage_too_long or
  // baggage_too_many_members (members were dropped from the right).
  Errc cause = Errc::ok;
  // What is left; a view into the input, or into `rebuilt` when a member in the middle was dropped.
  std::string_view text;
  std::uint32_t members = 0;
  bool needs_escape = false;  // a quote, a backslash or a tab is inside
};

// Checks any text and keeps what is good of it.  A member is good when its key is a token and its
// value and metadata are printable ASCII: stricter senders lose nothing, careless ones little.
BaggageCheck check_baggage(std::string_view text, std::string& rebuilt);

struct BaggageMember {
  std::string_view key;
  std::string_view encoded_value;
  std::string_view metadata;  // everything behind the first ';', opaque

  // Percent-decoded; what is not UTF-8 afterwards becomes U+FFFD.
  std::string value() const;
};
// Takes the next member off the front of `rest`; none at the end.
std::optional<BaggageMember> next_baggage_member(std::string_view& rest) noexcept;
// The last member of that key.
std::optional<BaggageMember> baggage_find(std::string_view text, std::string_view key) noexcept;
std::optional<std::string> baggage_get(std::string_view text, std::string_view key);

// The list with `key` set: its first member is replaced in place, later ones of the key are gone, a
// new key goes to the end.  Any bytes may be in `value`.  Fails with baggage_malformed (key no
// token, metadata not printable ASCII), baggage_too_many_members, baggage_too_long.
Result<std::string> baggage_set(std::string_view text, std::string_view key, std::string_view value,
                                std::string_view metadata = {});
std::string baggage_erase(std::string_view text, std::string_view key);

std::string percent_encode(std::string_view value);
std::string percent_decode(std::string_view text);

}  // namespace spanwire::trace
