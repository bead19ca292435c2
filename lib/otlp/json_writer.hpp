// Writes JSON into a Buffer with one check for room per piece.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "spanwire/base/slice.hpp"
#include "spanwire/trace/ids.hpp"

namespace spanwire::otlp {

// Between begin and end it owns the buffer's end: what was written is part of the buffer after
// finish().
class JsonWriter {
 public:
  explicit JsonWriter(Buffer& out) : out_(out) { make_room(kRoomMin); }

  void raw(std::string_view text) {
    if (room() < text.size()) make_room(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  // A literal: its length is known to the compiler.
  template <std::size_t Size>
  void literal(const char (&text)[Size]) {
    if (room() < Size) make_room(Size);
    std::memcpy(at_, text, Size - 1);
    at_ += Size - 1;
  }
  void number(std::uint64_t value) {
    if (room() < kNumberBytesMax) make_room(kNumberBytesMax);
    at_ = std::to_chars(at_, at_ + kNumberBytesMax, value).ptr;
  }
  void number(std::int64_t value) {
    if (room() < kNumberBytesMax) make_room(kNumberBytesMax);
    at_ = std::to_chars(at_, at_ + kNumberBytesMax, value).ptr;
  }
  void number(double value);
  template <std::size_t Size>
  void hex(const trace::Id<Size>& id) {
    if (room() < 2 * Size) make_room(2 * Size);
    id.write_hex(at_);
    at_ += 2 * Size;
  }
  // In quotes, escaped.
  void string(std::string_view text);
  // Takes back the last character.
  void drop_last() noexcept { --at_; }

  void finish() {
    out_.commit(static_cast<std::size_t>(at_ - begin_));
    begin_ = at_;
  }

 private:
  static constexpr std::size_t kRoomMin = 4096;
  static constexpr std::size_t kNumberBytesMax = 32;

  std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  void make_room(std::size_t bytes);
  const char* escape(const char* from, const char* end);

  Buffer& out_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace spanwire::otlp
