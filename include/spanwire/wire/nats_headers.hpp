// NATS headers: the block that stands before a message's payload, as the server carries it.
//
//   NATS/1.0[ status[ description]] CRLF, lines "Name: value" CRLF, CRLF
//
// Names keep their case, may repeat, one line a value.  A line that begins with a blank continues
// the value before it.  Pure functions; format: proto-spec/nats.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/errc.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {

struct NatsHeader {
  std::string_view name;   // as the peer wrote it
  std::string_view value;  // without the blanks around it
};

// The lines of one block in their order.  About 4 KiB in place: make one per connection or thread
// and use it again.  A parse allocates nothing, unless a value is continued.  One thread at a time.
class NatsHeaders {
 public:
  NatsHeaders() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the lines' room alone
  NatsHeaders(const NatsHeaders&) = delete;
  NatsHeaders& operator=(const NatsHeaders&) = delete;

  // Reads a whole block; an empty one has no lines.  Views point into `block`, or, where a value is
  // continued, into this object: both must stay as they are while the lines are used.  Returns the
  // first fault, and the lines before it are kept: headers_too_long (nothing is read),
  // bad_version (the first line), bad_status, truncated (no empty line at the end), bad_header_line
  // (no colon, a name that is no printable ASCII, a line feed or carriage return alone),
  // headers_too_many, trailing_bytes.
  [[nodiscard]] Errc parse(ByteView block, std::size_t block_bytes_max = kHeaderBlockBytesMax);

  // Three digits behind the version, such as 503 for no responders; 0 for none.
  std::uint16_t status() const noexcept { return status_; }
  std::string_view description() const noexcept { return description_; }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const NatsHeader* begin() const noexcept { return lines(); }
  const NatsHeader* end() const noexcept { return lines() + size_; }
  // How many lines of that name there are, in any case; `value` is that of the last.
  std::size_t find(std::string_view name, std::string_view& value) const noexcept;

 private:
  const NatsHeader* lines() const noexcept {
    return reinterpret_cast<const NatsHeader*>(room_.data());
  }
  NatsHeader* lines() noexcept { return reinterpret_cast<NatsHeader*>(room_.data()); }
  Errc parse_first_line(std::string_view line) noexcept;
  Errc parse_line(const char* at, const char* end) noexcept;
  Errc parse_lines(std::string_view text) noexcept;

  std::size_t size_ = 0;
  std::uint16_t status_ = 0;
  std::string_view description_;
  std::string unfolded_;
  alignas(NatsHeader) std::array<std::byte, sizeof(NatsHeader) * kHeaderMembersMax> room_;
};

// Writes a block, line by line, names as they are given.  Does not look for names that repeat.  One
// thread at a time.
class NatsHeaderWriter {
 public:
  // Into `out`, which is never outgrown; one that is too small for an empty block (12 bytes) stays
  // empty.
  explicit NatsHeaderWriter(MutableByteView out) noexcept;

  // ok, or why the line was left out: headers_too_long (no room), headers_too_many, bad_header_line
  // for a name that a block cannot hold, control_character for a value that it cannot.
  [[nodiscard]] Errc add(std::string_view name, std::string_view value) noexcept;

  std::size_t lines() const noexcept { return lines_; }
  // Ends the block and returns it.  Nothing may be added afterwards.
  ByteView finish() noexcept;

 private:
  void put(std::string_view text) noexcept;

  char* const begin_;
  const std::size_t room_;
  std::size_t used_ = 0;
  std::size_t lines_ = 0;
};

}  // namespace spanwire::wire
