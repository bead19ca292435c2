// The floor of otlp/encode_protobuf: the spans of span_by_hand.hpp as an OTLP request, as somebody
// would write it who needs exactly this.  One array of bytes, fields in order, lengths of a span
// and of a batch in as many bytes as these spans need, resource and scope as ready bytes.  No UTF-8
// check, no arrays, no links, no dropped counts.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/floor/span_by_hand.hpp"

namespace spanwire::floor {

class ProtobufBytes {
 public:
  explicit ProtobufBytes(std::size_t capacity) : bytes_(capacity, '\0'), at_(bytes_.data()) {}

  void clear() noexcept { at_ = bytes_.data(); }
  std::string_view view() const noexcept {
    return {bytes_.data(), static_cast<std::size_t>(at_ - bytes_.data())};
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - bytes_.data()); }
  // Enough for one span; the caller asks before each.
  void make_room(std::size_t bytes) {
    const std::size_t used = size();
    if (bytes_.size() - used >= bytes) return;
    bytes_.resize(bytes_.size() * 2 + bytes);
    at_ = bytes_.data() + used;
  }
  void byte(unsigned value) noexcept { *at_++ = static_cast<char>(value); }
  // Short texts in two pieces that may overlap: cheaper than a call of memcpy.
  void raw(const void* from, std::size_t bytes) noexcept {
    const auto* text = static_cast<const char*>(from);
    if (bytes > 32 || bytes < 4) {
      std::memcpy(at_, text, bytes);
    } else if (bytes >= 16) {
      std::memcpy(at_, text, 16);
      std::memcpy(at_ + bytes - 16, text + bytes - 16, 16);
    } else if (bytes >= 8) {
      std::memcpy(at_, text, 8);
      std::memcpy(at_ + bytes - 8, text + bytes - 8, 8);
    } else {
      std::memcpy(at_, text, 4);
      std::memcpy(at_ + bytes - 4, text + bytes - 4, 4);
    }
    at_ += bytes;
  }
  void varint(std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7) byte(static_cast<unsigned>(value & 0x7F) | 0x80);
    byte(static_cast<unsigned>(value));
  }
  void text(unsigned tag, std::string_view value) noexcept {
    byte(tag);
    varint(value.size());
    raw(value.data(), value.size());
  }
  void fixed64(unsigned tag, const void* value) noexcept {
    byte(tag);
    raw(value, 8);
  }
  // Room for a length of `bytes` bytes; returns where the content begins.
  std::size_t open(unsigned tag, std::size_t bytes) noexcept {
    byte(tag);
    at_ += bytes;
    return size();
  }
  void close(std::size_t begin, std::size_t bytes) noexcept {
    std::size_t length = size() - begin;
    char* at = bytes_.data() + begin - bytes;
    for (std::size_t i = 0; i < bytes; ++i, length >>= 7) {
      at[i] = static_cast<char>((length & 0x7F) | (i + 1 < bytes ? 0x80 : 0));
    }
  }

 private:
  std::string bytes_;
  char* at_;
};

inline std::size_t varint_bytes(std::uint64_t value) noexcept {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

inline void write_attribute(ProtobufBytes& out, const Attribute& attribute) noexcept {
  const std::string_view key(attribute.key);
  std::size_t value = 9;
  if (attribute.type == Attribute::Type::text) value = 2 + attribute.text_bytes;
  if (attribute.type == Attribute::Type::integer) {
    value = 1 + varint_bytes(static_cast<std::uint64_t>(attribute.integer));
  }
  out.byte(9 << 3 | 2);
  out.varint(4 + key.size() + value);
  out.text(1 << 3 | 2, key);
  out.byte(2 << 3 | 2);
  out.varint(value);
  switch (attribute.type) {
    case Attribute::Type::text:
      return out.text(1 << 3 | 2, {attribute.text, attribute.text_bytes});
    case Attribute::Type::integer:
      out.byte(3 << 3);
      return out.varint(static_cast<std::uint64_t>(attribute.integer));
    case Attribute::Type::real:
      return out.fixed64(4 << 3 | 1, &attribute.real);
  }
}

inline constexpr std::size_t kSpanLengthBytes = 2;
inline constexpr std::size_t kBatchLengthBytes = 3;

inline void write_span(ProtobufBytes& out, const Span& span) noexcept {
  const std::size_t begin = out.open(2 << 3 | 2, kSpanLengthBytes);
  out.text(1 << 3 | 2, {reinterpret_cast<const char*>(span.trace_id.data()), 16});
  out.text(2 << 3 | 2, {reinterpret_cast<const char*>(&span.span_id), 8});
  out.text(4 << 3 | 2, {reinterpret_cast<const char*>(&span.parent_id), 8});
  out.text(5 << 3 | 2, {span.name, span.name_bytes});
  out.byte(6 << 3);
  out.byte(span.kind);
  out.fixed64(7 << 3 | 1, &span.start_ns);
  out.fixed64(8 << 3 | 1, &span.end_ns);
  for (std::size_t i = 0; i < span.attribute_count; ++i) write_attribute(out, span.attributes[i]);
  for (std::size_t i = 0; i < span.event_count; ++i) {
    const std::string_view name(span.events[i].name);
    out.byte(11 << 3 | 2);
    out.varint(11 + name.size());
    out.fixed64(1 << 3 | 1, &span.events[i].time_ns);
    out.text(2 << 3 | 2, name);
  }
  const std::uint32_t flags = span.flags | 0x300u;
  out.byte(0x85);
  out.byte(0x01);
  out.raw(&flags, 4);
  out.close(begin, kSpanLengthBytes);
}

// A batch: `resource` and `scope` are whole fields.
template <class Spans>
void write_batch(ProtobufBytes& out, const Spans& spans, std::string_view resource,
                 std::string_view scope) {
  out.make_room(resource.size() + scope.size() + 16);
  const std::size_t request = out.open(1 << 3 | 2, kBatchLengthBytes);
  out.raw(resource.data(), resource.size());
  const std::size_t in_scope = out.open(2 << 3 | 2, kBatchLengthBytes);
  out.raw(scope.data(), scope.size());
  for (const Span& span : spans) {
    out.make_room(4096);
    write_span(out, span);
  }
  out.close(in_scope, kBatchLengthBytes);
  out.close(request, kBatchLengthBytes);
}

}  // namespace spanwire::floor
