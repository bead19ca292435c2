// Items of spans straight into the ring: each part is looked at as it is written, and what wants a
// closer look is given up.  For what nearly all whole spans are; the others go through the slab,
// whose records can grow.  Where keys may be equal, the export thread looks: repeats.hpp.
//
// Each function writes at `at` and returns where the next item goes; null, and what was written is
// of no use, for what does not fit before `end` or into the limits.  What is rare is kept out of
// line, so that the rest stays in registers.
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

inline std::byte* direct_end(std::byte* items, const SpanLimits& limits) noexcept {
  return items + std::min(kDirectBytesMax, limits.bytes_max);
}

// An item with its key; `value` is where its value goes.
std::byte* put_any_item(std::byte* at, const std::byte* end, ItemTag tag, ValueType type, Key key,
                        std::size_t value_bytes, char*& value) noexcept;
std::byte* put_text(std::byte* at, const std::byte* end, ItemTag tag,
                    std::string_view text) noexcept;
// Any but an array.
std::byte* put_any_attribute(std::byte* at, const std::byte* end, ItemTag tag,
                             const Attribute& attribute, const SpanLimits& limits) noexcept;
std::byte* put_event(std::byte* at, const std::byte* end, const WholeEvent& event,
                     const SpanLimits& limits) noexcept;
std::byte* put_any_name(std::byte* at, const std::byte* end, Key name) noexcept;
std::byte* put_any_link(std::byte* at, const std::byte* end, const Link& link) noexcept;

inline bool fits(const std::byte* at, const std::byte* end, std::size_t bytes) noexcept {
  return bytes <= static_cast<std::size_t>(end - at);
}

// A literal key and eight bytes.
inline constexpr std::size_t kWordItem = sizeof(Item) + sizeof(const char*) + sizeof(std::int64_t);

inline std::byte* put_name(std::byte* at, const std::byte* end, Key name) noexcept {
  constexpr std::size_t kBytes = sizeof(Item) + sizeof(const char*);
  if (!name.is_literal() || name.size() > kShortNameBytes || !fits(at, end, kBytes)) [[unlikely]] {
    return put_any_name(at, end, name);
  }
  write_literal_item(at, ItemTag::name, ValueType::string, name, 0);
  return at + kBytes;
}

// Whether keys of a list may be equal, which what is written directly is not searched for.
bool may_repeat(std::span<const Attribute> attributes) noexcept;

// Sets `repeats` where that may be so.
inline std::byte* put_attributes(std::byte* at, const std::byte* end,
                                 std::span<const Attribute> attributes, const SpanLimits& limits,
                                 bool& repeats) noexcept {
  // So many are compared as they come, more of them at once.
  constexpr std::size_t kPairsMax = 4;
  if (attributes.size() > kPairsMax) repeats = repeats || may_repeat(attributes);
  for (const Attribute& attribute : attributes) {
    const Key key = attribute.key;
    if (attributes.size() <= kPairsMax) {
      for (const Attribute* other = attributes.data(); other != &attribute; ++other) {
        repeats |= key.may_equal(other->key);
      }
    }
    const AttributeValue& value = attribute.value;
    if (!key.is_literal() || !fits(at, end, kWordItem)) [[unlikely]] {
      repeats = repeats || !key.is_literal();
      at = put_any_attribute(at, end, ItemTag::attribute, attribute, limits);
      if (at == nullptr) return nullptr;
    } else if (value.is_word()) {
      const std::int64_t word = value.word();
      std::memcpy(write_literal_item(at, ItemTag::attribute, value.type(), key, sizeof word), &word,
                  sizeof word);
      at += kWordItem;
    } else if (value.type() == ValueType::string && value.size() <= limits.value_chars_max &&
               fits(at, end, kWordItem + value.size())) {
      const std::string_view text = value.text();
      copy_text(write_literal_item(at, ItemTag::attribute, ValueType::string, key, text.size()),
                text.data(), text.size());
      at += sizeof(Item) + sizeof(const char*) + padded(text.size());
    } else {
      at = put_any_attribute(at, end, ItemTag::attribute, attribute, limits);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

// A link to a span of the same trace, at `at`, which has room for it.
inline constexpr std::size_t kOwnLinkItem = sizeof(Item) + sizeof(SpanId);
inline void write_own_link(std::byte* at, const SpanId& span_id) noexcept {
  char* to = write_item(at, ItemTag::link, ValueType::string, Key(), sizeof span_id);
  std::memcpy(to, &span_id, sizeof span_id);
}

inline std::byte* put_link(std::byte* at, const std::byte* end, const Link& link,
                           const SpanContext& span) noexcept {
  const SpanContext& to = link.context;
  const bool own = to.trace_id() == span.trace_id() && to.flags() == span.flags() && !to.remote();
  if (!own || to.span_id().is_zero() || !link.attributes.empty() || !link.tracestate.empty() ||
      !fits(at, end, kOwnLinkItem)) [[unlikely]] {
    return put_any_link(at, end, link);
  }
  write_own_link(at, to.span_id());
  return at + kOwnLinkItem;
}

}  // namespace spanwire::trace::detail
