// How a recorded span lies in memory: a header, then items of 8-byte aligned length.  Written by
// Span, read through SpanRecordView; nobody else depends on it.
//
//   item  = Item (8 bytes) | key | value | padding to 8
//   key   = the address of a literal (8 bytes), or its characters padded to 8
//   value = by tag and type; the length of a text is what is left of Item::bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {
struct Scope;
}

namespace spanwire::trace::detail {

enum class ItemTag : std::uint8_t {
  removed,  // left behind by an item that was overwritten
  name,
  tracestate,
  status_message,
  attribute,
  event,            // key: its name; value: EventHead
  event_attribute,  // belongs to the event before it
  link,             // value: LinkHead, then the tracestate; or the id of a span of the same trace
  link_attribute,   // belongs to the link before it
};

struct Item {
  static constexpr std::uint8_t kLiteralKey = 0x80;

  ItemTag tag;
  std::uint8_t type_bits;  // ValueType and kLiteralKey
  std::uint16_t key_bytes;
  std::uint32_t bytes;  // item, key and value; the next item begins at the next multiple of 8

  ValueType type() const noexcept { return static_cast<ValueType>(type_bits & ~kLiteralKey); }
  bool literal_key() const noexcept { return (type_bits & kLiteralKey) != 0; }
};
static_assert(sizeof(Item) == 8);

struct EventHead {
  std::int64_t time_ns;
  std::uint32_t dropped_attributes;
  std::uint32_t attributes;
};

struct LinkHead {
  SpanContext context;
  std::uint32_t dropped_attributes;
  std::uint32_t attributes;
};

enum class EntryType : std::uint8_t {
  record,    // header and items
  external,  // header and an ExternalItems
  table,     // header, what its spans share, and a row for each of them: lib/trace/table.hpp
  skip,      // nothing; the next entry begins at the start of the ring
};

// Times are readings of the monotonic clock; the wall clock's offset is added on export.
struct RecordHeader {
  std::uint32_t entry_bytes;
  EntryType entry_type;
  std::uint8_t kind;
  std::uint8_t status;
  std::uint8_t flags;
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_span_id;
  std::int64_t start_ns;
  std::int64_t end_ns;
  const Scope* scope;
  std::uint32_t items_bytes;
  std::uint32_t name_at;  // offsets of items; kNoItem for none
  std::uint32_t status_at;
  std::uint32_t tracestate_at;
  std::uint16_t attributes;
  std::uint16_t events;
  std::uint16_t links;
  std::uint8_t parent_remote;
  std::uint8_t may_repeat;  // of attributes with equal keys only the last counts: not looked at yet
  std::uint32_t dropped_attributes;
  std::uint32_t dropped_events;
  std::uint32_t dropped_links;
};
static_assert(sizeof(RecordHeader) == 104);

inline constexpr std::uint32_t kNoItem = 0xFFFF'FFFFu;

// Items that did not fit into the open record, in a block of the arena that travels along.
struct ExternalItems {
  std::byte* items;
  std::uint64_t capacity;
};

constexpr std::size_t padded(std::size_t bytes) noexcept { return (bytes + 7) & ~std::size_t{7}; }

inline const Item* item_at(const std::byte* items, std::size_t offset) noexcept {
  return reinterpret_cast<const Item*>(items + offset);
}
inline std::size_t room_of(const Item& item) noexcept { return padded(item.bytes); }
inline std::size_t value_offset(const Item& item) noexcept {
  return sizeof(Item) + (item.literal_key() ? sizeof(const char*) : padded(item.key_bytes));
}
inline const std::byte* bytes_of_item(const Item& item) noexcept {
  return reinterpret_cast<const std::byte*>(&item);
}
inline std::string_view key_of(const Item& item) noexcept {
  const std::byte* at = bytes_of_item(item) + sizeof(Item);
  const char* text = reinterpret_cast<const char*>(at);
  if (item.literal_key()) std::memcpy(&text, at, sizeof text);
  return {text, item.key_bytes};
}
inline std::string_view value_of(const Item& item) noexcept {
  const std::size_t offset = value_offset(item);
  return {reinterpret_cast<const char*>(bytes_of_item(item)) + offset, item.bytes - offset};
}
template <class T>
T load_as(const char* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
// Without tracestate and attributes, a link within a trace is no more than an id.
inline LinkHead head_of_link(const Item& item, const RecordHeader& header) noexcept {
  const std::string_view value = value_of(item);
  if (value.size() >= sizeof(LinkHead)) return load_as<LinkHead>(value.data());
  return {SpanContext(header.trace_id, load_as<SpanId>(value.data()), header.flags), 0, 0};
}

}  // namespace spanwire::trace::detail
