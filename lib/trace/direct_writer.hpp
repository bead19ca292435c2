// Spans straight into the ring: first measured, then written without a check.  For what nearly all
// whole spans are; the others go through the slab, whose records can grow.
#pragma once

#include <array>
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

inline constexpr std::size_t kDirectBytesMax = 4096;
// Measures a span; not fits where a limit, or a key that may repeat, wants a closer look.
class Measure {
 public:
  explicit Measure(const Core& core) noexcept : limits_(core.limits()) {}

  void text(std::string_view text) noexcept {
    if (!text.empty()) bytes_ += sizeof(Item) + padded(text.size());
  }
  void name(Key name) noexcept {
    bytes_ += key_bytes(name);
    fits_ &= name.size() <= kShortNameBytes;
  }
  void attributes(std::span<const Attribute> attributes) noexcept {
    if (attributes.empty()) return;
    fits_ &= list_count_ < lists_.size();
    if (!fits_) return;
    lists_[list_count_++] = attributes;
    for (const Attribute& attribute : attributes) {
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      if ((filter_ & bit) != 0) [[unlikely]]
        fits_ &= !repeats(attribute);
      filter_ |= bit;
      value(attribute);
    }
    attributes_ += attributes.size();
  }
  void event(const WholeEvent& event) noexcept {
    // Keys that may be equal are rare in events, and looked at by the long way.
    bytes_ += key_bytes(event.name) + sizeof(EventHead);
    std::uint64_t filter = 0;
    for (const Attribute& attribute : event.attributes) {
      const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
      fits_ &= (filter & bit) == 0;
      filter |= bit;
      value(attribute);
    }
    fits_ &= event.attributes.size() <= limits_.event_attributes_max;
  }
  void link(const Link& link) noexcept {
    bytes_ += key_bytes(Key()) + sizeof(LinkHead) + padded(link.tracestate.size());
    fits_ &= link.context.valid() && link.attributes.empty();
  }
  // Whether the parts so far may be written without a closer look.
  bool fits_so_far() const noexcept {
    return fits_ && bytes_ <= kDirectBytesMax && bytes_ <= limits_.bytes_max &&
           attributes_ <= limits_.attributes_max;
  }
  bool fits(const WholeSpan& span) const noexcept {
    return fits_so_far() && span.events.size() <= limits_.events_max &&
           span.links.size() <= (span.batch ? limits_.batch_links_max : limits_.links_max) &&
           span.status_message.size() <= limits_.value_chars_max;
  }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t key_bytes(Key key) noexcept {
    return sizeof(Item) + (key.is_literal() ? sizeof(const char*) : padded(key.size()));
  }
  // Whether the key stands before it in this list or in an earlier one.
  bool repeats(const Attribute& attribute) const noexcept {
    for (std::size_t i = 0; i < list_count_; ++i) {
      for (const Attribute& other : lists_[i]) {
        if (&other == &attribute) return false;
        if (other.key.view() == attribute.key.view()) return true;
      }
    }
    return false;
  }
  void value(const Attribute& attribute) noexcept {
    const AttributeValue& value = attribute.value;
    std::size_t size = sizeof(std::int64_t);
    switch (value.type()) {
      case ValueType::string:
        size = padded(value.size());
        fits_ &= value.size() <= limits_.value_chars_max;
        break;
      case ValueType::boolean:
      case ValueType::int64:
      case ValueType::real:
        break;
      default:
        fits_ = false;
    }
    bytes_ += key_bytes(attribute.key) + size;
    fits_ &= !attribute.key.empty();
  }

  const SpanLimits& limits_;
  std::size_t bytes_ = 0;
  std::size_t attributes_ = 0;
  std::uint64_t filter_ = 0;
  bool fits_ = true;
  std::size_t list_count_ = 0;
  std::array<std::span<const Attribute>, 8> lists_;
};

// Writes what was measured; no check is left.
class DirectWriter {
 public:
  explicit DirectWriter(std::byte* items) noexcept : begin_(items), at_(items) {}

  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(at_ - begin_); }
  std::uint32_t text(ItemTag tag, std::string_view text) noexcept {
    if (text.empty()) return kNoItem;
    const std::uint32_t at = offset();
    copy_text(item(tag, ValueType::string, Key(), text.size()), text.data(), text.size());
    return at;
  }
  void name(Key name) noexcept { item(ItemTag::name, ValueType::string, name, 0); }
  void attributes(ItemTag tag, std::span<const Attribute> attributes) noexcept {
    for (const Attribute& attribute : attributes) {
      const AttributeValue& value = attribute.value;
      if (value.type() == ValueType::string) {
        copy_text(item(tag, ValueType::string, attribute.key, value.size()), value.text().data(),
                  value.size());
      } else if (value.type() == ValueType::boolean) {
        *item(tag, ValueType::boolean, attribute.key, 1) = value.boolean() ? 1 : 0;
      } else {
        const std::int64_t word = value.word();
        std::memcpy(item(tag, value.type(), attribute.key, sizeof word), &word, sizeof word);
      }
    }
  }
  void event(const WholeEvent& event) noexcept {
    const EventHead head{ns_of(event.at), 0, static_cast<std::uint32_t>(event.attributes.size())};
    std::memcpy(item(ItemTag::event, ValueType::string, event.name, sizeof head), &head,
                sizeof head);
    attributes(ItemTag::event_attribute, event.attributes);
  }
  void link(const Link& link) noexcept {
    const LinkHead head{link.context, 0, 0};
    char* to = item(ItemTag::link, ValueType::string, Key(), sizeof head + link.tracestate.size());
    std::memcpy(to, &head, sizeof head);
    copy_text(to + sizeof head, link.tracestate.data(), link.tracestate.size());
  }

 private:
  char* item(ItemTag tag, ValueType type, Key key, std::size_t value_bytes) noexcept {
    char* value = write_item(at_, tag, type, key, value_bytes);
    at_ += room_of(*reinterpret_cast<const Item*>(at_));
    return value;
  }

  std::byte* const begin_;
  std::byte* at_;
};

}  // namespace spanwire::trace::detail
