// Writes into the record of an open span.  The limits of the provider apply: what is left out is
// counted in the record.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "lib/trace/core.hpp"
#include "lib/trace/slab.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::trace::detail {

// An empty record with its name; `tracestate` may be empty.
void begin_record(OpenRecord& record, Core& core, Key name, std::string_view tracestate) noexcept;
void add_event(OpenRecord& record, Key name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept;
void add_link(OpenRecord& record, const Link& link) noexcept;
void set_status(OpenRecord& record, StatusCode status, std::string_view message) noexcept;
void set_name(OpenRecord& record, Key name) noexcept;
void set_attribute_slowly(OpenRecord& record, Key key, AttributeValue value) noexcept;

// Room for `more` bytes behind the items, from the arena if need be.
bool make_room(OpenRecord& record, std::size_t more) noexcept;

// Most texts are short: a call of memcpy costs more than copying them.
inline void copy_text(char* to, const char* from, std::size_t bytes) noexcept {
  if (bytes > 32) {
    std::memcpy(to, from, bytes);
  } else if (bytes >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + bytes - 16, from + bytes - 16, 16);
  } else if (bytes >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + bytes - 8, from + bytes - 8, 8);
  } else if (bytes >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + bytes - 4, from + bytes - 4, 4);
  } else {
    for (std::size_t i = 0; i < bytes; ++i) to[i] = from[i];
  }
}

inline char* value_in(Item& item) noexcept {
  return reinterpret_cast<char*>(&item) + value_offset(item);
}

// A new item behind the others, its value still to be written at `value`; null if it does not fit.
struct Appended {
  Item* item = nullptr;
  char* value = nullptr;
};
inline Appended append(OpenRecord& record, ItemTag tag, ValueType type, Key key,
                       std::size_t value_bytes) noexcept {
  constexpr std::size_t kSane = 1u << 30;
  if (key.size() > 0xFFFF || value_bytes > kSane) return {};
  const std::size_t key_room = key.is_literal() ? sizeof(const char*) : padded(key.size());
  const std::size_t bytes = sizeof(Item) + key_room + value_bytes;
  const std::size_t room = padded(bytes);
  if (room > record.capacity - record.header.items_bytes && !make_room(record, room)) return {};
  auto* item = reinterpret_cast<Item*>(record.items + record.header.items_bytes);
  item->tag = tag;
  item->type_bits = static_cast<std::uint8_t>(static_cast<std::uint8_t>(type) |
                                              (key.is_literal() ? Item::kLiteralKey : 0));
  item->key_bytes = static_cast<std::uint16_t>(key.size());
  item->bytes = static_cast<std::uint32_t>(bytes);
  char* at = reinterpret_cast<char*>(item + 1);
  if (key.is_literal()) {
    const char* data = key.data();
    std::memcpy(at, &data, sizeof data);
  } else {
    copy_text(at, key.data(), key.size());
  }
  record.header.items_bytes += static_cast<std::uint32_t>(room);
  return {item, at + key_room};
}

inline void set_attribute(OpenRecord& record, Key key, AttributeValue value) noexcept {
  const SpanLimits& limits = record.core->limits();
  const std::uint64_t bit = std::uint64_t{1} << key.filter();
  const bool text = value.type() == ValueType::string;
  const bool scalar = value.type() == ValueType::int64 || value.type() == ValueType::real;
  const std::size_t bytes = text ? value.size() : sizeof(std::int64_t);
  if (!(text || scalar) || (record.key_filter & bit) != 0 || key.empty() ||
      record.header.attributes >= limits.attributes_max ||
      (text && bytes > limits.value_chars_max)) {
    return set_attribute_slowly(record, key, value);
  }
  const Appended added = append(record, ItemTag::attribute, value.type(), key, bytes);
  if (added.item == nullptr) {
    ++record.header.dropped_attributes;
    return;
  }
  if (text) {
    copy_text(added.value, value.text().data(), bytes);
  } else {
    const std::int64_t word = value.type() == ValueType::int64
                                  ? value.int64()
                                  : std::bit_cast<std::int64_t>(value.real());
    std::memcpy(added.value, &word, sizeof word);
  }
  ++record.header.attributes;
  record.key_filter |= bit;
}

}  // namespace spanwire::trace::detail
