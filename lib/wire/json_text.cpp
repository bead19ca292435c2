#include "lib/wire/json_text.hpp"

#include <cstdint>
#include <cstring>

#include "lib/base/ascii.hpp"
#include "lib/wire/scan.hpp"
#include "spanwire/base/utf8.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::wire {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Four hex digits; `at` moves over those that are there.
Errc read_unit(const char*& at, const char* end, std::uint32_t& unit) noexcept {
  unit = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    if (at == end) return Errc::truncated;
    const int digit = hex_digit(*at);
    if (digit < 0) return Errc::bad_escape;
    unit = unit << 4 | static_cast<std::uint32_t>(digit);
  }
  return Errc::ok;
}

std::size_t store_utf8(std::byte* out, std::uint32_t point) noexcept {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<std::byte>(byte); };
  if (point < 0x80) {
    put(point);
    return 1;
  }
  if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
    return 3;
  }
  put(0xF0 | point >> 18);
  put(0x80 | (point >> 12 & 0x3F));
  put(0x80 | (point >> 6 & 0x3F));
  put(0x80 | (point & 0x3F));
  return 4;
}

bool high_surrogate(std::uint32_t unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
bool low_surrogate(std::uint32_t unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

// From behind `\u`: one unit, or a pair of surrogates that belong together.
Errc read_point(const char*& at, const char* end, std::uint32_t& point) noexcept {
  if (const Errc code = read_unit(at, end, point); code != Errc::ok) return code;
  if (low_surrogate(point)) return Errc::bad_escape;
  if (!high_surrogate(point)) return Errc::ok;
  if (at == end || (*at == '\\' && at + 1 == end)) return Errc::truncated;
  if (at[0] != '\\' || at[1] != 'u') return Errc::bad_escape;
  const char* second = at + 2;
  std::uint32_t low = 0;
  if (const Errc code = read_unit(second, end, low); code != Errc::ok) {
    at = second;
    return code;
  }
  // A unit that is no second half is left where it is: it may begin a pair of its own.
  if (!low_surrogate(low)) return Errc::bad_escape;
  at = second;
  point = 0x10000 + ((point - 0xD800) << 10 | (low - 0xDC00));
  return Errc::ok;
}

// Collects the unescaped text of one string behind what the buffer holds already.
class Unescaped {
 public:
  Unescaped(Buffer& buffer, std::size_t room) noexcept : buffer_(buffer), room_(room) {}

  // Everything before the first escape.
  void begin(const char* text, std::size_t bytes) {
    if (begun_) return;
    begun_ = true;
    // One reservation for the whole block: a text is never longer than its escaped form, and views
    // of strings that were read before must not move.
    if (buffer_.size() == 0) buffer_.reserve(room_);
    start_ = buffer_.size();
    append(text, bytes);
  }
  void append(const char* text, std::size_t bytes) noexcept {
    if (!begun_ || bytes == 0) return;
    std::memcpy(buffer_.data() + buffer_.size(), text, bytes);
    buffer_.commit(bytes);
  }
  void append(std::uint32_t point) noexcept {
    buffer_.commit(store_utf8(buffer_.data() + buffer_.size(), point));
  }
  bool begun() const noexcept { return begun_; }
  std::string_view text() const noexcept { return text_of(buffer_.view().subspan(start_)); }

 private:
  Buffer& buffer_;
  std::size_t room_;
  std::size_t start_ = 0;
  bool begun_ = false;
};

// `at` is on the backslash.  ok, truncated, or bad_escape with `at` behind what was wrong.
Errc read_escape(const char*& at, const char* end, std::uint32_t& point) noexcept {
  if (++at == end) return Errc::truncated;
  switch (*at++) {
    case '"':
      point = '"';
      return Errc::ok;
    case '\\':
      point = '\\';
      return Errc::ok;
    case '/':
      point = '/';
      return Errc::ok;
    case 'b':
      point = '\b';
      return Errc::ok;
    case 'f':
      point = '\f';
      return Errc::ok;
    case 'n':
      point = '\n';
      return Errc::ok;
    case 'r':
      point = '\r';
      return Errc::ok;
    case 't':
      point = '\t';
      return Errc::ok;
    case 'u':
      return read_point(at, end, point);
    default:
      --at;  // may be a byte that is wrong in itself
      return Errc::bad_escape;
  }
}

// Steps over one character that scan_string() stopped at, other than quote and backslash.
Errc step_over(const char*& at, const char* end) noexcept {
  if (static_cast<unsigned char>(*at) < 0x20) {
    ++at;
    return Errc::control_character;
  }
  const std::size_t length = utf8_sequence_bytes(at, end);
  at += length == 0 ? 1 : length;
  return length == 0 ? Errc::bad_utf8 : Errc::ok;
}

Errc digits(const char*& at, const char* end) noexcept {
  if (at == end) return Errc::truncated;
  if (!is_digit(*at)) return Errc::bad_number;
  while (at != end && is_digit(*at)) ++at;
  return Errc::ok;
}

Errc skip_number(const char*& at, const char* end) noexcept {
  if (*at == '-') ++at;
  if (at != end && *at == '0') {
    ++at;
    if (at != end && is_digit(*at)) return Errc::bad_number;
  } else if (const Errc code = digits(at, end); code != Errc::ok) {
    return code;
  }
  if (at != end && *at == '.') {
    if (const Errc code = digits(++at, end); code != Errc::ok) return code;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    return digits(at, end);
  }
  return Errc::ok;
}

Errc skip_word(const char*& at, const char* end, std::string_view word) noexcept {
  for (const char c : word) {
    if (at == end) return Errc::truncated;
    if (*at != c) return Errc::headers_not_json;
    ++at;
  }
  return Errc::ok;
}

// Skips nested values with one bit per open level instead of recursion: 1 = object.
class Skipper {
 public:
  Skipper(const char*& at, const char* end, Buffer& unescaped, std::size_t room, Errc& string_fault)
      : at_(at), end_(end), unescaped_(unescaped), room_(room), string_fault_(string_fault) {}

  Errc skip() {
    do {
      if (const Errc code = begin_value(); code != Errc::ok) return code;
      if (const Errc code = end_value(); code != Errc::ok) return code;
    } while (more_);
    return Errc::ok;
  }

 private:
  // One scalar, or the opening of as many levels as open at once.
  Errc begin_value() {
    for (;;) {
      skip_blanks(at_, end_);
      if (at_ == end_) return Errc::truncated;
      const char c = *at_;
      if (c != '{' && c != '[') return skip_scalar(c);
      if (depth_ == kHeaderDepthMax) return Errc::headers_too_deep;
      ++at_;
      ++depth_;
      levels_ = levels_ << 1 | (c == '{' ? 1u : 0u);
      skip_blanks(at_, end_);
      if (at_ == end_) return Errc::truncated;
      if (*at_ == closer()) return Errc::ok;
      if (c == '{') {
        if (const Errc code = skip_key(); code != Errc::ok) return code;
      }
    }
  }

  // Closes levels, until one goes on with another value.
  Errc end_value() {
    more_ = false;
    while (depth_ != 0) {
      skip_blanks(at_, end_);
      if (at_ == end_) return Errc::truncated;
      if (*at_ == closer()) {
        ++at_;
        --depth_;
        levels_ >>= 1;
        continue;
      }
      if (*at_ != ',') return Errc::headers_not_json;
      ++at_;
      more_ = true;
      if ((levels_ & 1) == 0) return Errc::ok;
      skip_blanks(at_, end_);
      return skip_key();
    }
    return Errc::ok;
  }

  Errc skip_scalar(char c) {
    switch (c) {
      case '"':
        return skip_string();
      case 't':
        return skip_word(at_, end_, "true");
      case 'f':
        return skip_word(at_, end_, "false");
      case 'n':
        return skip_word(at_, end_, "null");
      default:
        return c == '-' || is_digit(c) ? skip_number(at_, end_) : Errc::headers_not_json;
    }
  }

  Errc skip_string() {
    ++at_;
    JsonString string;
    const Errc code = read_string_slowly(at_, end_, unescaped_, room_, string);
    if (string_fault_ == Errc::ok) string_fault_ = string.fault;
    return code;
  }

  Errc skip_key() {
    if (at_ == end_) return Errc::truncated;
    if (*at_ != '"') return Errc::headers_not_json;
    if (const Errc code = skip_string(); code != Errc::ok) return code;
    skip_blanks(at_, end_);
    if (at_ == end_) return Errc::truncated;
    return *at_++ == ':' ? Errc::ok : Errc::headers_not_json;
  }

  char closer() const noexcept { return (levels_ & 1) != 0 ? '}' : ']'; }

  const char*& at_;
  const char* end_;
  Buffer& unescaped_;
  std::size_t room_;
  Errc& string_fault_;
  std::uint64_t levels_ = 0;
  std::size_t depth_ = 0;
  bool more_ = false;
};

static_assert(kHeaderDepthMax <= 64, "one bit a level");

}  // namespace

Errc read_string_slowly(const char*& at, const char* end, Buffer& unescaped, std::size_t room,
                        JsonString& out) {
  const char* const start = at;
  Unescaped text(unescaped, room);
  for (;;) {
    const char* const run = at;
    at = scan_string(at, end);
    text.append(run, static_cast<std::size_t>(at - run));
    if (at == end) return Errc::truncated;
    if (*at == '"') break;
    Errc code = Errc::ok;
    const char* const from = at;
    if (*at == '\\') {
      text.begin(start, static_cast<std::size_t>(at - start));
      std::uint32_t point = 0;
      code = read_escape(at, end, point);
      if (code == Errc::truncated) return code;
      if (code == Errc::ok) text.append(point);
    } else {
      code = step_over(at, end);
      text.append(from, static_cast<std::size_t>(at - from));
    }
    if (out.fault == Errc::ok) out.fault = code;
  }
  out.text =
      text.begun() ? text.text() : std::string_view(start, static_cast<std::size_t>(at - start));
  ++at;
  return Errc::ok;
}

Errc skip_value(const char*& at, const char* end, Buffer& unescaped, std::size_t room,
                Errc& string_fault) {
  return Skipper(at, end, unescaped, room, string_fault).skip();
}

}  // namespace spanwire::wire
