// What a span can be told: keys, typed values, links.  Borrowing types for arguments: nothing here
// owns, whatever records them copies.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "spanwire/base/utf8.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {

namespace detail {

constexpr std::uint64_t load_8(const char* from) noexcept {
  std::uint64_t word = 0;
  if (std::is_constant_evaluated()) {
    for (unsigned i = 0; i < 8; ++i) {
      word |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
    }
  } else {
    word = load_little_endian(from);
  }
  return word;
}

// 24 bits that equal keys have in common.
constexpr unsigned key_hash(std::string_view key) noexcept {
  std::uint64_t mixed = key.size();
  if (key.size() >= 8) {
    mixed += load_8(key.data()) * 3;
    mixed ^= load_8(key.data() + key.size() - 8);
  } else {
    for (const char c : key) mixed = mixed << 8 ^ static_cast<unsigned char>(c);
  }
  return static_cast<unsigned>((mixed * 0x9E37'79B9'7F4A'7C15ull) >> 40);
}
// Its highest 6.
constexpr unsigned key_filter(std::string_view key) noexcept { return key_hash(key) >> 18; }

constexpr std::size_t kTextBytesMax = 0xFFFF'FFFFu;
constexpr std::uint64_t text_size(std::size_t size) noexcept {
  return size < kTextBytesMax ? size : kTextBytesMax;
}

}  // namespace detail

// A short text: the key of an attribute, the name of a span or an event.  A literal is known at
// compile time, has to be UTF-8 (else it does not compile) and is recorded by its address alone
// (the empty one is not, and is of no use as a key); any other text is copied when it is recorded.
// A literal inside a library that is unloaded while spans wait for export must be passed as
// std::string_view.  Two words, so that it travels in registers.
class Key {
 public:
  constexpr Key() noexcept = default;
  template <std::size_t Size>
    requires(Size <= 65536)
  consteval Key(const char (&literal)[Size]) noexcept  // NOLINT: a literal is a key
      : data_(literal), packed_(Size == 1 ? 0 : packed_literal({literal, Size - 1})) {
    if (!is_utf8({literal, Size - 1})) this_literal_is_not_utf8();
  }
  template <class Text>
    requires std::convertible_to<const Text&, std::string_view> && (!std::is_array_v<Text>)
  constexpr Key(const Text& text) noexcept : Key(std::string_view(text), 0) {}  // NOLINT

  constexpr std::string_view view() const noexcept { return {data_, size()}; }
  constexpr const char* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return packed_ & 0xFFFF'FFFFu; }
  constexpr bool empty() const noexcept { return size() == 0; }
  constexpr bool is_literal() const noexcept { return (packed_ & kLiteral) != 0; }
  // Below 64; the same for equal texts.
  constexpr unsigned filter() const noexcept {
    return is_literal() ? literal_filter() : detail::key_filter(view());
  }
  // The same; 0 unless it is a literal.
  constexpr unsigned literal_filter() const noexcept {
    return static_cast<unsigned>(packed_ >> (kHashShift + 18));
  }
  // Whether two literals may be equal; they hardly ever only may.
  constexpr bool may_equal(Key other) const noexcept { return packed_ == other.packed_; }

 private:
  static void this_literal_is_not_utf8() noexcept;  // no constant: compilers stop at it

  constexpr Key(std::string_view text, int) noexcept
      : data_(text.data()), packed_(detail::text_size(text.size())) {}

  static constexpr std::uint64_t packed_literal(std::string_view text) noexcept {
    return text.size() | kLiteral | std::uint64_t{detail::key_hash(text)} << kHashShift;
  }

  static constexpr std::uint64_t kLiteral = std::uint64_t{1} << 32;
  static constexpr unsigned kHashShift = 40;
  const char* data_ = "";
  std::uint64_t packed_ = 0;
};
static_assert(sizeof(Key) == 16);

// The types that OTLP knows of an attribute's value.
enum class ValueType : std::uint8_t {
  string,
  boolean,
  int64,
  real,
  string_array,
  boolean_array,
  int64_array,
  real_array,
};

// The value of an attribute as an argument.  Borrows texts and arrays until the call returns.
// An unsigned number beyond the range of int64 becomes its largest value.  Two words.
class AttributeValue {
 public:
  constexpr AttributeValue(const char* text) noexcept  // NOLINT: values are attribute values
      : AttributeValue(std::string_view(text)) {}
  constexpr AttributeValue(std::string_view text) noexcept  // NOLINT
      : AttributeValue(ValueType::string, text.data(), text.size()) {}
  AttributeValue(const std::string& text) noexcept  // NOLINT
      : AttributeValue(std::string_view(text)) {}
  template <std::same_as<bool> Bool>
  constexpr AttributeValue(Bool value) noexcept  // NOLINT
      : type_(ValueType::boolean), integer_(value ? 1 : 0) {}
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  constexpr AttributeValue(Integer value) noexcept  // NOLINT
      : type_(ValueType::int64), integer_(clamped(value)) {}
  template <std::floating_point Real>
  constexpr AttributeValue(Real value) noexcept  // NOLINT
      : type_(ValueType::real), real_(static_cast<double>(value)) {}
  constexpr AttributeValue(std::span<const std::string_view> values) noexcept  // NOLINT
      : AttributeValue(ValueType::string_array, values.data(), values.size()) {}
  constexpr AttributeValue(std::span<const std::string> values) noexcept  // NOLINT
      : AttributeValue(ValueType::string_array, values.data(), values.size()) {
    owning_strings_ = true;
  }
  constexpr AttributeValue(std::span<const bool> values) noexcept  // NOLINT
      : AttributeValue(ValueType::boolean_array, values.data(), values.size()) {}
  constexpr AttributeValue(std::span<const std::int64_t> values) noexcept  // NOLINT
      : AttributeValue(ValueType::int64_array, values.data(), values.size()) {}
  constexpr AttributeValue(std::span<const double> values) noexcept  // NOLINT
      : AttributeValue(ValueType::real_array, values.data(), values.size()) {}
  // Whatever is contiguous and of one of those types: std::vector, std::array, C arrays.
  template <class Range>
    requires requires(const Range& range) {
      std::span(range);
      requires !std::convertible_to<const Range&, std::string_view>;
      requires !std::is_constructible_v<std::string_view, const Range&>;
    }
  constexpr AttributeValue(const Range& range) noexcept  // NOLINT
      : AttributeValue(
            std::span<const std::remove_cv_t<typename decltype(std::span(range))::element_type>>(
                range)) {}

  constexpr ValueType type() const noexcept { return type_; }
  // Each only for its type.
  constexpr bool boolean() const noexcept { return integer_ != 0; }
  constexpr std::int64_t int64() const noexcept { return integer_; }
  constexpr double real() const noexcept { return real_; }
  std::string_view text() const noexcept { return {static_cast<const char*>(pointer_), size_}; }
  // An int64 or a real, and its bits.
  constexpr bool is_word() const noexcept {
    return type_ == ValueType::int64 || type_ == ValueType::real;
  }
  constexpr std::int64_t word() const noexcept {
    return type_ == ValueType::int64 ? integer_ : std::bit_cast<std::int64_t>(real_);
  }
  static constexpr AttributeValue of_word(ValueType type, std::int64_t word) noexcept {
    return type == ValueType::int64 ? AttributeValue(word)
                                    : AttributeValue(std::bit_cast<double>(word));
  }
  // Elements of an array.
  constexpr std::size_t size() const noexcept { return size_; }
  // The elements of a boolean, int64 or real array as they lie in memory.
  constexpr const void* elements() const noexcept { return pointer_; }
  std::string_view text_at(std::size_t index) const noexcept {
    return owning_strings_ ? std::string_view(static_cast<const std::string*>(pointer_)[index])
                           : static_cast<const std::string_view*>(pointer_)[index];
  }

 private:
  constexpr AttributeValue(ValueType type, const void* pointer, std::size_t size) noexcept
      : type_(type),
        size_(static_cast<std::uint32_t>(detail::text_size(size))),
        pointer_(pointer) {}

  template <std::integral Integer>
  static constexpr std::int64_t clamped(Integer value) noexcept {
    if constexpr (std::is_unsigned_v<Integer> && sizeof(Integer) == sizeof(std::int64_t)) {
      constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
      return value > static_cast<Integer>(kMax) ? kMax : static_cast<std::int64_t>(value);
    } else {
      return static_cast<std::int64_t>(value);
    }
  }

  ValueType type_;
  bool owning_strings_ = false;
  std::uint32_t size_ = 0;
  union {
    const void* pointer_ = nullptr;
    std::int64_t integer_;
    double real_;
  };
};
static_assert(sizeof(AttributeValue) == 16);

// A key and its value as an argument.
struct Attribute {
  Key key;
  AttributeValue value;
};

// Another span that this one has to do with, without being its child.
struct Link {
  SpanContext context;
  std::string_view tracestate;
  std::span<const Attribute> attributes;
};

}  // namespace spanwire::trace
