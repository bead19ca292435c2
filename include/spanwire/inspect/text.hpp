// Text for terminals: how many columns it takes, and what is safe to print.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spanwire::inspect {

// One code point from the front of `text`, which must not be empty.
struct CodePoint {
  char32_t value = 0;  // U+FFFD for bytes that are not UTF-8
  std::uint8_t bytes = 1;
};
CodePoint decode_utf8(std::string_view text) noexcept;

// Columns of a terminal: 0 for combining marks and joiners, 2 for wide characters and emoji,
// else 1.
int columns_of(char32_t code_point) noexcept;
std::size_t columns_of(std::string_view text) noexcept;

// Without what could move the cursor, recolour the screen or reorder the line: control characters
// become U+FFFD (line breaks and tabs a blank), bidirectional controls vanish, bytes that are not
// UTF-8 become U+FFFD.  What a peer wrote goes through here before it is printed.
std::string printable(std::string_view text);

// Exactly `columns` wide: filled with blanks, or cut with an ellipsis.  `text` is printable.
std::string fit(std::string_view text, std::size_t columns, bool ascii = false);

// "812 ns", "1.25 µs", "40.3 ms", "2.50 s", "3m 20s": at most 8 columns.
std::string duration_text(std::int64_t nanoseconds, bool ascii = false);

// "1 span", "2 spans"; with `many`, "2 searches".
std::string counted(std::size_t count, std::string_view one, std::string_view many = {});

// "2026-11-21 09:56:53.123" in UTC; the year stays in four digits up to 9999.
std::string time_text(std::int64_t nanoseconds_since_1970);

}  // namespace spanwire::inspect
