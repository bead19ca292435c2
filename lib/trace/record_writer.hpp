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

void add_event(OpenRecord& record, Key name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept;
void add_link(OpenRecord& record, const Link& link) noexcept;
void set_status(OpenRecord& record, StatusCode status, std::string_view message) noexcept;
void set_name(OpenRecord& record, Key name) noexcept;
// Of a name that does not fit, the beginning: there is always a name.
void begin_with_long_name(OpenRecord& record, Key name) noexcept;
void set_tracestate(OpenRecord& record, std::string_view tracestate) noexcept;
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

// True when the key is new for certain and there may be one more.
inline bool is_simple(const OpenRecord& record, Key key, std::uint64_t bit) noexcept {
  return (record.key_filter & bit) == 0 && !key.empty() &&
         record.header.attributes < record.core->limits().attributes_max;
}

inline void count_attribute(OpenRecord& record, bool written, std::uint64_t bit) noexcept {
  if (!written) [[unlikely]] {
    ++record.header.dropped_attributes;
    return;
  }
  ++record.header.attributes;
  record.key_filter |= bit;
}

// An int64 or a real.
inline void set_attribute_word(OpenRecord& record, Key key, ValueType type,
                               std::int64_t word) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << key.filter();
  if (!is_simple(record, key, bit)) [[unlikely]] {
    return set_attribute_slowly(record, key, AttributeValue::of_word(type, word));
  }
  const Appended added = append(record, ItemTag::attribute, type, key, sizeof word);
  if (added.item != nullptr) std::memcpy(added.value, &word, sizeof word);
  count_attribute(record, added.item != nullptr, bit);
}

inline void set_attribute(OpenRecord& record, Key key, AttributeValue value) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << key.filter();
  const bool whole_text =
      value.type() == ValueType::string && value.size() <= record.core->limits().value_chars_max;
  if (!whole_text || !is_simple(record, key, bit)) [[unlikely]] {
    return set_attribute_slowly(record, key, value);
  }
  const Appended added = append(record, ItemTag::attribute, ValueType::string, key, value.size());
  if (added.item != nullptr) copy_text(added.value, value.text().data(), value.size());
  count_attribute(record, added.item != nullptr, bit);
}

// An empty record with its name; `tracestate` may be empty.
inline void begin_record(OpenRecord& record, Core& core, Key name,
                         std::string_view tracestate) noexcept {
  record.core = &core;
  record.items = record.inline_items;
  record.capacity = sizeof record.inline_items;
  record.head_at = kNoItem;
  record.key_filter = 0;
  RecordHeader& header = record.header;
  header.status = 0;
  header.items_bytes = 0;
  header.name_at = kNoItem;
  header.status_at = kNoItem;
  header.tracestate_at = kNoItem;
  header.attributes = header.events = header.links = 0;
  header.dropped_attributes = header.dropped_events = header.dropped_links = 0;
  if (append(record, ItemTag::name, ValueType::string, name, 0).item == nullptr) [[unlikely]] {
    begin_with_long_name(record, name);
  }
  header.name_at = 0;
  if (!tracestate.empty()) set_tracestate(record, tracestate);
}

}  // namespace spanwire::trace::detail
