#include "lib/trace/record_writer.hpp"

#include <algorithm>
#include <cstring>

#include "lib/trace/core.hpp"

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kNameBytesKept = 128;
constexpr std::size_t kKeyBytesMax = 0xFFFF;

Item* mutable_item(OpenRecord& record, std::size_t offset) noexcept {
  return reinterpret_cast<Item*>(record.items + offset);
}

// Closes the gaps that overwritten items left.
void compact(OpenRecord& record) noexcept {
  RecordHeader& header = record.header;
  const std::uint32_t capacity = record.capacity();
  const std::uint32_t used = record.used();
  std::uint32_t to = 0;
  for (std::uint32_t from = 0; from < used;) {
    const Item item = *item_at(record.items, from);
    const auto room = static_cast<std::uint32_t>(room_of(item));
    if (item.tag != ItemTag::removed) {
      if (header.name_at == from) header.name_at = to;
      if (header.status_at == from) header.status_at = to;
      if (header.tracestate_at == from) header.tracestate_at = to;
      if (record.head_at == from) record.head_at = to;
      if (to != from) std::memmove(record.items + to, record.items + from, room);
      to += room;
    }
    from += room;
  }
  record.at = record.items + to;
  record.left.room = capacity - to;
}

// Room for `more` bytes behind the items, from the arena if need be.
bool make_room(OpenRecord& record, std::size_t more) noexcept {
  compact(record);
  if (more <= record.left.room) return true;
  Core& core = *record.core;
  const std::size_t used = record.used();
  const std::size_t old_capacity = record.capacity();
  const std::size_t most = std::min<std::size_t>(core.limits().bytes_max, 1u << 30);
  if (used > most || more > most - used) return false;
  std::size_t capacity = std::min(most, std::max(used + more, old_capacity * 2));
  std::byte* block = core.arena().take(capacity);
  if (block == nullptr && capacity > used + more) {
    capacity = used + more;
    block = core.arena().take(capacity);
  }
  if (block == nullptr) return false;
  std::memcpy(block, record.items, used);
  if (record.external()) core.arena().give(record.items, old_capacity);
  record.items = block;
  record.at = block + used;
  record.left.room = static_cast<std::uint32_t>(capacity - used);
  return true;
}

char* value_in(Item& item) noexcept { return reinterpret_cast<char*>(&item) + value_offset(item); }

// A new item behind the others, its value still to be written at `value`; null if it does not fit.
struct Appended {
  Item* item = nullptr;
  char* value = nullptr;
};
Appended append(OpenRecord& record, ItemTag tag, ValueType type, Key key,
                std::size_t value_bytes) noexcept {
  constexpr std::size_t kSane = 1u << 30;
  if (key.size() > kKeyBytesMax || value_bytes > kSane) return {};
  const std::size_t key_room = key.is_literal() ? sizeof(const char*) : padded(key.size());
  const std::size_t bytes = sizeof(Item) + key_room + value_bytes;
  const std::size_t room = padded(bytes);
  if (room > record.left.room && !make_room(record, room)) return {};
  auto* item = reinterpret_cast<Item*>(record.at);
  char* value = write_item(record.at, tag, type, key, value_bytes);
  record.at += room;
  record.left.room -= static_cast<std::uint32_t>(room);
  return {item, value};
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

std::size_t bytes_of_value(AttributeValue value, std::size_t chars) noexcept {
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

void write_strings(char* to, AttributeValue value, std::size_t chars) noexcept {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string_view text = cut(value.text_at(i), chars);
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(to, &size, sizeof size);
    copy_text(to + sizeof size, text.data(), size);
    to += sizeof size + size;
  }
}

void write_value(char* to, AttributeValue value, std::size_t bytes, std::size_t chars) noexcept {
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
      copy_text(to, static_cast<const char*>(value.elements()), bytes);
      return;
  }
}

bool append_value(OpenRecord& record, ItemTag tag, Key key, AttributeValue value) noexcept {
  const std::size_t chars = record.core->limits().value_chars_max;
  const std::size_t bytes = bytes_of_value(value, chars);
  const Appended added = append(record, tag, value.type(), key, bytes);
  if (added.item == nullptr) return false;
  write_value(added.value, value, bytes, chars);
  return true;
}

Item* find_attribute(OpenRecord& record, std::string_view key) noexcept {
  for (std::size_t at = 0; at < record.used();) {
    Item* item = mutable_item(record, at);
    if (item->tag == ItemTag::attribute && item->key_bytes == key.size() && key_of(*item) == key) {
      return item;
    }
    at += room_of(*item);
  }
  return nullptr;
}

void overwrite(OpenRecord& record, Item& item, Key key, AttributeValue value) noexcept {
  const std::size_t chars = record.core->limits().value_chars_max;
  const std::size_t bytes = bytes_of_value(value, chars);
  const std::size_t offset = value_offset(item);
  const std::size_t room = room_of(item);
  if (bytes > room - offset) {
    item.tag = ItemTag::removed;
    if (append_value(record, ItemTag::attribute, key, value)) return;
    ++record.left.attributes;
    ++record.header.dropped_attributes;
    return;
  }
  item.type_bits = static_cast<std::uint8_t>(static_cast<std::uint8_t>(value.type()) |
                                             (item.type_bits & Item::kLiteralKey));
  item.bytes = static_cast<std::uint32_t>(offset + bytes);
  write_value(value_in(item), value, bytes, chars);
  const std::size_t rest = room - room_of(item);
  if (rest == 0) return;
  auto* gap = reinterpret_cast<Item*>(reinterpret_cast<std::byte*>(&item) + room_of(item));
  *gap = {ItemTag::removed, 0, 0, static_cast<std::uint32_t>(rest)};
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
  const Appended added = append(record, tag, ValueType::string, Key(), text.size());
  if (added.item == nullptr) return kNoItem;
  copy_text(added.value, text.data(), text.size());
  return offset_of(record, added.item);
}

void remove_item(OpenRecord& record, std::uint32_t& at) noexcept {
  if (at != kNoItem) mutable_item(record, at)->tag = ItemTag::removed;
  at = kNoItem;
}

}  // namespace

void set_first_name(OpenRecord& record, Key name) noexcept {
  if (append(record, ItemTag::name, ValueType::string, name, 0).item != nullptr) return;
  append(record, ItemTag::name, ValueType::string, name.view().substr(0, kNameBytesKept), 0);
}

void set_tracestate(OpenRecord& record, std::string_view tracestate) noexcept {
  if (tracestate.empty()) return;
  record.header.tracestate_at = append_text(record, ItemTag::tracestate, tracestate);
}

void set_attribute(OpenRecord& record, Key key, AttributeValue value) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << key.filter();
  if ((record.key_filter & bit) != 0) {
    if (Item* item = find_attribute(record, key.view())) {
      return overwrite(record, *item, key, value);
    }
  }
  if (key.empty() || record.left.attributes == 0 ||
      !append_value(record, ItemTag::attribute, key, value)) {
    ++record.header.dropped_attributes;
    return;
  }
  --record.left.attributes;
  record.key_filter |= bit;
}

void add_event(OpenRecord& record, Key name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept {
  RecordHeader& header = record.header;
  const SpanLimits& limits = record.core->limits();
  const Appended added = record.left.events != 0 ? append(record, ItemTag::event, ValueType::string,
                                                          name, sizeof(EventHead))
                                                 : Appended();
  if (added.item == nullptr) {
    ++header.dropped_events;
    return;
  }
  --record.left.events;
  const EventHead head{time_ns, 0, 0};
  std::memcpy(added.value, &head, sizeof head);
  attach<EventHead>(record, added.item, ItemTag::event_attribute, attributes,
                    limits.event_attributes_max);
}

void add_link(OpenRecord& record, const Link& link) noexcept {
  if (!link.context.valid()) return;
  RecordHeader& header = record.header;
  const SpanLimits& limits = record.core->limits();
  const std::size_t bytes = sizeof(LinkHead) + link.tracestate.size();
  const Appended added = header.links < record.left.links
                             ? append(record, ItemTag::link, ValueType::string, Key(), bytes)
                             : Appended();
  if (added.item == nullptr) {
    ++header.dropped_links;
    return;
  }
  ++header.links;
  const LinkHead head{link.context, 0, 0};
  std::memcpy(added.value, &head, sizeof head);
  if (!link.tracestate.empty()) {
    std::memcpy(added.value + sizeof head, link.tracestate.data(), link.tracestate.size());
  }
  attach<LinkHead>(record, added.item, ItemTag::link_attribute, link.attributes,
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

void set_name(OpenRecord& record, Key name) noexcept {
  const Appended added = append(record, ItemTag::name, ValueType::string, name, 0);
  if (added.item == nullptr) return;
  remove_item(record, record.header.name_at);
  record.header.name_at = offset_of(record, added.item);
}

}  // namespace spanwire::trace::detail
