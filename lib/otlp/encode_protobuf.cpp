#include "spanwire/otlp/encode_protobuf.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "lib/otlp/otlp_fields.hpp"
#include "lib/otlp/protobuf_buffer.hpp"
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
void add_id(Writer& out, field::Tag tag, const trace::Id<Size>& id) {
  out.add_bytes(tag, reinterpret_cast<const char*>(id.bytes().data()), Size);
}

void add_text(Writer& out, field::Tag tag, std::string_view text) {
  out.add_string(tag, text.data(), text.size());
}

void add_count(Writer& out, field::Tag tag, std::uint32_t count) {
  if (count != 0) out.add_uint32(tag, count);
}

// Bytes of a field with a tag below 16 whose content takes `bytes`.
std::size_t field_bytes(std::size_t bytes) noexcept {
  return 1 + static_cast<std::size_t>(protozero::length_of_varint(bytes)) + bytes;
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

// Begins a message of a size that is known: nothing has to be moved at its end.
Writer begin_message(ProtobufBuffer& out, field::Tag tag, std::size_t bytes) {
  protozero::add_varint_to_buffer(
      &out, tag << 3 | static_cast<unsigned>(protozero::pbf_wire_type::length_delimited));
  protozero::add_varint_to_buffer(&out, bytes);
  return Writer(out);
}

// A KeyValue up to its AnyValue, which takes `bytes`.
Writer begin_value(ProtobufBuffer& out, field::Tag tag, std::string_view key, std::size_t bytes) {
  Writer pair = begin_message(out, tag, field_bytes(key.size()) + field_bytes(bytes));
  add_text(pair, field::kKeyValueKey, key);
  return begin_message(out, field::kKeyValueValue, bytes);
}

void add_text_value(ProtobufBuffer& out, field::Tag tag, std::string_view key,
                    std::string_view text) {
  Writer value = begin_value(out, tag, key, field_bytes(text.size()));
  add_text(value, field::kValueString, text);
}

void add_boolean_value(ProtobufBuffer& out, field::Tag tag, std::string_view key, bool boolean) {
  begin_value(out, tag, key, 2).add_bool(field::kValueBool, boolean);
}

void add_int64_value(ProtobufBuffer& out, field::Tag tag, std::string_view key,
                     std::int64_t number) {
  const int digits = protozero::length_of_varint(static_cast<std::uint64_t>(number));
  begin_value(out, tag, key, 1 + static_cast<std::size_t>(digits))
      .add_int64(field::kValueInt, number);
}

void add_real_value(ProtobufBuffer& out, field::Tag tag, std::string_view key, double real) {
  begin_value(out, tag, key, 1 + sizeof real).add_double(field::kValueDouble, real);
}

// The two texts of a KeyValue may both have to be repaired.
struct Scratch {
  std::string& key;
  std::string value;
};

void add_attribute(ProtobufBuffer& out, field::Tag tag, const AttributeView& attribute,
                   Scratch& scratch) {
  const std::string_view key = as_utf8(attribute.key(), scratch.key);
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
      break;
  }
  Writer around(out);
  Writer pair(around, tag);
  add_text(pair, field::kKeyValueKey, key);
  Writer value(pair, field::kKeyValueValue);
  add_array(value, attribute, scratch.value);
}

void add_event(ProtobufBuffer& out, const trace::EventView& event, Scratch& scratch) {
  Writer span(out);
  Writer message(span, field::kSpanEvents);
  message.add_fixed64(field::kEventTime, ns_of(event.time()));
  add_text(message, field::kEventName, as_utf8(event.name(), scratch.key));
  for (const AttributeView attribute : event.attributes()) {
    add_attribute(out, field::kEventAttributes, attribute, scratch);
  }
  add_count(message, field::kEventDroppedAttributes, event.dropped_attributes());
}

void add_link(ProtobufBuffer& out, const trace::LinkView& link, Scratch& scratch) {
  Writer span(out);
  Writer message(span, field::kSpanLinks);
  add_id(message, field::kLinkTraceId, link.context().trace_id());
  add_id(message, field::kLinkSpanId, link.context().span_id());
  if (!link.tracestate().empty()) add_text(message, field::kLinkTraceState, link.tracestate());
  for (const AttributeView attribute : link.attributes()) {
    add_attribute(out, field::kLinkAttributes, attribute, scratch);
  }
  add_count(message, field::kLinkDroppedAttributes, link.dropped_attributes());
  message.add_fixed32(field::kLinkFlags, link.otlp_flags());
}

void add_status(Writer& out, const SpanRecordView& span, Scratch& scratch) {
  if (span.status() == trace::StatusCode::unset) return;
  Writer message(out, field::kSpanStatus);
  if (!span.status_message().empty()) {
    add_text(message, field::kStatusMessage, as_utf8(span.status_message(), scratch.value));
  }
  message.add_enum(field::kStatusCode, static_cast<std::int32_t>(span.status()));
}

void add_span(ProtobufBuffer& out, const SpanRecordView& span, Scratch& scratch) {
  Writer scope_spans(out);
  Writer message(scope_spans, field::kScopeSpansSpans);
  add_id(message, field::kSpanTraceId, span.trace_id());
  add_id(message, field::kSpanSpanId, span.span_id());
  if (!span.tracestate().empty()) add_text(message, field::kSpanTraceState, span.tracestate());
  if (!span.parent_span_id().is_zero()) {
    add_id(message, field::kSpanParentSpanId, span.parent_span_id());
  }
  add_text(message, field::kSpanName, as_utf8(span.name(), scratch.key));
  message.add_enum(field::kSpanKind, static_cast<std::int32_t>(span.kind()));
  message.add_fixed64(field::kSpanStart, ns_of(span.start()));
  message.add_fixed64(field::kSpanEnd, ns_of(span.end()));
  if (span.attribute_count() != 0) {
    for (const AttributeView attribute : span.attributes()) {
      add_attribute(out, field::kSpanAttributes, attribute, scratch);
    }
  }
  add_count(message, field::kSpanDroppedAttributes, span.dropped_attributes());
  if (span.event_count() != 0) {
    for (const trace::EventView event : span.events()) add_event(out, event, scratch);
  }
  add_count(message, field::kSpanDroppedEvents, span.dropped_events());
  if (span.link_count() != 0) {
    for (const trace::LinkView link : span.links()) add_link(out, link, scratch);
  }
  add_count(message, field::kSpanDroppedLinks, span.dropped_links());
  add_status(message, span, scratch);
  message.add_fixed32(field::kSpanFlags, span.otlp_flags());
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
  Writer out(bytes);
  add_text(out, field::kScopeName, as_utf8(scope.name, scratch));
  if (!scope.version.empty()) add_text(out, field::kScopeVersion, as_utf8(scope.version, scratch));
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
    Writer request(bytes);
    Writer resource_spans(request, field::kRequestResourceSpans);
    resource_spans.add_message(field::kResourceSpansResource, resource_);
    for (const trace::Scope* scope : in_batch_) {
      Writer scope_spans(resource_spans, field::kResourceSpansScopeSpans);
      scope_spans.add_message(field::kScopeSpansScope, bytes_of_scope(*scope).bytes);
      for (const SpanRecordView& span : spans) {
        if (&span.scope() == scope) add_span(bytes, span, scratch);
      }
      if (!scope->schema_url.empty()) {
        add_text(scope_spans, field::kScopeSpansSchemaUrl, as_utf8(scope->schema_url, scratch.key));
      }
    }
  }
  bytes.finish();
}

}  // namespace spanwire::otlp
