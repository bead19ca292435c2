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

// With limits below that, spans are not written directly.
inline bool may_write_directly(const SpanLimits& limits) noexcept {
  return limits.bytes_max >= kDirectBytesMax;
}
inline std::byte* direct_end(std::byte* items) noexcept { return items + kDirectBytesMax; }

// What headers of whole spans have in common.  In its place in the ring: a header that is put
// together elsewhere, field by field, and then copied in larger pieces keeps the core waiting for
// each of its stores.
[[gnu::always_inline]] inline void write_header(RecordHeader& header, const SpanContext& trace,
                                                SpanId id, SpanId parent, const Scope& scope,
                                                std::int64_t start_ns,
                                                std::int64_t end_ns) noexcept {
  header.entry_type = EntryType::record;
  header.flags = trace.flags();
  header.trace_id = trace.trace_id();
  header.span_id = id;
  header.parent_span_id = parent;
  header.start_ns = start_ns;
  header.end_ns = end_ns;
  header.scope = &scope;
  header.name_at = 0;
  header.tracestate_at = header.status_at = kNoItem;
  header.may_repeat = 0;
  header.dropped_attributes = header.dropped_events = header.dropped_links = 0;
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

// A literal key and a number, or a text that is short.
inline constexpr std::size_t kUsualItem = sizeof(Item) + sizeof(const char*) + kShortTextBytes;
// Of one that is not, null.  There is room for kUsualItem.
inline std::byte* put_usual_attribute(std::byte* at, const Attribute& attribute,
                                      std::size_t text_max) noexcept {
  const Key key = attribute.key;
  const AttributeValue& value = attribute.value;
  if (!key.is_literal()) return nullptr;
  if (value.is_word()) [[likely]] {
    const std::int64_t word = value.word();
    std::memcpy(write_literal_item(at, ItemTag::attribute, value.type(), key, sizeof word), &word,
                sizeof word);
    return at + kWordItem;
  }
  const std::size_t size = value.size();
  if (value.type() != ValueType::string || size > text_max) return nullptr;
  copy_short_text(write_literal_item(at, ItemTag::attribute, ValueType::string, key, size),
                  value.text().data(), size);
  return at + sizeof(Item) + sizeof(const char*) + padded(size);
}

// Whatever the attributes are; `repeats` as below.
std::byte* put_any_attributes(std::byte* at, const std::byte* end,
                              std::span<const Attribute> attributes, const SpanLimits& limits,
                              std::uint8_t& repeats) noexcept;

// Whether literal keys may be equal, which what is written directly is not searched for.  Of others
// put_any_attributes() takes it for granted.
bool many_may_repeat(std::span<const Attribute> attributes) noexcept;
inline bool may_repeat(std::span<const Attribute> attributes) noexcept {
  const auto equal = [&](std::size_t one, std::size_t other) {
    return attributes[one].key.may_equal(attributes[other].key);
  };
  const std::size_t size = attributes.size();
  if (size < 2) return false;
  if (size > 4) return many_may_repeat(attributes);
  if (equal(0, 1)) return true;
  if (size > 2 && (equal(0, 2) || equal(1, 2))) return true;
  return size > 3 && (equal(0, 3) || equal(1, 3) || equal(2, 3));
}

// Sets `repeats` to 1 where keys may be equal.  There is room for them if all of them are usual.
inline std::byte* put_few_attributes(std::byte* at, const std::byte* end,
                                     std::span<const Attribute> attributes, const Core& core,
                                     std::uint8_t& repeats) noexcept {
  if (may_repeat(attributes)) repeats = 1;
  const std::size_t text_max = core.short_text_max();
  for (const Attribute& attribute : attributes) {
    std::byte* const next = put_usual_attribute(at, attribute, text_max);
    if (next == nullptr) [[unlikely]] {
      const std::span rest(&attribute, attributes.data() + attributes.size());
      return put_any_attributes(at, end, rest, core.limits(), repeats);
    }
    at = next;
  }
  return at;
}
inline std::byte* put_attributes(std::byte* at, const std::byte* end,
                                 std::span<const Attribute> attributes, const Core& core,
                                 std::uint8_t& repeats) noexcept {
  if (fits(at, end, attributes.size() * kUsualItem)) [[likely]]
    return put_few_attributes(at, end, attributes, core, repeats);
  if (may_repeat(attributes)) repeats = 1;
  return put_any_attributes(at, end, attributes, core.limits(), repeats);
}

// A link to a span of the same trace, at `at`, which has room for it.
inline constexpr std::size_t kOwnLinkItem = sizeof(Item) + sizeof(SpanId);
inline void write_own_link(std::byte* at, SpanId span_id) noexcept {
  *reinterpret_cast<Item*>(at) = {ItemTag::link, 0, 0, kOwnLinkItem};
  std::memcpy(at + sizeof(Item), &span_id, sizeof span_id);
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
