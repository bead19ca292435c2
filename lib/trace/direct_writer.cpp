#include "lib/trace/direct_writer.hpp"

namespace spanwire::trace::detail {

std::byte* put_any_item(std::byte* at, const std::byte* end, ItemTag tag, ValueType type, Key key,
                        std::size_t value_bytes, char*& value) noexcept {
  const std::size_t key_room = key.is_literal() ? sizeof(const char*) : padded(key.size());
  const std::size_t bytes = sizeof(Item) + key_room + padded(value_bytes);
  if (!fits(at, end, bytes)) return nullptr;
  value = write_item(at, tag, type, key, value_bytes);
  return at + bytes;
}

std::byte* put_text(std::byte* at, const std::byte* end, ItemTag tag,
                    std::string_view text) noexcept {
  char* to = nullptr;
  std::byte* next = put_any_item(at, end, tag, ValueType::string, Key(), text.size(), to);
  if (next != nullptr) copy_text(to, text.data(), text.size());
  return next;
}

std::byte* put_any_attribute(std::byte* at, const std::byte* end, ItemTag tag,
                             const Attribute& attribute, const SpanLimits& limits) noexcept {
  const AttributeValue& value = attribute.value;
  const bool text = value.type() == ValueType::string;
  const bool boolean = value.type() == ValueType::boolean;
  if (attribute.key.empty() || !(text || boolean || value.is_word()) ||
      (text && value.size() > limits.value_chars_max)) {
    return nullptr;
  }
  const std::size_t size = text ? value.size() : boolean ? 1 : sizeof(std::int64_t);
  char* to = nullptr;
  std::byte* next = put_any_item(at, end, tag, value.type(), attribute.key, size, to);
  if (next == nullptr) return nullptr;
  if (text) {
    copy_text(to, value.text().data(), size);
  } else if (boolean) {
    *to = value.boolean() ? 1 : 0;
  } else {
    const std::int64_t word = value.word();
    std::memcpy(to, &word, sizeof word);
  }
  return next;
}

std::byte* put_event(std::byte* at, const std::byte* end, const WholeEvent& event,
                     const SpanLimits& limits) noexcept {
  if (event.attributes.size() > limits.event_attributes_max) return nullptr;
  const EventHead head{ns_of(event.at), 0, static_cast<std::uint32_t>(event.attributes.size())};
  char* to = nullptr;
  at = put_any_item(at, end, ItemTag::event, ValueType::string, event.name, sizeof head, to);
  if (at == nullptr) return nullptr;
  std::memcpy(to, &head, sizeof head);
  // Keys that may be equal are rare in events, and looked at by the long way.
  std::uint64_t filter = 0;
  for (const Attribute& attribute : event.attributes) {
    const std::uint64_t bit = std::uint64_t{1} << attribute.key.filter();
    if ((filter & bit) != 0) return nullptr;
    filter |= bit;
    at = put_any_attribute(at, end, ItemTag::event_attribute, attribute, limits);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::byte* put_any_attributes(std::byte* at, const std::byte* end,
                              std::span<const Attribute> attributes, const SpanLimits& limits,
                              std::uint8_t& repeats) noexcept {
  for (const Attribute& attribute : attributes) {
    if (!attribute.key.is_literal()) repeats = 1;
    at = put_any_attribute(at, end, ItemTag::attribute, attribute, limits);
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool many_may_repeat(std::span<const Attribute> attributes) noexcept {
  std::uint64_t seen = 0;
  for (const Attribute& attribute : attributes) {
    const std::uint64_t bit = std::uint64_t{1} << attribute.key.literal_filter();
    if ((seen & bit) != 0) return true;
    seen |= bit;
  }
  return false;
}

std::byte* put_any_name(std::byte* at, const std::byte* end, Key name) noexcept {
  char* none = nullptr;
  if (name.size() > kShortNameBytes) return nullptr;
  return put_any_item(at, end, ItemTag::name, ValueType::string, name, 0, none);
}

std::byte* put_any_link(std::byte* at, const std::byte* end, const Link& link) noexcept {
  if (!link.context.valid() || !link.attributes.empty()) return nullptr;
  const LinkHead head{link.context, 0, 0};
  char* to = nullptr;
  std::byte* next = put_any_item(at, end, ItemTag::link, ValueType::string, Key(),
                                 sizeof head + link.tracestate.size(), to);
  if (next == nullptr) return nullptr;
  std::memcpy(to, &head, sizeof head);
  copy_text(to + sizeof head, link.tracestate.data(), link.tracestate.size());
  return next;
}

}  // namespace spanwire::trace::detail
