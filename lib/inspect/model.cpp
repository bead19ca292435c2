#include "spanwire/inspect/model.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace spanwire::inspect {
namespace {

nlohmann::ordered_json to_json(const Value& value);

nlohmann::ordered_json double_json(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return number;
}

// Depth is bounded by the reader (kValueDepthMax), so recursion is.
nlohmann::ordered_json to_json(const Value& value) {
  using Json = nlohmann::ordered_json;
  struct Visitor {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(bool flag) const { return flag; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(double number) const { return double_json(number); }
    Json operator()(const Value::Bytes& bytes) const { return "base64:" + bytes.base64; }
    Json operator()(const Value::Array& items) const {
      Json array = Json::array();
      for (const Value& item : items) array.push_back(to_json(item));
      return array;
    }
    Json operator()(const Value::Map& items) const {
      Json object = Json::object();
      for (const Attribute& item : items) object[item.key] = to_json(item.value);
      return object;
    }
  };
  return std::visit(Visitor{}, value.data);
}

}  // namespace

std::string Value::text() const {
  if (const auto* string = std::get_if<std::string>(&data)) return *string;
  if (const auto* bytes = std::get_if<Bytes>(&data)) return "base64:" + bytes->base64;
  if (std::holds_alternative<std::monostate>(data)) return {};
  const nlohmann::ordered_json json = to_json(*this);
  if (json.is_string()) return json.get<std::string>();  // NaN and its like
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

const Value* find(const std::vector<Attribute>& attributes, std::string_view key) noexcept {
  for (const Attribute& attribute : attributes) {
    if (attribute.key == key) return &attribute.value;
  }
  return nullptr;
}

std::string text_of(const std::vector<Attribute>& attributes, std::string_view key) {
  const Value* value = find(attributes, key);
  return value != nullptr ? value->text() : std::string();
}

std::string_view name(SpanKind kind) noexcept {
  switch (kind) {
    case SpanKind::internal:
      return "internal";
    case SpanKind::server:
      return "server";
    case SpanKind::client:
      return "client";
    case SpanKind::producer:
      return "producer";
    case SpanKind::consumer:
      return "consumer";
    case SpanKind::unspecified:
      break;
  }
  return "unspecified";
}

std::string_view name(SpanStatus status) noexcept {
  switch (status) {
    case SpanStatus::ok:
      return "ok";
    case SpanStatus::error:
      return "error";
    case SpanStatus::unset:
      break;
  }
  return "unset";
}

}  // namespace spanwire::inspect
