// The floor of otlp/encode_json: the spans of span_by_hand.hpp as OTLP JSON, as somebody would
// write it who needs exactly this.  One growing array of characters, texts copied character by
// character with a look for what must be escaped, resource and scope as ready text.  No UTF-8
// check, no arrays, no links, no dropped counts.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/floor/span_by_hand.hpp"

namespace spanwire::floor {

class JsonText {
 public:
  explicit JsonText(std::size_t capacity) : text_(capacity, '\0'), at_(text_.data()) {}

  void clear() noexcept { at_ = text_.data(); }
  std::string_view view() const noexcept {
    return {text_.data(), static_cast<std::size_t>(at_ - text_.data())};
  }
  // Enough for one span; the caller asks before each.
  void make_room(std::size_t bytes) {
    const auto used = static_cast<std::size_t>(at_ - text_.data());
    if (text_.size() - used >= bytes) return;
    text_.resize(text_.size() * 2 + bytes);
    at_ = text_.data() + used;
  }
  void raw(std::string_view text) noexcept {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  template <class Number>
  void number(Number value) noexcept {
    at_ = std::to_chars(at_, at_ + 32, value).ptr;
  }
  void hex(const void* bytes, std::size_t count) noexcept {
    static constexpr char kDigits[] = "0123456789abcdef";
    const auto* from = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < count; ++i) {
      *at_++ = kDigits[from[i] >> 4];
      *at_++ = kDigits[from[i] & 15];
    }
  }
  void string(std::string_view text) noexcept {
    *at_++ = '"';
    bool clean = true;
    for (const char c : text) {
      clean &= static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    }
    clean ? raw(text) : escaped(text);
    *at_++ = '"';
  }

 private:
  void escaped(std::string_view text) noexcept {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20) {
        raw("\\u00");
        hex(&byte, 1);
        continue;
      }
      if (c == '"' || c == '\\') *at_++ = '\\';
      *at_++ = c;
    }
  }

  std::string text_;
  char* at_;
};

inline void write_attribute(JsonText& out, const Attribute& attribute) noexcept {
  out.raw("{\"key\":");
  out.string(attribute.key);
  switch (attribute.type) {
    case Attribute::Type::text:
      out.raw(",\"value\":{\"stringValue\":");
      out.string({attribute.text, attribute.text_bytes});
      break;
    case Attribute::Type::integer:
      out.raw(",\"value\":{\"intValue\":\"");
      out.number(attribute.integer);
      out.raw("\"");
      break;
    case Attribute::Type::real:
      out.raw(",\"value\":{\"doubleValue\":");
      out.number(attribute.real);
      break;
  }
  out.raw("}}");
}

inline void write_span(JsonText& out, const Span& span) noexcept {
  out.raw("{\"traceId\":\"");
  out.hex(span.trace_id.data(), 16);
  out.raw("\",\"spanId\":\"");
  out.hex(&span.span_id, 8);
  out.raw("\",\"parentSpanId\":\"");
  out.hex(&span.parent_id, 8);
  out.raw("\",\"flags\":");
  out.number(std::uint64_t{span.flags} | 0x300u);
  out.raw(",\"name\":");
  out.string({span.name, span.name_bytes});
  out.raw(",\"kind\":");
  out.number(std::uint64_t{span.kind});
  out.raw(",\"startTimeUnixNano\":\"");
  out.number(span.start_ns);
  out.raw("\",\"endTimeUnixNano\":\"");
  out.number(span.end_ns);
  out.raw("\",\"attributes\":[");
  for (std::size_t i = 0; i < span.attribute_count; ++i) {
    if (i != 0) out.raw(",");
    write_attribute(out, span.attributes[i]);
  }
  out.raw("],\"events\":[");
  for (std::size_t i = 0; i < span.event_count; ++i) {
    if (i != 0) out.raw(",");
    out.raw("{\"timeUnixNano\":\"");
    out.number(span.events[i].time_ns);
    out.raw("\",\"name\":");
    out.string(span.events[i].name);
    out.raw("}");
  }
  out.raw("]}");
}

// A batch: `head` up to the spans, `tail` behind them.
template <class Spans>
void write_batch(JsonText& out, const Spans& spans, std::string_view head, std::string_view tail) {
  out.make_room(head.size() + tail.size());
  out.raw(head);
  bool first = true;
  for (const Span& span : spans) {
    out.make_room(4096);
    if (!first) out.raw(",");
    first = false;
    write_span(out, span);
  }
  out.raw(tail);
}

}  // namespace spanwire::floor
