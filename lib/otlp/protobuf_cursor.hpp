// Fields of protobuf messages, written where room was made before: no comparison a field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <protozero/types.hpp>
#include <protozero/varint.hpp>
#include <string_view>

#include "lib/base/copy_text.hpp"
#include "lib/otlp/otlp_fields.hpp"
#include "lib/otlp/protobuf_buffer.hpp"

namespace spanwire::otlp {

// Bytes of a field with a tag below 16 whose content takes `bytes`.
inline std::size_t field_bytes(std::size_t bytes) noexcept {
  if (bytes < 0x80) [[likely]]
    return 2 + bytes;
  return 1 + static_cast<std::size_t>(protozero::length_of_varint(bytes)) + bytes;
}

class ProtobufCursor {
 public:
  // The most that a field takes beside its content.
  static constexpr std::size_t kFieldMax = 2 + protozero::max_varint_length;

  // What is written ends up in `out`, when the cursor goes; until then nothing else is.
  ProtobufCursor(ProtobufBuffer& out, std::size_t room) : out_(out), at_(out.begin_piece(room)) {}
  ~ProtobufCursor() { out_.end_piece(at_); }
  ProtobufCursor(const ProtobufCursor&) = delete;
  ProtobufCursor& operator=(const ProtobufCursor&) = delete;

  void tag(field::Tag tag, protozero::pbf_wire_type type) noexcept {
    varint(tag << 3 | static_cast<unsigned>(type));
  }
  void varint(std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
    *at_++ = static_cast<char>(value);
  }
  void skip(std::size_t bytes) noexcept { at_ += bytes; }
  // The head of a message that takes `bytes`.
  void message(field::Tag of, std::size_t bytes) noexcept {
    tag(of, protozero::pbf_wire_type::length_delimited);
    varint(bytes);
  }
  // The same where the content is below 128 bytes for certain.
  void short_message(field::Tag of, std::size_t bytes) noexcept {
    tag(of, protozero::pbf_wire_type::length_delimited);
    *at_++ = static_cast<char>(bytes);
  }
  void short_text(field::Tag of, std::string_view text) noexcept {
    short_message(of, text.size());
    copy_text(at_, text.data(), text.size());
    at_ += text.size();
  }
  void text(field::Tag of, std::string_view text) noexcept {
    message(of, text.size());
    copy_text(at_, text.data(), text.size());
    at_ += text.size();
  }
  void number(field::Tag of, std::uint64_t value) noexcept {
    tag(of, protozero::pbf_wire_type::varint);
    varint(value);
  }
  void fixed64(field::Tag of, std::uint64_t value) noexcept {
    tag(of, protozero::pbf_wire_type::fixed64);
    fixed(value);
  }
  void fixed32(field::Tag of, std::uint32_t value) noexcept {
    tag(of, protozero::pbf_wire_type::fixed32);
    fixed(value);
  }

 private:
  template <class Word>
  void fixed(Word value) noexcept {
    for (std::size_t i = 0; i < sizeof value; ++i) at_[i] = static_cast<char>(value >> 8 * i);
    at_ += sizeof value;
  }

  ProtobufBuffer& out_;
  char* at_;
};

// A message whose size shows at its end.  Its length gets as many bytes as the last one's took;
// where that was wrong, it is moved.  They nest four deep at most.
class ProtobufMessage {
 public:
  ProtobufMessage(ProtobufBuffer& out, field::Tag tag, std::size_t& length_bytes)
      : out_(out), length_bytes_(length_bytes) {
    {
      ProtobufCursor cursor(out, ProtobufCursor::kFieldMax);
      cursor.tag(tag, protozero::pbf_wire_type::length_delimited);
      cursor.skip(length_bytes);
    }
    begin_ = out.size();
  }
  ~ProtobufMessage() {
    const std::size_t size = out_.size() - begin_;
    const auto needed = static_cast<std::size_t>(protozero::length_of_varint(size));
    if (needed > length_bytes_) out_.move_back(begin_, needed - length_bytes_);
    if (needed < length_bytes_) out_.erase_range(begin_ + needed - length_bytes_, begin_);
    protozero::write_varint(out_.at_pos(begin_ - length_bytes_), size);
    length_bytes_ = needed;
  }
  ProtobufMessage(const ProtobufMessage&) = delete;
  ProtobufMessage& operator=(const ProtobufMessage&) = delete;

 private:
  ProtobufBuffer& out_;
  std::size_t& length_bytes_;
  std::size_t begin_;
};

}  // namespace spanwire::otlp
