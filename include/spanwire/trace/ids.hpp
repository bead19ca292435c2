// Trace and span ids: values of 16 and 8 bytes, readable as lower-case hex.
// W3C Trace Context level 2: upper case is not hex, and an id of zeros is no id.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/base/random.hpp"

namespace spanwire::trace {

namespace detail {

inline std::uint64_t load_little_endian(const void* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}
inline void store_little_endian(void* to, std::uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  std::memcpy(to, &word, sizeof word);
}

inline constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101ull;

// Four bytes (the first in the lowest bits) as eight hex characters (the same order).
constexpr std::uint64_t hex_of_4_bytes(std::uint64_t bytes) noexcept {
  bytes = (bytes | bytes << 16) & 0x0000'FFFF'0000'FFFFull;
  bytes = (bytes | bytes << 8) & 0x00FF'00FF'00FF'00FFull;
  const std::uint64_t digits =
      (bytes >> 4 & 0x000F'000F'000F'000Full) | (bytes & 0x000F'000F'000F'000Full) << 8;
  const std::uint64_t letters = (digits + 6 * kEachByte) >> 4 & kEachByte;
  return digits + '0' * kEachByte + letters * ('a' - '0' - 10);
}

// The high bit of each byte that is none of 0-9 and a-f; 0 when all eight are hex digits.
constexpr std::uint64_t not_hex(std::uint64_t text) noexcept {
  const std::uint64_t low = text & 0x7F * kEachByte;
  const std::uint64_t digit = (low + (0x80 - '0') * kEachByte) & ~(low + (0x7F - '9') * kEachByte);
  const std::uint64_t letter = (low + (0x80 - 'a') * kEachByte) & ~(low + (0x7F - 'f') * kEachByte);
  return (~(digit | letter) | text) & 0x80 * kEachByte;
}

// Eight hex characters as four bytes; only for text without not_hex().
constexpr std::uint64_t bytes_of_8_hex(std::uint64_t text) noexcept {
  const std::uint64_t digits = (text & 0x0F * kEachByte) + (text >> 6 & kEachByte) * 9;
  std::uint64_t bytes = (digits << 4 | digits >> 8) & 0x00FF'00FF'00FF'00FFull;
  bytes = (bytes | bytes >> 8) & 0x0000'FFFF'0000'FFFFull;
  return (bytes | bytes >> 16) & 0xFFFF'FFFFull;
}

// 8 bytes as 16 characters, without a terminator.
inline void write_hex_8(const void* bytes, char* out) noexcept {
  const std::uint64_t word = load_little_endian(bytes);
  store_little_endian(out, hex_of_4_bytes(word & 0xFFFF'FFFFull));
  store_little_endian(out + 8, hex_of_4_bytes(word >> 32));
}

// 16 characters as 8 bytes.  Returns not_hex() of them: 0 is good, else `out` holds nothing useful.
inline std::uint64_t read_hex_8(const char* text, void* out) noexcept {
  const std::uint64_t first = load_little_endian(text);
  const std::uint64_t second = load_little_endian(text + 8);
  store_little_endian(out, bytes_of_8_hex(first) | bytes_of_8_hex(second) << 32);
  return not_hex(first) | not_hex(second);
}

}  // namespace detail

// Text of a fixed length on the stack.
template <std::size_t Size>
struct FixedText {
  std::array<char, Size> chars;

  operator std::string_view() const noexcept { return view(); }  // NOLINT: it is a text
  std::string_view view() const noexcept { return {chars.data(), Size}; }
  std::string str() const { return std::string(view()); }
};

// An id as the wire orders its bytes.  A value; all zeros (the default) means "none".
template <std::size_t Size>
class Id {
  static_assert(Size % 8 == 0);

 public:
  static constexpr std::size_t kBytes = Size;
  static constexpr std::size_t kHexChars = 2 * Size;

  constexpr Id() noexcept = default;
  explicit constexpr Id(const std::array<std::uint8_t, Size>& bytes) noexcept : bytes_(bytes) {}

  // Random bytes, never all zero.
  static Id generate(Random& random) noexcept {
    Id id;
    for (std::size_t at = 0; at < Size; at += 8) {
      const std::uint64_t word = at + 8 == Size ? random.next_nonzero() : random.next();
      detail::store_little_endian(id.bytes_.data() + at, word);
    }
    return id;
  }
  // Exactly kHexChars digits of 0-9 and a-f; an id of zeros is returned as such.
  static std::optional<Id> from_hex(std::string_view text) noexcept {
    if (text.size() != kHexChars) return std::nullopt;
    Id id;
    if (!id.read_hex(text.data())) return std::nullopt;
    return id;
  }

  // From kHexChars characters at `text`; false and no promise about the value if one is not hex.
  bool read_hex(const char* text) noexcept {
    std::uint64_t bad = 0;
    for (std::size_t at = 0; at < Size; at += 8) {
      bad |= detail::read_hex_8(text + 2 * at, bytes_.data() + at);
    }
    return bad == 0;
  }
  // kHexChars characters to `out`, without a terminator.
  void write_hex(char* out) const noexcept {
    for (std::size_t at = 0; at < Size; at += 8) {
      detail::write_hex_8(bytes_.data() + at, out + 2 * at);
    }
  }
  FixedText<kHexChars> hex() const noexcept {
    FixedText<kHexChars> text;
    write_hex(text.chars.data());
    return text;
  }

  const std::array<std::uint8_t, Size>& bytes() const noexcept { return bytes_; }
  // The last 8 bytes as a big-endian number: what ratio samplers look at.
  std::uint64_t low_64() const noexcept {
    return __builtin_bswap64(detail::load_little_endian(bytes_.data() + Size - 8));
  }
  bool is_zero() const noexcept {
    std::uint64_t any = 0;
    for (std::size_t at = 0; at < Size; at += 8) {
      any |= detail::load_little_endian(bytes_.data() + at);
    }
    return any == 0;
  }
  explicit operator bool() const noexcept { return !is_zero(); }

  friend bool operator==(const Id& a, const Id& b) noexcept {
    return std::memcmp(a.bytes_.data(), b.bytes_.data(), Size) == 0;
  }
  friend bool operator<(const Id& a, const Id& b) noexcept {
    return std::memcmp(a.bytes_.data(), b.bytes_.data(), Size) < 0;
  }

 private:
  std::array<std::uint8_t, Size> bytes_{};
};

using TraceId = Id<16>;
using SpanId = Id<8>;

static_assert(sizeof(TraceId) == 16 && sizeof(SpanId) == 8);

}  // namespace spanwire::trace

// Ids are random where it matters: their last bytes are the hash.
template <std::size_t Size>
struct std::hash<spanwire::trace::Id<Size>> {
  std::size_t operator()(const spanwire::trace::Id<Size>& id) const noexcept {
    return static_cast<std::size_t>(id.low_64());
  }
};
