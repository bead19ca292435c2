// Writes into the record of an open span.  The limits of the provider apply: what is left out is
// counted in the record.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "lib/base/copy_text.hpp"
#include "lib/trace/core.hpp"
#include "lib/trace/slab.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::trace::detail {

void set_attribute(OpenRecord& record, Key key, AttributeValue value) noexcept;
inline void set_attributes(OpenRecord& record, std::span<const Attribute> attributes) noexcept {
  for (const Attribute& attribute : attributes) {
    set_attribute(record, attribute.key, attribute.value);
  }
}
void add_event(OpenRecord& record, Key name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept;
void add_link(OpenRecord& record, const Link& link) noexcept;
void set_status(OpenRecord& record, StatusCode status, std::string_view message) noexcept;
void set_name(OpenRecord& record, Key name) noexcept;
void set_tracestate(OpenRecord& record, std::string_view tracestate) noexcept;
// The first name: of one that does not fit, the beginning.
void set_first_name(OpenRecord& record, Key name) noexcept;

// An item at `at`, which has room for it; where the value goes.
inline char* write_literal_item(std::byte* at, ItemTag tag, ValueType type, Key key,
                                std::size_t value_bytes) noexcept {
  constexpr std::size_t kFront = sizeof(Item) + sizeof(const char*);
  auto* item = reinterpret_cast<Item*>(at);
  item->tag = tag;
  item->type_bits = static_cast<std::uint8_t>(static_cast<std::uint8_t>(type) | Item::kLiteralKey);
  item->key_bytes = static_cast<std::uint16_t>(key.size());
  item->bytes = static_cast<std::uint32_t>(kFront + value_bytes);
  const char* text = key.data();
  std::memcpy(at + sizeof(Item), &text, sizeof text);
  return reinterpret_cast<char*>(at) + kFront;
}
inline char* write_item(std::byte* at, ItemTag tag, ValueType type, Key key,
                        std::size_t value_bytes) noexcept {
  if (key.is_literal()) return write_literal_item(at, tag, type, key, value_bytes);
  const std::size_t key_room = padded(key.size());
  *reinterpret_cast<Item*>(at) = {
      tag, static_cast<std::uint8_t>(type), static_cast<std::uint16_t>(key.size()),
      static_cast<std::uint32_t>(sizeof(Item) + key_room + value_bytes)};
  char* after = reinterpret_cast<char*>(at + sizeof(Item));
  copy_text(after, key.data(), key.size());
  return after + key_room;
}

// The short way, for what nearly all spans consist of: keys that are literals, room in the record,
// nothing that a limit forbids.  Each returns false, and has done nothing, where that does not
// hold.

// An item with a literal key and `value_bytes` behind it; where the value goes.  The caller has
// looked for room.
inline char* put_item(OpenRecord& record, ItemTag tag, ValueType type, Key key,
                      std::size_t value_bytes) noexcept {
  constexpr std::size_t kFront = sizeof(Item) + sizeof(const char*);
  const std::size_t room = padded(kFront + value_bytes);
  char* value = write_literal_item(record.at, tag, type, key, value_bytes);
  record.at += room;
  record.left.room -= static_cast<std::uint32_t>(room);
  return value;
}

inline bool is_new_key(const OpenRecord& record, Key key, std::uint64_t bit) noexcept {
  return key.is_literal() && record.left.attributes != 0 && (record.key_filter & bit) == 0;
}

inline bool put_word(OpenRecord& record, Key key, ValueType type, std::int64_t word) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << key.literal_filter();
  if (!is_new_key(record, key, bit) || record.left.room < 24) return false;
  std::memcpy(put_item(record, ItemTag::attribute, type, key, sizeof word), &word, sizeof word);
  --record.left.attributes;
  record.key_filter |= bit;
  return true;
}

inline bool put_text(OpenRecord& record, Key key, std::string_view text) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << key.literal_filter();
  const std::size_t size = text.size();
  if (!is_new_key(record, key, bit) || size > record.left.value_chars_max ||
      size + 24 > record.left.room) {
    return false;
  }
  char* const value = put_item(record, ItemTag::attribute, ValueType::string, key, size);
  --record.left.attributes;
  record.key_filter |= bit;
  // Last: for a long text, nothing has to be kept beside the call.
  copy_text(value, text.data(), size);
  return true;
}

inline bool put_event(OpenRecord& record, Key name, std::int64_t time_ns) noexcept {
  if (!name.is_literal() || record.left.events == 0 || record.left.room < 32) return false;
  const EventHead head{time_ns, 0, 0};
  std::memcpy(put_item(record, ItemTag::event, ValueType::string, name, sizeof head), &head,
              sizeof head);
  --record.left.events;
  return true;
}

// An empty record with its name.
inline constexpr std::size_t kShortNameBytes = 256;
inline void begin_record(OpenRecord& record, Core& core, Key name) noexcept {
  record.core = &core;
  record.items = record.at = record.inline_items;
  record.left = core.budget();
  record.key_filter = 0;
  record.head_at = kNoItem;
  RecordHeader& header = record.header;
  header.status = 0;
  header.name_at = 0;
  header.status_at = kNoItem;
  header.tracestate_at = kNoItem;
  header.links = 0;
  header.dropped_attributes = header.dropped_events = header.dropped_links = 0;
  if (name.is_literal()) {
    put_item(record, ItemTag::name, ValueType::string, name, 0);
  } else if (name.size() <= kShortNameBytes) {
    auto* item = reinterpret_cast<Item*>(record.inline_items);
    const auto bytes = static_cast<std::uint32_t>(sizeof(Item) + name.size());
    *item = {ItemTag::name, 0, static_cast<std::uint16_t>(name.size()), bytes};
    copy_text(reinterpret_cast<char*>(item + 1), name.data(), name.size());
    record.at += padded(bytes);
    record.left.room -= static_cast<std::uint32_t>(padded(bytes));
  } else {
    set_first_name(record, name);
  }
}

// What is kept beside the header while the span is open, into the copy of it that is exported: a
// wide load does not wait for narrow stores of a moment ago.
inline void complete_header(const OpenRecord& record, const Budget& whole,
                            RecordHeader& header) noexcept {
  header.attributes = static_cast<std::uint16_t>(whole.attributes - record.left.attributes);
  header.events = static_cast<std::uint16_t>(whole.events - record.left.events);
}

}  // namespace spanwire::trace::detail
