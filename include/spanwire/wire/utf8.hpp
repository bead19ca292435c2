// UTF-8: validity and clipping.  Pure functions, no allocation.
#pragma once

#include <cstddef>
#include <string_view>

#include "spanwire/base/slice.hpp"

namespace spanwire::wire {

// True for well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).  Runs of
// ASCII are checked 16 bytes at a time.
bool valid_utf8(ByteView bytes) noexcept;
inline bool valid_utf8(std::string_view text) noexcept { return valid_utf8(bytes_of(text)); }

// True if all of it is printable ASCII, blanks included.
bool printable_ascii(std::string_view text) noexcept;

// The longest beginning of `text` with at most `bytes_max` bytes that does not cut a sequence.
std::string_view clip_utf8(std::string_view text, std::size_t bytes_max) noexcept;

}  // namespace spanwire::wire
