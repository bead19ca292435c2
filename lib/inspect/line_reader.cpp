#include "lib/inspect/line_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace spanwire::inspect {
namespace {

using Json = nlohmann::json;

// The year 2255: later times are damage, and sums of earlier ones stay in 64 bits.
constexpr std::int64_t kTimeMax = 9'000'000'000'000'000'000;

// OTLP writes 64-bit integers as decimal text and allows numbers; times are unsigned on the wire.
std::optional<std::int64_t> integer(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    return static_cast<std::int64_t>(number);
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (!json.is_string()) return {};
  const auto& text = json.get_ref<const std::string&>();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

std::int64_t integer_or_zero(const Json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end()) return 0;
  return integer(*member).value_or(0);
}

std::uint32_t count_or_zero(const Json& object, const char* key) {
  const std::int64_t number = integer_or_zero(object, key);
  if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) return 0;
  return static_cast<std::uint32_t>(number);
}

std::string string_or_empty(const Json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string()) return {};
  return member->get<std::string>();
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The bytes of an id in base64, standard or URL alphabet, with its padding or without.  Hex digits
// alone are an id of the wrong length, not base64.
template <class Id>
std::optional<Id> id_of_base64(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos) return {};
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() != (Id::kBytes * 8 + 5) / 6) return {};
  std::array<std::uint8_t, Id::kBytes> bytes{};
  std::uint32_t bits = 0;
  std::size_t held = 0;
  std::size_t at = 0;
  for (char c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (at < bytes.size()) bytes[at++] = static_cast<std::uint8_t>(bits >> held);
  }
  return Id(bytes);
}

// Numbers by the specification; some writers use the proto names.
SpanKind kind_of(const Json& object) {
  const auto member = object.find("kind");
  if (member == object.end()) return SpanKind::unspecified;
  if (member->is_string()) {
    const auto& text = member->get_ref<const std::string&>();
    if (text == "SPAN_KIND_INTERNAL") return SpanKind::internal;
    if (text == "SPAN_KIND_SERVER") return SpanKind::server;
    if (text == "SPAN_KIND_CLIENT") return SpanKind::client;
    if (text == "SPAN_KIND_PRODUCER") return SpanKind::producer;
    if (text == "SPAN_KIND_CONSUMER") return SpanKind::consumer;
    return SpanKind::unspecified;
  }
  const std::int64_t number = integer(*member).value_or(0);
  return number >= 1 && number <= 5 ? static_cast<SpanKind>(number) : SpanKind::unspecified;
}

std::string at(const std::string& path, const char* key, std::size_t index) {
  std::string text = path;
  if (!text.empty()) text += '.';
  return text + key + '[' + std::to_string(index) + ']';
}

double double_of(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const std::string text = json.is_string() ? json.get<std::string>() : std::string();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void LineReader::problem(const std::string& path, std::string_view text, ProblemKind kind) {
  reader_.add_problem(name_, line_, path + ": " + std::string(text), kind);
}

template <class Id>
std::optional<Id> LineReader::read_id(const Json& object, const char* key,
                                      const std::string& path) {
  std::string text = string_or_empty(object, key);
  if (text.empty()) {
    const auto member = object.find(key);
    if (member == object.end() || member->is_string() || member->is_null()) return Id();
  }
  if (const auto id = id_of_base64<Id>(text)) {
    ++reader_.report_.base64_ids;
    return id;
  }
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  if (const auto id = Id::from_hex(text)) return id;
  const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  // Hex of N bytes, taken for base64, gives 3/4 of its digits as bytes.
  if (hex && text.size() == Id::kHexChars * 3 / 2) {
    problem(path + '.' + key, "hex digits that were decoded as base64 on their way",
            ProblemKind::base64_as_hex);
  } else {
    problem(path + '.' + key, "not " + std::to_string(Id::kHexChars) + " hex digits",
            ProblemKind::bad_id);
  }
  return {};
}

const Json* LineReader::array(const Json& object, const char* key, const std::string& path) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return nullptr;
  if (member->is_array()) return &*member;
  problem(path.empty() ? key : path + '.' + key, "not an array");
  return nullptr;
}

void LineReader::read(const Json& root) {
  if (!root.is_array()) {
    read_object(root);
    return;
  }
  for (const Json& item : root) read_object(item);
}

void LineReader::read_object(const Json& root) {
  if (!root.is_object()) {
    reader_.add_problem(name_, line_, "not a JSON object");
  } else if (root.contains("resourceSpans")) {
    read_resource_spans(root, "resourceSpans");
  } else if (const auto result = root.find("result"); result != root.end() && result->is_object()) {
    read_resource_spans(*result, "resourceSpans");
  } else if (root.contains("batches")) {
    read_resource_spans(root, "batches");
  } else if (const auto error = root.find("error"); error != root.end() && error->is_object()) {
    read_error(*error);
  } else {
    reader_.add_problem(name_, line_, "no resourceSpans: not a line of OTLP traces");
  }
}

void LineReader::read_error(const Json& error) {
  reader_.add_problem(
      name_, line_,
      "an error in the place of traces: " + std::to_string(integer_or_zero(error, "httpCode")) +
          ' ' + string_or_empty(error, "message"),
      ProblemKind::error_answer);
}

void LineReader::read_resource_spans(const Json& root, const char* key) {
  const Json* resources = array(root, key, "");
  for (std::size_t i = 0; resources != nullptr && i < resources->size(); ++i) {
    const Json& resource = (*resources)[i];
    const std::string path = at("", key, i);
    if (!resource.is_object()) {
      problem(path, "not an object");
      continue;
    }
    read_scopes(resource, reader_.intern_process(read_process(resource, path)), path);
  }
}

void LineReader::read_scopes(const Json& resource, std::uint32_t process, const std::string& path) {
  // The latter two are what scopeSpans was called before.
  for (const char* key : {"scopeSpans", "instrumentationLibrarySpans", "deprecatedScopeSpans"}) {
    const Json* scopes = array(resource, key, path);
    for (std::size_t i = 0; scopes != nullptr && i < scopes->size(); ++i) {
      read_scope_spans((*scopes)[i], process, at(path, key, i));
    }
  }
}

Process LineReader::read_process(const Json& json, const std::string& path) {
  Process process;
  const auto resource = json.find("resource");
  if (resource != json.end() && resource->is_object()) {
    process.attributes = read_attributes(*resource, "attributes", path + ".resource");
  }
  process.service = text_of(process.attributes, "service.name");
  if (process.service.empty()) process.service = "unknown_service";
  process.instance = text_of(process.attributes, "service.instance.id");
  return process;
}

void LineReader::read_scope_spans(const Json& json, std::uint32_t process,
                                  const std::string& path) {
  if (!json.is_object()) {
    problem(path, "not an object");
    return;
  }
  Scope scope;
  auto member = json.find("scope");
  if (member == json.end()) member = json.find("instrumentationLibrary");
  if (member != json.end() && member->is_object()) {
    scope.name = string_or_empty(*member, "name");
    scope.version = string_or_empty(*member, "version");
  }
  const std::uint32_t index = reader_.intern_scope(std::move(scope));
  const Json* spans = array(json, "spans", path);
  for (std::size_t i = 0; spans != nullptr && i < spans->size(); ++i) {
    read_span((*spans)[i], process, index, at(path, "spans", i));
  }
}

bool LineReader::read_ids(const Json& json, Span& span, const std::string& path) {
  const auto trace = read_id<trace::TraceId>(json, "traceId", path);
  const auto id = trace ? read_id<trace::SpanId>(json, "spanId", path) : std::nullopt;
  if (!trace || !id) return false;
  if (trace->is_zero() || id->is_zero()) {
    problem(path + (trace->is_zero() ? ".traceId" : ".spanId"), "absent or all zeros",
            ProblemKind::zero_id);
    return false;
  }
  // A bad one leaves a good span: it is shown as a root, and the problem says why.
  const auto parent = read_id<trace::SpanId>(json, "parentSpanId", path);
  span.trace = *trace;
  span.id = *id;
  span.parent = parent.value_or(trace::SpanId());
  return true;
}

void LineReader::read_span(const Json& json, std::uint32_t process, std::uint32_t scope,
                           const std::string& path) {
  if (!json.is_object()) {
    problem(path, "not an object");
    return;
  }
  Span span;
  if (!read_ids(json, span, path)) return;
  const auto start = json.find("startTimeUnixNano");
  const auto start_ns = start == json.end() ? std::nullopt : integer(*start);
  if (!start_ns || *start_ns < 0 || *start_ns > kTimeMax) {
    problem(path + ".startTimeUnixNano", "not a time in nanoseconds");
    return;
  }
  span.start_ns = *start_ns;
  const std::int64_t end_ns = integer_or_zero(json, "endTimeUnixNano");
  span.backwards = end_ns < span.start_ns;
  span.end_ns = std::clamp(end_ns, span.start_ns, kTimeMax);
  span.process = process;
  span.scope = scope;
  span.kind = kind_of(json);
  span.name = string_or_empty(json, "name");
  span.tracestate = string_or_empty(json, "traceState");
  span.flags = count_or_zero(json, "flags");
  span.dropped = count_or_zero(json, "droppedAttributesCount") +
                 count_or_zero(json, "droppedEventsCount") +
                 count_or_zero(json, "droppedLinksCount");
  span.attributes = read_attributes(json, "attributes", path);
  read_status(json, span);
  read_events(json, span, path);
  read_links(json, span, path);
  reader_.add_span(std::move(span));
}

void LineReader::read_status(const Json& json, Span& span) {
  const auto status = json.find("status");
  if (status == json.end() || !status->is_object()) return;
  span.status_message = string_or_empty(*status, "message");
  const auto code = status->find("code");
  if (code == status->end()) return;
  const bool error = code->is_string() ? *code == "STATUS_CODE_ERROR" : integer(*code) == 2;
  const bool ok = code->is_string() ? *code == "STATUS_CODE_OK" : integer(*code) == 1;
  span.status = error ? SpanStatus::error : ok ? SpanStatus::ok : SpanStatus::unset;
}

void LineReader::read_events(const Json& json, Span& span, const std::string& path) {
  const Json* events = array(json, "events", path);
  for (std::size_t i = 0; events != nullptr && i < events->size(); ++i) {
    const Json& item = (*events)[i];
    const std::string item_path = at(path, "events", i);
    if (!item.is_object()) {
      problem(item_path, "not an object");
      continue;
    }
    SpanEvent event;
    event.time_ns = std::clamp<std::int64_t>(integer_or_zero(item, "timeUnixNano"), 0, kTimeMax);
    event.name = string_or_empty(item, "name");
    event.attributes = read_attributes(item, "attributes", item_path);
    span.events.push_back(std::move(event));
  }
}

void LineReader::read_links(const Json& json, Span& span, const std::string& path) {
  const Json* links = array(json, "links", path);
  for (std::size_t i = 0; links != nullptr && i < links->size(); ++i) {
    const Json& item = (*links)[i];
    const std::string item_path = at(path, "links", i);
    if (!item.is_object()) {
      problem(item_path, "not an object");
      continue;
    }
    const auto trace = read_id<trace::TraceId>(item, "traceId", item_path);
    const auto id = trace ? read_id<trace::SpanId>(item, "spanId", item_path) : std::nullopt;
    if (!trace || !id) continue;
    span.links.push_back({*trace, *id, read_attributes(item, "attributes", item_path)});
  }
}

std::vector<Attribute> LineReader::read_attributes(const Json& object, const char* key,
                                                   const std::string& path, std::size_t depth) {
  std::vector<Attribute> attributes;
  const Json* items = array(object, key, path);
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    const Json& item = (*items)[i];
    const auto name = item.is_object() ? item.find("key") : item.end();
    if (!item.is_object() || name == item.end() || !name->is_string()) {
      problem(at(path, key, i), "no key");
      continue;
    }
    const auto value = item.find("value");
    attributes.push_back(
        {name->get<std::string>(),
         value == item.end() ? Value() : read_value(*value, at(path, key, i), depth)});
  }
  return attributes;
}

Value LineReader::read_value(const Json& json, const std::string& path, std::size_t depth) {
  if (!json.is_object() || json.empty()) return {};
  if (depth >= kValueDepthMax) {
    problem(path, "a value that is nested too deep");
    return {};
  }
  const std::string& kind = json.begin().key();
  const Json& content = json.begin().value();
  if (kind == "stringValue" && content.is_string()) return {content.get<std::string>()};
  if (kind == "boolValue" && content.is_boolean()) return {content.get<bool>()};
  if (kind == "doubleValue") return {double_of(content)};
  if (kind == "bytesValue" && content.is_string()) {
    return {Value::Bytes{content.get<std::string>()}};
  }
  if (kind == "intValue") {
    if (const auto number = integer(content)) return {*number};
    problem(path, "an intValue that is not a 64-bit integer");
    return {};
  }
  if (kind == "kvlistValue" && content.is_object()) {
    return {read_attributes(content, "values", path, depth + 1)};
  }
  if (kind == "arrayValue" && content.is_object()) {
    Value::Array items;
    const Json* values = array(content, "values", path);
    for (std::size_t i = 0; values != nullptr && i < values->size(); ++i) {
      items.push_back(read_value((*values)[i], at(path, "values", i), depth + 1));
    }
    return {std::move(items)};
  }
  return {};
}

}  // namespace spanwire::inspect
