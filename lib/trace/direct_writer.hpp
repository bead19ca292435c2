// Spans straight into the ring, in one pass: each part is looked at as it is written, and what
// wants a closer look is given up.  For what nearly all whole spans are; the others go through the
// slab, whose records can grow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "lib/trace/core.hpp"
#include "lib/trace/record_writer.hpp"
#include "lib/trace/recording.hpp"
#include "spanwire/trace/recorder.hpp"

namespace spanwire::trace::detail {

// Of the items of one span.
inline constexpr std::size_t kDirectBytesMax = 4096;

// A link without attributes at `at`, which has room for it; the bytes it takes.
inline std::size_t write_link(std::byte* at, const Link& link) noexcept {
  const LinkHead head{link.context, 0, 0};
  char* to =
      write_item(at, ItemTag::link, ValueType::string, Key(), sizeof head + link.tracestate.size());
  std::memcpy(to, &head, sizeof head);
  copy_text(to + sizeof head, link.tracestate.data(), link.tracestate.size());
  return room_of(*reinterpret_cast<const Item*>(at));
}

class DirectWriter {
 public:
  // `items` has room for kDirectBytesMax.
  DirectWriter(std::byte* items, const SpanLimits& limits) noexcept
      : limits_(limits),
        begin_(items),
        at_(items),
        end_(items + std::min(kDirectBytesMax, limits.bytes_max)) {}

  // False where a limit, a long text or a repeated key wants a closer look: what was written is of
  // no use.
  bool fits() const noexcept { return fits_ && count_ <= limits_.attributes_max; }
  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(at_ - begin_); }

  void name(Key name) noexcept {
    fits_ &= name.size() <= kShortNameBytes;
    item(ItemTag::name, ValueType::string, name, 0);
  }
  std::uint32_t text(ItemTag tag, std::string_view text) noexcept {
    if (text.empty()) return kNoItem;
    const std::uint32_t at = offset();
    if (char* to = item(tag, ValueType::string, Key(), text.size())) {
      copy_text(to, text.data(), text.size());
    }
    return at;
  }
  void attributes(std::span<const Attribute> attributes) noexcept {
    count_ += attributes.size();
    if (!has_room(attributes.size() * kWordItem)) return;
    std::size_t spare = room() - attributes.size() * kWordItem;
    for (const Attribute& attribute : attributes) {
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      if ((filter_ & bit) != 0) [[unlikely]]
        fits_ &= !repeats(attribute.key);
      filter_ |= bit;
      if (attribute.key.is_literal() && attribute.value.is_word()) {
        word(ItemTag::attribute, attribute.key, attribute.value);
      } else if (!value(ItemTag::attribute, attribute, spare)) {
        return;
      }
    }
  }
  // Of all lists so far.
  std::size_t attribute_count() const noexcept { return count_; }
  void event(const WholeEvent& event) noexcept {
    const EventHead head{ns_of(event.at), 0, static_cast<std::uint32_t>(event.attributes.size())};
    if (char* to = item(ItemTag::event, ValueType::string, event.name, sizeof head)) {
      std::memcpy(to, &head, sizeof head);
    }
    // Keys that may be equal are rare in events, and looked at by the long way.
    std::uint64_t filter = 0;
    for (const Attribute& attribute : event.attributes) {
      if (!has_room(kWordItem)) return;
      std::size_t spare = room() - kWordItem;
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      fits_ &= (filter & bit) == 0;
      filter |= bit;
      if (!value(ItemTag::event_attribute, attribute, spare)) return;
    }
    fits_ &= event.attributes.size() <= limits_.event_attributes_max;
  }
  void link(const Link& link) noexcept {
    constexpr std::size_t kFront = sizeof(Item) + sizeof(LinkHead);
    fits_ &= link.context.valid() && link.attributes.empty();
    if (has_room(kFront + padded(link.tracestate.size()))) at_ += write_link(at_, link);
  }

 private:
  // A literal key and eight bytes.
  static constexpr std::size_t kWordItem =
      sizeof(Item) + sizeof(const char*) + sizeof(std::int64_t);

  std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  bool has_room(std::size_t bytes) noexcept {
    if (bytes <= room()) [[likely]]
      return true;
    fits_ = false;
    return false;
  }
  // Where the value goes; null where there is no room.
  char* item(ItemTag tag, ValueType type, Key key, std::size_t value_bytes) noexcept {
    const std::size_t bytes = item_room(key, value_bytes);
    if (!has_room(bytes)) return nullptr;
    char* to = write_item(at_, tag, type, key, value_bytes);
    at_ += bytes;
    return to;
  }
  static std::size_t item_room(Key key, std::size_t value_bytes) noexcept {
    const std::size_t key_room = key.is_literal() ? sizeof(const char*) : padded(key.size());
    return sizeof(Item) + key_room + padded(value_bytes);
  }
  void word(ItemTag tag, Key literal, const AttributeValue& value) noexcept {
    const std::int64_t word = value.word();
    std::memcpy(write_literal_item(at_, tag, value.type(), literal, sizeof word), &word,
                sizeof word);
    at_ += kWordItem;
  }
  // Takes what is beyond a word from `spare`; false, and it does not fit, for what is too much and
  // for arrays.
  bool value(ItemTag tag, const Attribute& attribute, std::size_t& spare) noexcept {
    const AttributeValue& value = attribute.value;
    const bool text = value.type() == ValueType::string;
    const std::size_t size = text                                 ? value.size()
                             : value.type() == ValueType::boolean ? 1
                                                                  : sizeof(std::int64_t);
    const std::size_t bytes = item_room(attribute.key, size);
    const bool plain = text || value.is_word() || value.type() == ValueType::boolean;
    if (!plain || attribute.key.empty() || bytes > spare + kWordItem ||
        (text && size > limits_.value_chars_max)) {
      fits_ = false;
      return false;
    }
    if (bytes > kWordItem) spare -= bytes - kWordItem;
    char* to = write_item(at_, tag, value.type(), attribute.key, size);
    at_ += bytes;
    if (text) {
      copy_text(to, value.text().data(), size);
    } else if (value.type() == ValueType::boolean) {
      *to = value.boolean() ? 1 : 0;
    } else {
      const std::int64_t word = value.word();
      std::memcpy(to, &word, sizeof word);
    }
    return true;
  }
  // Whether an attribute of that key has been written.
  bool repeats(Key key) const noexcept {
    for (const std::byte* at = begin_; at != at_;) {
      const Item& item = *reinterpret_cast<const Item*>(at);
      if (item.tag == ItemTag::attribute && key_of(item) == key.view()) return true;
      at += room_of(item);
    }
    return false;
  }

  const SpanLimits& limits_;
  std::byte* const begin_;
  std::byte* at_;
  std::byte* const end_;
  std::uint64_t filter_ = 0;
  std::size_t count_ = 0;
  bool fits_ = true;
};

}  // namespace spanwire::trace::detail
