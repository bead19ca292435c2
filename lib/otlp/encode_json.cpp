#include "spanwire/otlp/encode_json.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "lib/otlp/json_writer.hpp"

namespace spanwire::otlp {
namespace {

using trace::AttributeView;
using trace::SpanRecordView;
using trace::ValueType;

std::uint64_t ns_of(WallTime time) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0));
}

void write_int64(JsonWriter& out, std::int64_t value) {
  out.literal("{\"intValue\":\"");
  out.number(value);
  out.literal("\"}");
}

void write_real(JsonWriter& out, double value) {
  out.literal("{\"doubleValue\":");
  out.number(value);
  out.literal("}");
}

void write_boolean(JsonWriter& out, bool value) {
  value ? out.literal("{\"boolValue\":true}") : out.literal("{\"boolValue\":false}");
}

void write_text(JsonWriter& out, std::string_view text) {
  out.literal("{\"stringValue\":");
  out.string(text);
  out.literal("}");
}

void write_array(JsonWriter& out, const AttributeView& value) {
  out.literal("{\"arrayValue\":{\"values\":[");
  bool any = false;
  if (value.type() == ValueType::string_array) {
    for (const std::string_view text : value.strings()) {
      write_text(out, text);
      out.literal(",");
      any = true;
    }
  } else {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value.type() == ValueType::boolean_array) write_boolean(out, value.boolean_at(i));
      if (value.type() == ValueType::int64_array) write_int64(out, value.int64_at(i));
      if (value.type() == ValueType::real_array) write_real(out, value.real_at(i));
      out.literal(",");
      any = true;
    }
  }
  if (any) out.drop_last();
  out.literal("]}}");
}

void write_value(JsonWriter& out, const AttributeView& value) {
  switch (value.type()) {
    case ValueType::string:
      return write_text(out, value.text());
    case ValueType::boolean:
      return write_boolean(out, value.boolean());
    case ValueType::int64:
      return write_int64(out, value.int64());
    case ValueType::real:
      return write_real(out, value.real());
    case ValueType::string_array:
    case ValueType::boolean_array:
    case ValueType::int64_array:
    case ValueType::real_array:
      return write_array(out, value);
  }
}

template <class Range>
void write_attributes(JsonWriter& out, const Range& attributes) {
  out.literal(",\"attributes\":[");
  for (const AttributeView attribute : attributes) {
    out.literal("{\"key\":");
    out.string(attribute.key());
    out.literal(",\"value\":");
    write_value(out, attribute);
    out.literal("},");
  }
  out.drop_last();
  out.literal("]");
}

template <std::size_t Size>
void write_dropped(JsonWriter& out, const char (&name)[Size], std::uint32_t count) {
  if (count == 0) return;
  out.literal(name);
  out.number(std::uint64_t{count});
}

void write_events(JsonWriter& out, const SpanRecordView& span) {
  out.literal(",\"events\":[");
  for (const trace::EventView event : span.events()) {
    out.literal("{\"timeUnixNano\":\"");
    out.number(ns_of(event.time()));
    out.literal("\",\"name\":");
    out.string(event.name());
    if (event.attribute_count() != 0) write_attributes(out, event.attributes());
    write_dropped(out, ",\"droppedAttributesCount\":", event.dropped_attributes());
    out.literal("},");
  }
  out.drop_last();
  out.literal("]");
}

void write_links(JsonWriter& out, const SpanRecordView& span) {
  out.literal(",\"links\":[");
  for (const trace::LinkView link : span.links()) {
    out.literal("{\"traceId\":\"");
    out.hex(link.context().trace_id());
    out.literal("\",\"spanId\":\"");
    out.hex(link.context().span_id());
    out.literal("\",\"flags\":");
    out.number(std::uint64_t{link.otlp_flags()});
    if (!link.tracestate().empty()) {
      out.literal(",\"traceState\":");
      out.string(link.tracestate());
    }
    if (link.attribute_count() != 0) write_attributes(out, link.attributes());
    write_dropped(out, ",\"droppedAttributesCount\":", link.dropped_attributes());
    out.literal("},");
  }
  out.drop_last();
  out.literal("]");
}

void write_status(JsonWriter& out, const SpanRecordView& span) {
  if (span.status() == trace::StatusCode::unset) return;
  out.literal(",\"status\":{\"code\":");
  out.number(static_cast<std::uint64_t>(span.status()));
  if (!span.status_message().empty()) {
    out.literal(",\"message\":");
    out.string(span.status_message());
  }
  out.literal("}");
}

void write_span(JsonWriter& out, const SpanRecordView& span) {
  out.literal("{\"traceId\":\"");
  out.hex(span.trace_id());
  out.literal("\",\"spanId\":\"");
  out.hex(span.span_id());
  if (!span.tracestate().empty()) {
    out.literal("\",\"traceState\":");
    out.string(span.tracestate());
    out.drop_last();
  }
  if (!span.parent_span_id().is_zero()) {
    out.literal("\",\"parentSpanId\":\"");
    out.hex(span.parent_span_id());
  }
  out.literal("\",\"flags\":");
  out.number(std::uint64_t{span.otlp_flags()});
  out.literal(",\"name\":");
  out.string(span.name());
  out.literal(",\"kind\":");
  out.number(static_cast<std::uint64_t>(span.kind()));
  out.literal(",\"startTimeUnixNano\":\"");
  out.number(ns_of(span.start()));
  out.literal("\",\"endTimeUnixNano\":\"");
  out.number(ns_of(span.end()));
  out.literal("\"");
  if (span.attribute_count() != 0) write_attributes(out, span.attributes());
  write_dropped(out, ",\"droppedAttributesCount\":", span.dropped_attributes());
  if (span.event_count() != 0) write_events(out, span);
  write_dropped(out, ",\"droppedEventsCount\":", span.dropped_events());
  if (span.link_count() != 0) write_links(out, span);
  write_dropped(out, ",\"droppedLinksCount\":", span.dropped_links());
  write_status(out, span);
  out.literal("},");
}

void write_resource_value(JsonWriter& out, const trace::ResourceValue& value) {
  std::visit(
      [&out](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) write_text(out, held);
        if constexpr (std::is_same_v<Held, bool>) write_boolean(out, held);
        if constexpr (std::is_same_v<Held, std::int64_t>) write_int64(out, held);
        if constexpr (std::is_same_v<Held, double>) write_real(out, held);
      },
      value);
}

std::string head_for(const trace::Resource& resource) {
  Buffer buffer;
  JsonWriter out(buffer);
  out.literal("{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
  for (const auto& [key, value] : resource.attributes()) {
    out.literal("{\"key\":");
    out.string(key);
    out.literal(",\"value\":");
    write_resource_value(out, value);
    out.literal("},");
  }
  if (!resource.empty()) out.drop_last();
  out.literal("]},\"scopeSpans\":[");
  out.finish();
  return std::string(text_of(buffer.view()));
}

// Up to and including the bracket of the spans.
std::string text_of_scope(const trace::Scope& scope) {
  Buffer buffer;
  JsonWriter out(buffer);
  out.literal("{\"scope\":{\"name\":");
  out.string(scope.name);
  if (!scope.version.empty()) {
    out.literal(",\"version\":");
    out.string(scope.version);
  }
  out.literal("}");
  if (!scope.schema_url.empty()) {
    out.literal(",\"schemaUrl\":");
    out.string(scope.schema_url);
  }
  out.literal(",\"spans\":[");
  out.finish();
  return std::string(text_of(buffer.view()));
}

}  // namespace

JsonEncoder::JsonEncoder(const trace::Resource& resource) : head_(head_for(resource)) {}

std::string_view JsonEncoder::scope_text(const trace::Scope& scope) {
  for (const auto& [known, text] : scopes_) {
    if (known == &scope) return text;
  }
  return scopes_.emplace_back(&scope, text_of_scope(scope)).second;
}

void JsonEncoder::encode(std::span<const SpanRecordView> spans, Buffer& out) {
  if (spans.empty()) return;
  in_batch_.clear();
  for (const SpanRecordView& span : spans) {
    const bool known = !in_batch_.empty() && in_batch_.back() == &span.scope();
    if (known || std::find(in_batch_.begin(), in_batch_.end(), &span.scope()) != in_batch_.end()) {
      continue;
    }
    in_batch_.push_back(&span.scope());
  }
  JsonWriter writer(out);
  writer.raw(head_);
  for (const trace::Scope* scope : in_batch_) {
    writer.raw(scope_text(*scope));
    for (const SpanRecordView& span : spans) {
      if (&span.scope() == scope) write_span(writer, span);
    }
    writer.drop_last();
    writer.literal("]},");
  }
  writer.drop_last();
  writer.literal("]}]}");
  writer.finish();
}

}  // namespace spanwire::otlp
