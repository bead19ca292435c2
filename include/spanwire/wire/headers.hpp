// The headers block: a flat JSON object of strings, read and written without building a tree.
// Format, limits and every fault: proto-spec/headers.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "spanwire/base/errc.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {

// Names that the library itself reads or writes; recognised while the block is parsed.
enum class WellKnown : std::uint8_t {
  none,
  traceparent,
  tracestate,
  baggage,
  x_request_id,
  request_id,
  spanwire_timeout,
  spanwire_attempt,
  spanwire_retry_after,
  x_dynamo_request_id,
  spanwire_sequence,
};
inline constexpr std::size_t kWellKnownCount = 11;
inline constexpr std::array<std::string_view, kWellKnownCount> kWellKnownNames = {
    "",
    "traceparent",
    "tracestate",
    "baggage",
    "x-request-id",
    "request-id",
    "spanwire-timeout",
    "spanwire-attempt",
    "spanwire-retry-after",
    "x-dynamo-request-id",
    "spanwire-sequence"};

// The name as it is written, in lower case; empty for none.
constexpr std::string_view name_of(WellKnown known) noexcept {
  return kWellKnownNames[static_cast<std::size_t>(known)];
}
// Which of them `name` is, in any case.
WellKnown classify(std::string_view name) noexcept;

// True if the two names differ in nothing but the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b) noexcept;

struct Header {
  std::string_view name;  // as the peer wrote it
  std::string_view value;
  WellKnown known = WellKnown::none;
};

// The members of one block, in their order; of members with the same name (in any case) the last
// one, in the place of the first.  About 5 KiB in place, so that a parse allocates nothing: make
// one per connection or thread and use it again.  (A block with escapes takes memory once, and
// keeps it.)  One thread at a time.
class HeaderList {
 public:
  HeaderList() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the members' room alone
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  // Reads a whole block; an empty one has no members.  Views point into `block`, or, where a string
  // had escapes, into this list: both must stay as they are while the members are used.
  //
  // Returns the first fault, and the list holds what could be kept nevertheless.  A fault inside
  // one string costs that member: bad_utf8, bad_escape (also half a surrogate pair),
  // control_character. Others end the parse: members before them are kept.  headers_too_long
  // (nothing is read), headers_not_json, truncated, trailing_bytes, headers_too_many (beyond
  // kHeaderMembersMax), headers_too_deep, bad_number.  A value that is not a string is no fault: it
  // is skipped, counted.
  [[nodiscard]] Errc parse(ByteView block, std::size_t block_bytes_max = kHeaderBlockBytesMax);
  void clear() noexcept;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const Header* begin() const noexcept { return members(); }
  const Header* end() const noexcept { return members() + size_; }
  const Header& operator[](std::size_t index) const noexcept {
    SPANWIRE_ASSERT(index < size_);
    return members()[index];
  }

  // The member of that name, in any case; null if there is none.
  const Header* find(std::string_view name) const noexcept;
  // The same without a comparison.
  const Header* find(WellKnown known) const noexcept {
    const std::uint8_t place = places_[static_cast<std::size_t>(known)];
    return place == 0 ? nullptr : members() + place - 1;
  }
  // Which well-known names there are: bit n for the one of number n.
  unsigned known_names() const noexcept { return known_names_; }
  // True if the block had this name more than once: what may be there only once is then doubtful.
  bool repeated(WellKnown known) const noexcept {
    return (repeated_ >> static_cast<unsigned>(known) & 1u) != 0;
  }

  // True if no string had escapes: all views point into the block.
  bool in_place() const noexcept { return unescaped_.size() == 0; }

  // How many members of the last block were not strings; were replaced by a later one of the same
  // name; were dropped for a fault inside their name or value.
  std::size_t skipped() const noexcept { return skipped_; }
  std::size_t duplicates() const noexcept { return duplicates_; }
  std::size_t dropped() const noexcept { return dropped_; }

 private:
  friend class HeaderParser;
  const Header* members() const noexcept { return reinterpret_cast<const Header*>(room_.data()); }

  std::size_t size_ = 0;
  std::array<std::uint8_t, kWellKnownCount> places_{};  // index + 1
  std::uint16_t known_names_ = 0;
  std::uint16_t repeated_ = 0;
  std::uint16_t skipped_ = 0;
  std::uint16_t duplicates_ = 0;
  std::uint16_t dropped_ = 0;
  std::uint64_t seen_ = 0;  // one bit per hash of a name, to find duplicates
  Buffer unescaped_;
  alignas(Header) std::array<std::byte, sizeof(Header) * kHeaderMembersMax> room_;
};

namespace detail {

// What stands before a well-known name's value: comma, quoted name, colon, quote.  In as many bytes
// as can be copied at once.
struct HeaderPrefix {
  std::array<char, 32> text{};
  std::size_t bytes = 0;
};

inline constexpr std::array<HeaderPrefix, kWellKnownCount> kHeaderPrefixes = [] {
  std::array<HeaderPrefix, kWellKnownCount> prefixes;
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    HeaderPrefix& prefix = prefixes[i];
    const auto store = [&prefix](std::string_view text) {
      for (const char c : text) prefix.text[prefix.bytes++] = c;
    };
    store(",\"");
    store(kWellKnownNames[i]);
    store("\":\"");
  }
  return prefixes;
}();

}  // namespace detail

// Writes a block, member by member: names in lower case, no blanks, escapes only where JSON demands
// them.  Does not look for duplicates.  One thread at a time.
class HeaderWriter {
 public:
  // Appends to `out`, which must not be touched until finish().  Limits below 2 are no limits: an
  // empty block has two bytes.
  explicit HeaderWriter(Buffer& out, std::size_t block_bytes_max = kHeaderBlockBytesMax) noexcept;
  // Into `out`, of at least 2 bytes, which is never outgrown: a member needs header_bytes() and the
  // whole block one byte more.
  explicit HeaderWriter(MutableByteView out) noexcept;

  // ok, or why the member was left out: headers_too_long (no room), headers_too_many, bad_utf8.
  // After a failure the block is as before and more members may be added.
  [[nodiscard]] Errc add(std::string_view name, std::string_view value);
  [[nodiscard]] Errc add(WellKnown name, std::string_view value);
  // The same for a value that the caller writes itself into the room returned (null: it does not
  // fit): exactly `value_bytes` of ASCII without control characters, quote and backslash.
  [[nodiscard]] char* add_in_place(WellKnown name, std::size_t value_bytes) {
    char* const out = begin_known(name, value_bytes);
    if (out != nullptr) end_member(out + value_bytes);
    return out;
  }

  std::size_t members() const noexcept { return members_; }
  // Ends the block and returns it; an empty one is `{}`.  Nothing may be added afterwards.
  ByteView finish();

 private:
  // Where a member of `bytes` goes, or null if the block would outgrow its limit; room for the
  // closing brace is left.
  char* room(std::size_t bytes) {
    return static_cast<std::size_t>(end_ - at_) >= bytes ? at_ : more_room(bytes);
  }
  char* more_room(std::size_t bytes);
  // Writes what stands before the value, and returns where that goes; null if there is no room.
  char* begin_known(WellKnown name, std::size_t value_bytes) {
    // Compared before the sum, which a hostile size could overflow.
    if (members_ == kHeaderMembersMax || value_bytes > bytes_max_) return nullptr;
    const detail::HeaderPrefix& prefix = detail::kHeaderPrefixes[static_cast<std::size_t>(name)];
    char* const out = room(prefix.bytes + value_bytes + 1);
    if (out == nullptr) return nullptr;
    if (static_cast<std::size_t>(end_ - out) >= prefix.text.size()) {
      std::memcpy(out, prefix.text.data(), prefix.text.size());
    } else {
      std::memcpy(out, prefix.text.data(), prefix.bytes);
    }
    return out + prefix.bytes;
  }
  // `end` is behind the value.
  Errc end_member(char* end) noexcept {
    *end = '"';
    if (members_++ == 0) *at_ = '{';
    at_ = end + 1;
    return Errc::ok;
  }
  Errc cannot_begin() const noexcept;
  Errc add_escaped(std::string_view name, std::string_view value);

  Buffer* buffer_ = nullptr;
  // What can be written now: from begin_ on, written up to at_, a brace's width before the end.
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
  std::size_t committed_ = 0;  // of the block, to the buffer
  std::size_t bytes_max_ = 0;
  std::size_t members_ = 0;
};

// Room that a member can need at most: each byte may become an escape of six.
constexpr std::size_t header_bytes_max(std::string_view name, std::string_view value) noexcept {
  return 6 * (name.size() + value.size()) + 6;
}
// Exactly what add() writes for it, with the comma or brace before it.  Its text must be UTF-8.
std::size_t header_bytes(std::string_view name, std::string_view value) noexcept;

}  // namespace spanwire::wire
