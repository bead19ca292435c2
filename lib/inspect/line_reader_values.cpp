// What hangs on a span: events, attributes and their values.
#include <algorithm>

#include "lib/inspect/json_fields.hpp"
#include "lib/inspect/line_reader.hpp"

namespace spanwire::inspect {

using simdjson::SUCCESS;

void LineReader::read_events(const std::optional<Json>& json, JsonPath path) {
  span_.events.clear();
  Array items;
  if (!array_of(json, path, items)) return;
  path.index = 0;
  for (const Json item : items) {
    Object object;
    if (object_of(item, path, object)) {
      SpanEvent& event = span_.events.emplace_back();
      const std::int64_t time = integer(field(object, "timeUnixNano")).value_or(0);
      event.time_ns = std::clamp<std::int64_t>(time, 0, kTimeMax);
      event.name = string_or_empty(field(object, "name"));
      read_attributes(field(object, "attributes"), event.attributes, {&path, "attributes"});
      span_.dropped += count_or_zero(field(object, "droppedAttributesCount"));
    }
    ++path.index;
  }
}

void LineReader::read_attributes(const std::optional<Json>& json,
                                 std::vector<Attribute>& attributes, JsonPath path,
                                 std::size_t depth) {
  attributes.clear();
  Array items;
  if (!array_of(json, path, items)) return;
  path.index = 0;
  for (const Json item : items) {
    Object object;
    std::string_view key;
    const JsonField name = item.get(object) == SUCCESS ? field(object, "key") : std::nullopt;
    if (name && name->get(key) == SUCCESS) {
      const JsonField value = field(object, "value");
      attributes.push_back({std::string(key), value ? read_value(*value, path, depth) : Value()});
    } else {
      problem(path, "no key");
    }
    ++path.index;
  }
}

Value LineReader::read_value(Json json, const JsonPath& path, std::size_t depth) {
  Object object;
  if (json.get(object) != SUCCESS || object.begin() == object.end()) return {};
  if (depth >= kValueDepthMax) {
    problem(path, "a value that is nested too deep");
    return {};
  }
  const std::string_view kind = object.begin().key();
  const Json content = object.begin().value();
  std::string_view text;
  bool flag = false;
  if (kind == "stringValue" && content.get(text) == SUCCESS) return {std::string(text)};
  if (kind == "boolValue" && content.get(flag) == SUCCESS) return {flag};
  if (kind == "doubleValue") return {double_of(content)};
  if (kind == "bytesValue" && content.get(text) == SUCCESS) {
    return {Value::Bytes{std::string(text)}};
  }
  if (kind == "intValue") {
    if (const auto number = integer(content)) return {*number};
    problem(path, "an intValue that is not a 64-bit integer");
    return {};
  }
  Object nested;
  if (content.get(nested) != SUCCESS) return {};
  if (kind == "kvlistValue") {
    Value::Map members;
    read_attributes(field(nested, "values"), members, {&path, "values"}, depth + 1);
    return {std::move(members)};
  }
  return kind == "arrayValue" ? read_array(field(nested, "values"), {&path, "values"}, depth + 1)
                              : Value();
}

Value LineReader::read_array(const std::optional<Json>& json, JsonPath path, std::size_t depth) {
  Value::Array values;
  Array items;
  if (array_of(json, path, items)) {
    path.index = 0;
    for (const Json item : items) {
      values.push_back(read_value(item, path, depth));
      ++path.index;
    }
  }
  return {std::move(values)};
}

}  // namespace spanwire::inspect
