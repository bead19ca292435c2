// Strings and numbers of JSON, as the headers parser meets them.  Cursor functions: `at` moves
// forward, never beyond `end`.
#pragma once

#include "spanwire/base/errc.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::wire {

inline bool is_blank(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline void skip_blanks(const char*& at, const char* end) noexcept {
  while (at != end && is_blank(*at)) ++at;
}

// A string whose text is the JSON's own or, if it had escapes, in the buffer that was given.
struct JsonString {
  std::string_view text;
  Errc fault = Errc::ok;  // inside the string: where it ends is known all the same
};

// Reads a string from behind its opening quote to behind its closing one.  `unescaped` must have
// room for as many bytes as are left, or none yet and `room` bytes are reserved on first use.
// Returns truncated, or ok with the string's own fault in it.
Errc read_string_slowly(const char*& at, const char* end, Buffer& unescaped, std::size_t room,
                        JsonString& out);

// Skips one value of any kind.  Returns ok, or truncated, headers_not_json, headers_too_deep,
// bad_number, with which the parse must end; a fault inside a string is in `string_fault`.
Errc skip_value(const char*& at, const char* end, Buffer& unescaped, std::size_t room,
                Errc& string_fault);

}  // namespace spanwire::wire
