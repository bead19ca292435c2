#include "spanwire/otlp/encode_protobuf.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <variant>

#include "lib/otlp/otlp_fields.hpp"
#include "lib/otlp/protobuf_buffer.hpp"
#include "lib/otlp/protobuf_cursor.hpp"
#include "lib/otlp/utf8_text.hpp"

namespace spanwire::otlp {
namespace {

using trace::AttributeView;
using trace::SpanRecordView;
using trace::ValueType;
using Writer = ProtobufWriter;

std::uint64_t ns_of(WallTime time) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0));
}

template <std::size_t Size>
std::string_view text_of_id(const trace::Id<Size>& id) noexcept {
  return {reinterpret_cast<const char*>(id.bytes().data()), Size};
}

void add_text(Writer& out, field::Tag tag, std::string_view text) {
  out.add_string(tag, text.data(), text.size());
}

void add_text(ProtobufBuffer& out, field::Tag tag, std::string_view text) {
  ProtobufCursor(out, ProtobufCursor::kFieldMax + text.size()).text(tag, text);
}

void add_count(ProtobufBuffer& out, field::Tag tag, std::uint32_t count) {
  if (count != 0) ProtobufCursor(out, ProtobufCursor::kFieldMax).number(tag, count);
}

void add_array_value(Writer& array, const AttributeView& value, std::size_t index) {
  Writer element(array, field::kArrayValues);
  if (value.type() == ValueType::boolean_array) {
    element.add_bool(field::kValueBool, value.boolean_at(index));
  } else if (value.type() == ValueType::int64_array) {
    element.add_int64(field::kValueInt, value.int64_at(index));
  } else {
    element.add_double(field::kValueDouble, value.real_at(index));
  }
}

// protozero takes an empty message back; an array without elements is a value all the same.
void add_array(Writer& out, const AttributeView& value, std::string& scratch) {
  const bool texts = value.type() == ValueType::string_array;
  const bool empty = texts ? value.strings().begin() == value.strings().end() : value.size() == 0;
  if (empty) return out.add_bytes(field::kValueArray, "", 0);
  Writer array(out, field::kValueArray);
  if (texts) {
    for (const std::string_view text : value.strings()) {
      Writer element(array, field::kArrayValues);
      add_text(element, field::kValueString, as_utf8(text, scratch));
    }
    return;
  }
  for (std::size_t i = 0; i < value.size(); ++i) add_array_value(array, value, i);
}

// A KeyValue up to what its AnyValue, of `bytes`, consists of.
class ValueCursor : public ProtobufCursor {
 public:
  ValueCursor(ProtobufBuffer& out, field::Tag tag, std::string_view key, std::size_t bytes)
      : ProtobufCursor(out, 4 * kFieldMax + key.size() + bytes) {
    if (key.size() + bytes <= kShortMax) [[likely]] {
      short_message(tag, 4 + key.size() + bytes);
      short_text(field::kKeyValueKey, key);
      short_message(field::kKeyValueValue, bytes);
    } else {
      message(tag, field_bytes(key.size()) + field_bytes(bytes));
      text(field::kKeyValueKey, key);
      message(field::kKeyValueValue, bytes);
    }
  }

 private:
  // Of key and value, so that all lengths take one byte.
  static constexpr std::size_t kShortMax = 0x7F - 4;
};

void add_text_value(ProtobufBuffer& out, field::Tag tag, std::string_view key,
                    std::string_view text) {
  ValueCursor(out, tag, key, field_bytes(text.size())).text(field::kValueString, text);
}

void add_boolean_value(ProtobufBuffer& out, field::Tag tag, std::string_view key, bool boolean) {
  ValueCursor(out, tag, key, 2).number(field::kValueBool, boolean ? 1 : 0);
}

void add_int64_value(ProtobufBuffer& out, field::Tag tag, std::string_view key,
                     std::int64_t number) {
  const auto word = static_cast<std::uint64_t>(number);
  const auto bytes = static_cast<std::size_t>(protozero::length_of_varint(word));
  ValueCursor(out, tag, key, 1 + bytes).number(field::kValueInt, word);
}

void add_real_value(ProtobufBuffer& out, field::Tag tag, std::string_view key, double real) {
  ValueCursor(out, tag, key, 1 + sizeof real)
      .fixed64(field::kValueDouble, std::bit_cast<std::uint64_t>(real));
}

struct Scratch {
  // The two texts of a KeyValue may both have to be repaired.
  std::string& key;
  std::string value;
  // How many bytes the lengths of the last ones took.
  std::size_t span_length = 2;
  std::size_t event_length = 1;
  std::size_t link_length = 1;
  std::size_t status_length = 1;
};

void add_array_attribute(ProtobufBuffer& out, field::Tag tag, std::string_view key,
                         const AttributeView& attribute, Scratch& scratch) {
  Writer around(out);
  Writer pair(around, tag);
  add_text(pair, field::kKeyValueKey, key);
  Writer value(pair, field::kKeyValueValue);
  add_array(value, attribute, scratch.value);
}

[[gnu::always_inline]] inline void add_attribute_here(ProtobufBuffer& out, field::Tag tag,
                                                      const AttributeView& attribute,
                                                      Scratch& scratch) {
  const std::string_view key = as_utf8(attribute.key(), attribute.key_is_literal(), scratch.key);
  switch (attribute.type()) {
    case ValueType::string:
      return add_text_value(out, tag, key, as_utf8(attribute.text(), scratch.value));
    case ValueType::boolean:
      return add_boolean_value(out, tag, key, attribute.boolean());
    case ValueType::int64:
      return add_int64_value(out, tag, key, attribute.int64());
    case ValueType::real:
      return add_real_value(out, tag, key, attribute.real());
    case ValueType::string_array:
    case ValueType::boolean_array:
    case ValueType::int64_array:
    case ValueType::real_array:
      return add_array_attribute(out, tag, key, attribute, scratch);
  }
}

// Of events and links.
void add_attribute(ProtobufBuffer& out, field::Tag tag, const AttributeView& attribute,
                   Scratch& scratch) {
  add_attribute_here(out, tag, attribute, scratch);
}

// Most events are no more than this, and their size is known beforehand.
void add_bare_event(ProtobufBuffer& out, const trace::EventView& event, std::string_view name) {
  ProtobufCursor cursor(out, 3 * ProtobufCursor::kFieldMax + name.size());
  cursor.message(field::kSpanEvents, 1 + sizeof(std::uint64_t) + field_bytes(name.size()));
  cursor.fixed64(field::kEventTime, ns_of(event.time()));
  cursor.text(field::kEventName, name);
}

void add_event(ProtobufBuffer& out, const trace::EventView& event, Scratch& scratch) {
  const std::string_view name = as_utf8(event.name(), event.name_is_literal(), scratch.key);
  if (event.attribute_count() == 0 && event.dropped_attributes() == 0) {
    return add_bare_event(out, event, name);
  }
  const ProtobufMessage message(out, field::kSpanEvents, scratch.event_length);
  {
    ProtobufCursor cursor(out, 2 * ProtobufCursor::kFieldMax + name.size());
    cursor.fixed64(field::kEventTime, ns_of(event.time()));
    cursor.text(field::kEventName, name);
  }
  for (const AttributeView attribute : event.attributes()) {
    add_attribute(out, field::kEventAttributes, attribute, scratch);
  }
  add_count(out, field::kEventDroppedAttributes, event.dropped_attributes());
}

void add_link(ProtobufBuffer& out, const trace::LinkView& link, Scratch& scratch) {
  const ProtobufMessage message(out, field::kSpanLinks, scratch.link_length);
  const std::string_view tracestate = link.tracestate();
  {
    ProtobufCursor cursor(out, 5 * ProtobufCursor::kFieldMax + tracestate.size());
    cursor.text(field::kLinkTraceId, text_of_id(link.context().trace_id()));
    cursor.text(field::kLinkSpanId, text_of_id(link.context().span_id()));
    if (!tracestate.empty()) cursor.text(field::kLinkTraceState, tracestate);
  }
  for (const AttributeView attribute : link.attributes()) {
    add_attribute(out, field::kLinkAttributes, attribute, scratch);
  }
  add_count(out, field::kLinkDroppedAttributes, link.dropped_attributes());
  ProtobufCursor(out, ProtobufCursor::kFieldMax).fixed32(field::kLinkFlags, link.otlp_flags());
}

void add_status(ProtobufBuffer& out, const SpanRecordView& span, Scratch& scratch) {
  if (span.status() == trace::StatusCode::unset) return;
  const ProtobufMessage message(out, field::kSpanStatus, scratch.status_length);
  if (!span.status_message().empty()) {
    add_text(out, field::kStatusMessage, as_utf8(span.status_message(), scratch.value));
  }
  ProtobufCursor(out, ProtobufCursor::kFieldMax)
      .number(field::kStatusCode, static_cast<std::uint64_t>(span.status()));
}

// Up to its times.
void add_head(ProtobufBuffer& out, const SpanRecordView& span, std::string_view name) {
  const std::string_view tracestate = span.tracestate();
  ProtobufCursor cursor(out, 10 * ProtobufCursor::kFieldMax + tracestate.size() + name.size());
  cursor.text(field::kSpanTraceId, text_of_id(span.trace_id()));
  cursor.text(field::kSpanSpanId, text_of_id(span.span_id()));
  if (!tracestate.empty()) cursor.text(field::kSpanTraceState, tracestate);
  if (!span.parent_span_id().is_zero()) {
    cursor.text(field::kSpanParentSpanId, text_of_id(span.parent_span_id()));
  }
  cursor.text(field::kSpanName, name);
  cursor.number(field::kSpanKind, static_cast<std::uint64_t>(span.kind()));
  cursor.fixed64(field::kSpanStart, ns_of(span.start()));
  cursor.fixed64(field::kSpanEnd, ns_of(span.end()));
}

void add_span(ProtobufBuffer& out, const SpanRecordView& span, Scratch& scratch) {
  const ProtobufMessage message(out, field::kScopeSpansSpans, scratch.span_length);
  add_head(out, span, as_utf8(span.name(), scratch.key));
  if (span.attribute_count() != 0) {
    for (const AttributeView attribute : span.attributes()) {
      add_attribute_here(out, field::kSpanAttributes, attribute, scratch);
    }
  }
  add_count(out, field::kSpanDroppedAttributes, span.dropped_attributes());
  if (span.event_count() != 0) {
    for (const trace::EventView event : span.events()) add_event(out, event, scratch);
  }
  add_count(out, field::kSpanDroppedEvents, span.dropped_events());
  if (span.link_count() != 0) {
    for (const trace::LinkView link : span.links()) add_link(out, link, scratch);
  }
  add_count(out, field::kSpanDroppedLinks, span.dropped_links());
  add_status(out, span, scratch);
  ProtobufCursor(out, ProtobufCursor::kFieldMax).fixed32(field::kSpanFlags, span.otlp_flags());
}

void add_resource_value(ProtobufBuffer& out, const std::string& key,
                        const trace::ResourceValue& value) {
  std::string scratch[2];
  const std::string_view name = as_utf8(key, scratch[0]);
  constexpr field::Tag kTag = field::kResourceAttributes;
  std::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          add_text_value(out, kTag, name, as_utf8(held, scratch[1]));
        }
        if constexpr (std::is_same_v<Held, bool>) add_boolean_value(out, kTag, name, held);
        if constexpr (std::is_same_v<Held, std::int64_t>) add_int64_value(out, kTag, name, held);
        if constexpr (std::is_same_v<Held, double>) add_real_value(out, kTag, name, held);
      },
      value);
}

std::string bytes_of_resource(const trace::Resource& resource) {
  Buffer buffer;
  ProtobufBuffer bytes(buffer);
  for (const auto& [key, value] : resource.attributes()) add_resource_value(bytes, key, value);
  bytes.finish();
  return std::string(text_of(buffer.view()));
}

std::string message_of_scope(const trace::Scope& scope) {
  std::string scratch;
  Buffer buffer;
  ProtobufBuffer bytes(buffer);
  add_text(bytes, field::kScopeName, as_utf8(scope.name, scratch));
  if (!scope.version.empty()) {
    add_text(bytes, field::kScopeVersion, as_utf8(scope.version, scratch));
  }
  bytes.finish();
  return std::string(text_of(buffer.view()));
}

}  // namespace

ProtobufEncoder::ProtobufEncoder(const trace::Resource& resource)
    : resource_(bytes_of_resource(resource)) {}

const ProtobufEncoder::ScopeBytes& ProtobufEncoder::bytes_of_scope(const trace::Scope& scope) {
  for (const ScopeBytes& known : scopes_) {
    if (known.scope == &scope) return known;
  }
  return scopes_.emplace_back(ScopeBytes{&scope, message_of_scope(scope)});
}

void ProtobufEncoder::encode(std::span<const SpanRecordView> spans, Buffer& out) {
  if (spans.empty()) return;
  in_batch_.clear();
  for (const SpanRecordView& span : spans) {
    const bool known = !in_batch_.empty() && in_batch_.back() == &span.scope();
    if (known || std::find(in_batch_.begin(), in_batch_.end(), &span.scope()) != in_batch_.end()) {
      continue;
    }
    in_batch_.push_back(&span.scope());
  }
  Scratch scratch{scratch_, {}};
  ProtobufBuffer bytes(out);
  {
    const ProtobufMessage resource_spans(bytes, field::kRequestResourceSpans, resource_length_);
    add_text(bytes, field::kResourceSpansResource, resource_);
    for (const trace::Scope* scope : in_batch_) {
      const ProtobufMessage scope_spans(bytes, field::kResourceSpansScopeSpans, scope_length_);
      add_text(bytes, field::kScopeSpansScope, bytes_of_scope(*scope).bytes);
      for (const SpanRecordView& span : spans) {
        if (&span.scope() == scope) add_span(bytes, span, scratch);
      }
      if (!scope->schema_url.empty()) {
        add_text(bytes, field::kScopeSpansSchemaUrl, as_utf8(scope->schema_url, scratch.key));
      }
    }
  }
  bytes.finish();
}

}  // namespace spanwire::otlp
