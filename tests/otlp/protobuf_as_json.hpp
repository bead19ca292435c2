// Reads OTLP protobuf by a table of the messages and gives what OTLP's JSON encoding would: so that
// the two encoders can be held against each other.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string>

namespace spanwire::otlp::testing {

enum class Form { message, list, text, hex, count, fixed64, fixed32, boolean, integer, real };

struct FieldOf {
  const char* name;
  Form form;
  const char* message = "";  // of a message or a list
};

using Message = std::map<protozero::pbf_tag_type, FieldOf>;

inline const std::map<std::string, Message>& otlp_messages() {
  static const std::map<std::string, Message> all = {
      {"Request", {{1, {"resourceSpans", Form::list, "ResourceSpans"}}}},
      {"ResourceSpans",
       {{1, {"resource", Form::message, "Resource"}},
        {2, {"scopeSpans", Form::list, "ScopeSpans"}}}},
      {"Resource", {{1, {"attributes", Form::list, "KeyValue"}}}},
      {"ScopeSpans",
       {{1, {"scope", Form::message, "Scope"}},
        {2, {"spans", Form::list, "Span"}},
        {3, {"schemaUrl", Form::text}}}},
      {"Scope", {{1, {"name", Form::text}}, {2, {"version", Form::text}}}},
      {"Span",
       {{1, {"traceId", Form::hex}},
        {2, {"spanId", Form::hex}},
        {3, {"traceState", Form::text}},
        {4, {"parentSpanId", Form::hex}},
        {5, {"name", Form::text}},
        {6, {"kind", Form::count}},
        {7, {"startTimeUnixNano", Form::fixed64}},
        {8, {"endTimeUnixNano", Form::fixed64}},
        {9, {"attributes", Form::list, "KeyValue"}},
        {10, {"droppedAttributesCount", Form::count}},
        {11, {"events", Form::list, "Event"}},
        {12, {"droppedEventsCount", Form::count}},
        {13, {"links", Form::list, "Link"}},
        {14, {"droppedLinksCount", Form::count}},
        {15, {"status", Form::message, "Status"}},
        {16, {"flags", Form::fixed32}}}},
      {"Event",
       {{1, {"timeUnixNano", Form::fixed64}},
        {2, {"name", Form::text}},
        {3, {"attributes", Form::list, "KeyValue"}},
        {4, {"droppedAttributesCount", Form::count}}}},
      {"Link",
       {{1, {"traceId", Form::hex}},
        {2, {"spanId", Form::hex}},
        {3, {"traceState", Form::text}},
        {4, {"attributes", Form::list, "KeyValue"}},
        {5, {"droppedAttributesCount", Form::count}},
        {6, {"flags", Form::fixed32}}}},
      {"Status", {{2, {"message", Form::text}}, {3, {"code", Form::count}}}},
      {"KeyValue", {{1, {"key", Form::text}}, {2, {"value", Form::message, "AnyValue"}}}},
      {"AnyValue",
       {{1, {"stringValue", Form::text}},
        {2, {"boolValue", Form::boolean}},
        {3, {"intValue", Form::integer}},
        {4, {"doubleValue", Form::real}},
        {5, {"arrayValue", Form::message, "ArrayValue"}}}},
      {"ArrayValue", {{1, {"values", Form::list, "AnyValue"}}}},
  };
  return all;
}

inline std::string hex_text(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

inline nlohmann::json real_value(double value) {
  if (value != value) return "NaN";
  if (value - value != 0) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

inline nlohmann::json as_json(protozero::pbf_reader reader, const std::string& message) {
  nlohmann::json result = nlohmann::json::object();
  if (message == "ArrayValue") result["values"] = nlohmann::json::array();
  const Message& fields = otlp_messages().at(message);
  while (reader.next()) {
    const auto at = fields.find(reader.tag());
    if (at == fields.end()) throw std::runtime_error("unknown field of " + message);
    const FieldOf& field = at->second;
    const bool repeated = field.form == Form::list;
    if (!repeated && result.contains(field.name)) throw std::runtime_error("field twice");
    nlohmann::json value;
    switch (field.form) {
      case Form::message:
      case Form::list:
        value = as_json(reader.get_message(), field.message);
        break;
      case Form::text:
        value = reader.get_string();
        break;
      case Form::hex:
        value = hex_text(reader.get_bytes());
        break;
      case Form::count:
        value = reader.get_uint32();
        break;
      case Form::fixed64:
        value = std::to_string(reader.get_fixed64());
        break;
      case Form::fixed32:
        value = reader.get_fixed32();
        break;
      case Form::boolean:
        value = reader.get_bool();
        break;
      case Form::integer:
        value = std::to_string(reader.get_int64());
        break;
      case Form::real:
        value = real_value(reader.get_double());
        break;
    }
    if (repeated) {
      result[field.name].push_back(std::move(value));
    } else {
      result[field.name] = std::move(value);
    }
  }
  return result;
}

}  // namespace spanwire::otlp::testing
