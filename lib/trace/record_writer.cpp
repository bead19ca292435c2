#include "lib/trace/record_writer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lib/trace/core.hpp"

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kNameBytesKept = 128;
constexpr std::size_t kCountMax = std::numeric_limits<std::uint16_t>::max();

Item* mutable_item(OpenRecord& record, std::size_t offset) noexcept {
  return reinterpret_cast<Item*>(record.items + offset);
}
char* value_in(Item& item) noexcept { return reinterpret_cast<char*>(&item) + value_offset(item); }

// Closes the gaps that overwritten items left.
void compact(OpenRecord& record) noexcept {
  RecordHeader& header = record.header;
  std::uint32_t to = 0;
  for (std::uint32_t from = 0; from < header.items_bytes;) {
    const Item item = *item_at(record.items, from);
    if (item.tag != ItemTag::removed) {
      if (header.name_at == from) header.name_at = to;
      if (header.status_at == from) header.status_at = to;
      if (header.tracestate_at == from) header.tracestate_at = to;
      if (record.head_at == from) record.head_at = to;
      if (to != from) std::memmove(record.items + to, record.items + from, item.room);
      to += item.room;
    }
    from += item.room;
  }
  header.items_bytes = to;
}

// Room for `more` bytes behind the items, from the arena if need be.
bool make_room(OpenRecord& record, std::size_t more) noexcept {
  compact(record);
  const std::size_t used = record.header.items_bytes;
  if (more <= record.capacity - used) return true;
  Core& core = *record.core;
  const std::size_t most = std::min<std::size_t>(core.limits().bytes_max, 1u << 30);
  if (used > most || more > most - used) return false;
  const std::size_t capacity =
      std::min(most, std::max(used + more, std::size_t{record.capacity} * 2));
  std::byte* block = core.take_block(capacity);
  if (block == nullptr) return false;
  std::memcpy(block, record.items, used);
  if (record.items != record.inline_items) core.give_block(record.items, record.capacity);
  record.items = block;
  record.capacity = static_cast<std::uint32_t>(capacity);
  return true;
}

// A new item behind the others with room for `value_bytes`; null if it does not fit.
Item* append(OpenRecord& record, ItemTag tag, ValueType type, const Key& key,
             std::size_t value_bytes) noexcept {
  constexpr std::size_t kSane = 1u << 30;
  if (key.size() > kSane || value_bytes > kSane) return nullptr;
  const std::size_t key_room = key.is_literal() ? sizeof(const char*) : padded(key.size());
  const std::size_t bytes = sizeof(Item) + key_room + value_bytes;
  const std::size_t room = padded(bytes);
  if (room > record.capacity - record.header.items_bytes && !make_room(record, room))
    return nullptr;
  Item* item = mutable_item(record, record.header.items_bytes);
  *item = {tag,
           type,
           key.is_literal(),
           0,
           static_cast<std::uint32_t>(key.size()),
           static_cast<std::uint32_t>(bytes),
           static_cast<std::uint32_t>(room)};
  char* at = reinterpret_cast<char*>(item + 1);
  if (key.is_literal()) {
    const char* data = key.data();
    std::memcpy(at, &data, sizeof data);
  } else if (!key.empty()) {
    std::memcpy(at, key.data(), key.size());
  }
  record.header.items_bytes += static_cast<std::uint32_t>(room);
  return item;
}

// At most `chars` characters of UTF-8; never cuts one in two.
std::string_view cut(std::string_view text, std::size_t chars) noexcept {
  if (text.size() <= chars) return text;
  std::size_t seen = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool first_byte = (static_cast<unsigned char>(text[at]) & 0xC0u) != 0x80u;
    if (first_byte && ++seen > chars) return text.substr(0, at);
  }
  return text;
}

std::size_t bytes_of_value(const AttributeValue& value, std::size_t chars) noexcept {
  switch (value.type()) {
    case ValueType::string:
      return cut(value.text(), chars).size();
    case ValueType::boolean:
      return 1;
    case ValueType::int64:
    case ValueType::real:
      return sizeof(std::int64_t);
    case ValueType::boolean_array:
      return value.size();
    case ValueType::int64_array:
    case ValueType::real_array:
      return value.size() * sizeof(std::int64_t);
    case ValueType::string_array:
      break;
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    bytes += sizeof(std::uint32_t) + cut(value.text_at(i), chars).size();
  }
  return bytes;
}

void write_strings(char* to, const AttributeValue& value, std::size_t chars) noexcept {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string_view text = cut(value.text_at(i), chars);
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(to, &size, sizeof size);
    if (size != 0) std::memcpy(to + sizeof size, text.data(), size);
    to += sizeof size + size;
  }
}

void write_value(char* to, const AttributeValue& value, std::size_t bytes,
                 std::size_t chars) noexcept {
  switch (value.type()) {
    case ValueType::boolean:
      *to = value.boolean() ? 1 : 0;
      return;
    case ValueType::int64: {
      const std::int64_t number = value.int64();
      std::memcpy(to, &number, sizeof number);
      return;
    }
    case ValueType::real: {
      const double number = value.real();
      std::memcpy(to, &number, sizeof number);
      return;
    }
    case ValueType::string_array:
      write_strings(to, value, chars);
      return;
    case ValueType::string:
    case ValueType::boolean_array:
    case ValueType::int64_array:
    case ValueType::real_array:
      if (bytes != 0) std::memcpy(to, value.elements(), bytes);
      return;
  }
}

bool append_value(OpenRecord& record, ItemTag tag, const Key& key,
                  const AttributeValue& value) noexcept {
  const std::size_t chars = record.core->limits().value_chars_max;
  const std::size_t bytes = bytes_of_value(value, chars);
  Item* item = append(record, tag, value.type(), key, bytes);
  if (item == nullptr) return false;
  write_value(value_in(*item), value, bytes, chars);
  return true;
}

// One of 64 bits; equal keys have equal bits.
std::uint64_t filter_bit(std::string_view key) noexcept {
  std::uint64_t mixed = key.size();
  if (key.size() >= 8) {
    mixed += load_as<std::uint64_t>(key.data()) * 3;
    mixed ^= load_as<std::uint64_t>(key.data() + key.size() - 8);
  } else {
    for (const char c : key) mixed = mixed << 8 ^ static_cast<unsigned char>(c) ^ mixed >> 56;
  }
  return std::uint64_t{1} << ((mixed * 0x9E37'79B9'7F4A'7C15ull) >> 58);
}

Item* find_attribute(OpenRecord& record, std::string_view key) noexcept {
  for (std::size_t at = 0; at < record.header.items_bytes;) {
    Item* item = mutable_item(record, at);
    if (item->tag == ItemTag::attribute && item->key_bytes == key.size() && key_of(*item) == key) {
      return item;
    }
    at += item->room;
  }
  return nullptr;
}

void overwrite(OpenRecord& record, Item& item, const Key& key,
               const AttributeValue& value) noexcept {
  const std::size_t chars = record.core->limits().value_chars_max;
  const std::size_t bytes = bytes_of_value(value, chars);
  const std::size_t offset = value_offset(item);
  if (bytes <= item.room - offset) {
    item.type = value.type();
    item.bytes = static_cast<std::uint32_t>(offset + bytes);
    write_value(value_in(item), value, bytes, chars);
    return;
  }
  item.tag = ItemTag::removed;
  if (append_value(record, ItemTag::attribute, key, value)) return;
  --record.header.attributes;
  ++record.header.dropped_attributes;
}

// The attributes of an event or link behind its item.  Of equal keys the last counts.
struct Attached {
  std::uint32_t kept = 0;
  std::uint32_t dropped = 0;
};
Attached append_attached(OpenRecord& record, ItemTag tag, std::span<const Attribute> attributes,
                         std::size_t most) noexcept {
  Attached result;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const Attribute& attribute = attributes[i];
    const auto later = attributes.subspan(i + 1);
    const bool repeated = std::any_of(later.begin(), later.end(), [&](const Attribute& other) {
      return other.key.view() == attribute.key.view();
    });
    if (repeated) continue;
    const bool kept = !attribute.key.empty() && result.kept < most &&
                      append_value(record, tag, attribute.key, attribute.value);
    ++(kept ? result.kept : result.dropped);
  }
  return result;
}

std::uint32_t offset_of(const OpenRecord& record, const Item* item) noexcept {
  return static_cast<std::uint32_t>(reinterpret_cast<const std::byte*>(item) - record.items);
}

// What Event and Link have in common: a head that is written before its attributes and completed
// after them, wherever the items have moved to by then.
template <class Head>
void attach(OpenRecord& record, const Item* item, ItemTag tag,
            std::span<const Attribute> attributes, std::size_t most) noexcept {
  if (attributes.empty()) return;
  record.head_at = offset_of(record, item);
  const Attached attached = append_attached(record, tag, attributes, most);
  char* at = value_in(*mutable_item(record, record.head_at));
  Head head = load_as<Head>(at);
  head.attributes = attached.kept;
  head.dropped_attributes = attached.dropped;
  std::memcpy(at, &head, sizeof head);
  record.head_at = kNoItem;
}

// An item that is nothing but a text; its offset, kNoItem if it does not fit.
std::uint32_t append_text(OpenRecord& record, ItemTag tag, std::string_view text) noexcept {
  Item* item = append(record, tag, ValueType::string, Key(), text.size());
  if (item == nullptr) return kNoItem;
  if (!text.empty()) std::memcpy(value_in(*item), text.data(), text.size());
  return offset_of(record, item);
}

void remove_item(OpenRecord& record, std::uint32_t& at) noexcept {
  if (at != kNoItem) mutable_item(record, at)->tag = ItemTag::removed;
  at = kNoItem;
}

}  // namespace

void begin_record(OpenRecord& record, Core& core, const Key& name,
                  std::string_view tracestate) noexcept {
  record.core = &core;
  record.items = record.inline_items;
  record.capacity = sizeof record.inline_items;
  record.head_at = kNoItem;
  RecordHeader& header = record.header;
  header.status = static_cast<std::uint8_t>(StatusCode::unset);
  header.key_filter = 0;
  header.items_bytes = 0;
  header.name_at = kNoItem;
  header.status_at = kNoItem;
  header.tracestate_at = kNoItem;
  header.attributes = header.events = header.links = 0;
  header.dropped_attributes = header.dropped_events = header.dropped_links = 0;
  set_name(record, name);
  // There is always a name: of one that does not fit, the beginning.
  if (header.name_at == kNoItem) set_name(record, name.view().substr(0, kNameBytesKept));
  if (!tracestate.empty()) {
    header.tracestate_at = append_text(record, ItemTag::tracestate, tracestate);
  }
}

void set_attribute(OpenRecord& record, const Key& key, const AttributeValue& value) noexcept {
  RecordHeader& header = record.header;
  const std::uint64_t bit = filter_bit(key.view());
  if ((header.key_filter & bit) != 0) {
    if (Item* item = find_attribute(record, key.view()))
      return overwrite(record, *item, key, value);
  }
  const std::size_t most = std::min(record.core->limits().attributes_max, kCountMax);
  if (key.empty() || header.attributes >= most ||
      !append_value(record, ItemTag::attribute, key, value)) {
    ++header.dropped_attributes;
    return;
  }
  ++header.attributes;
  header.key_filter |= bit;
}

void add_event(OpenRecord& record, const Key& name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept {
  RecordHeader& header = record.header;
  const SpanLimits& limits = record.core->limits();
  Item* item = header.events < std::min(limits.events_max, kCountMax)
                   ? append(record, ItemTag::event, ValueType::string, name, sizeof(EventHead))
                   : nullptr;
  if (item == nullptr) {
    ++header.dropped_events;
    return;
  }
  ++header.events;
  const EventHead head{time_ns, 0, 0};
  std::memcpy(value_in(*item), &head, sizeof head);
  attach<EventHead>(record, item, ItemTag::event_attribute, attributes,
                    limits.event_attributes_max);
}

void add_link(OpenRecord& record, const Link& link) noexcept {
  if (!link.context.valid()) return;
  RecordHeader& header = record.header;
  const SpanLimits& limits = record.core->limits();
  const std::size_t bytes = sizeof(LinkHead) + link.tracestate.size();
  Item* item = header.links < std::min(limits.links_max, kCountMax)
                   ? append(record, ItemTag::link, ValueType::string, Key(), bytes)
                   : nullptr;
  if (item == nullptr) {
    ++header.dropped_links;
    return;
  }
  ++header.links;
  const LinkHead head{link.context, 0, 0};
  std::memcpy(value_in(*item), &head, sizeof head);
  if (!link.tracestate.empty()) {
    std::memcpy(value_in(*item) + sizeof head, link.tracestate.data(), link.tracestate.size());
  }
  attach<LinkHead>(record, item, ItemTag::link_attribute, link.attributes,
                   limits.link_attributes_max);
}

void set_status(OpenRecord& record, StatusCode status, std::string_view message) noexcept {
  RecordHeader& header = record.header;
  if (status == StatusCode::unset || header.status == static_cast<std::uint8_t>(StatusCode::ok)) {
    return;
  }
  header.status = static_cast<std::uint8_t>(status);
  remove_item(record, header.status_at);
  if (status != StatusCode::error || message.empty()) return;
  header.status_at = append_text(record, ItemTag::status_message,
                                 cut(message, record.core->limits().value_chars_max));
}

void set_name(OpenRecord& record, const Key& name) noexcept {
  Item* item = append(record, ItemTag::name, ValueType::string, name, 0);
  if (item == nullptr) return;
  remove_item(record, record.header.name_at);
  record.header.name_at = offset_of(record, item);
}

}  // namespace spanwire::trace::detail
