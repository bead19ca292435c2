#include "lib/inspect/line_reader.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include "lib/inspect/json_fault.hpp"
#include "lib/inspect/json_fields.hpp"
#include "lib/inspect/json_parse.hpp"

namespace spanwire::inspect {
namespace {

using simdjson::SUCCESS;

// Nesting that the parser follows: what is deeper costs its line, not only its value.
constexpr std::size_t kJsonDepthMax = 16'384;
constexpr std::size_t kFirstCapacity = std::size_t{1} << 16;

}  // namespace

std::string JsonPath::text() const {
  std::string text = up != nullptr ? up->text() : std::string();
  if (!text.empty() && *key != '\0') text += '.';
  text += key;
  if (index != kNoIndex) text += '[' + std::to_string(index) + ']';
  return text;
}

// What a span may have, found in one pass over its members.
struct LineReader::SpanMembers {
  JsonField trace_id, span_id, parent_id, name, kind, start, end, state, flags, attributes, events,
      links, status, dropped_attributes, dropped_events, dropped_links;

  explicit SpanMembers(Object object) {
    for (const simdjson::dom::key_value_pair member : object) {
      JsonField* const place = find(member.key);
      if (place != nullptr && !*place) *place = member.value;
    }
  }

 private:
  struct Entry {
    std::string_view key;
    JsonField SpanMembers::* place;
  };

  JsonField* find(std::string_view key) {
    static constexpr std::array<Entry, 16> kNames{{
        {"traceId", &SpanMembers::trace_id},
        {"spanId", &SpanMembers::span_id},
        {"parentSpanId", &SpanMembers::parent_id},
        {"name", &SpanMembers::name},
        {"kind", &SpanMembers::kind},
        {"startTimeUnixNano", &SpanMembers::start},
        {"endTimeUnixNano", &SpanMembers::end},
        {"attributes", &SpanMembers::attributes},
        {"events", &SpanMembers::events},
        {"links", &SpanMembers::links},
        {"status", &SpanMembers::status},
        {"flags", &SpanMembers::flags},
        {"traceState", &SpanMembers::state},
        {"droppedAttributesCount", &SpanMembers::dropped_attributes},
        {"droppedEventsCount", &SpanMembers::dropped_events},
        {"droppedLinksCount", &SpanMembers::dropped_links},
    }};
    for (const Entry& entry : kNames) {
      if (entry.key == key) return &(this->*entry.place);
    }
    return nullptr;
  }
};

LineReader::LineReader(SpanReader& reader) : reader_(reader) {
  if (parser_.allocate(kFirstCapacity, kJsonDepthMax) != SUCCESS) throw std::bad_alloc();
}

void LineReader::read(std::string_view name, std::size_t number, std::string_view line,
                      bool complete, const PiecePlace& place) {
  name_ = name;
  number_ = number;
  place_ = place;
  Json root;
  const simdjson::error_code error = parse_json(parser_, line, true, root);
  if (error != SUCCESS) {
    reader_.add_problem(name, number, json_fault_text(line, complete, error));
    return;
  }
  if (may_have_half_pairs(line) && !is_json(line)) {
    reader_.add_problem(name, number, json_fault_text(line, complete, simdjson::STRING_ERROR));
    return;
  }
  Array array;
  if (root.get(array) != SUCCESS) {
    read_traces(root, {});
    return;
  }
  std::size_t index = 0;
  for (const Json item : array) read_traces(item, {nullptr, "", index++});
}

void LineReader::problem(const JsonPath& path, std::string_view text, ProblemKind kind) {
  std::string where = path.text();
  if (!where.empty()) where += ": ";
  reader_.add_problem(name_, number_, where.append(text), kind);
}

bool LineReader::object_of(Json json, const JsonPath& path, Object& object) {
  if (json.get(object) == SUCCESS) return true;
  problem(path, "not an object");
  return false;
}

bool LineReader::array_of(const std::optional<Json>& json, const JsonPath& path, Array& array) {
  if (!json || json->is_null()) return false;
  if (json->get(array) == SUCCESS) return true;
  problem(path, "not an array");
  return false;
}

void LineReader::read_traces(Json root, const JsonPath& path) {
  Object traces;
  if (root.get(traces) != SUCCESS) {
    problem(path, "not a JSON object");
    return;
  }
  Object nested;
  const auto object_at = [&](std::string_view key) {
    const JsonField member = field(traces, key);
    return member && member->get(nested) == SUCCESS;
  };
  if (const JsonField member = field(traces, "resourceSpans")) {
    read_resources(member, {&path, "resourceSpans"});
  } else if (object_at("result") || object_at("trace")) {
    read_resources(field(nested, "resourceSpans"), {&path, "resourceSpans"});
  } else if (const JsonField batches = field(traces, "batches")) {
    read_resources(batches, {&path, "batches"});
  } else if (object_at("error")) {
    read_error(nested, path);
  } else {
    problem(path, "no resourceSpans: not a line of OTLP traces");
  }
}

void LineReader::read_error(Object error, const JsonPath& path) {
  const std::string code = std::to_string(integer(field(error, "httpCode")).value_or(0));
  const std::string message(string_or_empty(field(error, "message")));
  problem(path, "an error in the place of traces: " + code + ' ' + message,
          ProblemKind::error_answer);
}

void LineReader::read_resources(const std::optional<Json>& json, JsonPath path) {
  Array resources;
  if (!array_of(json, path, resources)) return;
  path.index = place_.resource;
  for (const Json item : resources) {
    Object resource;
    if (object_of(item, path, resource)) read_resource(resource, path);
    ++path.index;
  }
}

void LineReader::read_resource(Object resource, const JsonPath& path) {
  const std::uint32_t process = reader_.intern_process(read_process(resource, path));
  // The latter two are what scopeSpans was called before.
  for (const char* key : {"scopeSpans", "instrumentationLibrarySpans", "deprecatedScopeSpans"}) {
    JsonPath at{&path, key};
    Array scopes;
    if (!array_of(field(resource, key), at, scopes)) continue;
    at.index = std::exchange(place_.scope, 0);
    for (const Json item : scopes) {
      read_scope_spans(item, process, at);
      ++at.index;
    }
  }
}

Process LineReader::read_process(Object object, const JsonPath& path) {
  Process process;
  Object resource;
  const JsonField member = field(object, "resource");
  if (member && member->get(resource) == SUCCESS) {
    read_attributes(field(resource, "attributes"), process.attributes,
                    JsonPath{&path, "resource.attributes"});
  }
  process.service = text_of(process.attributes, "service.name");
  if (process.service.empty()) process.service = "unknown_service";
  process.instance = text_of(process.attributes, "service.instance.id");
  return process;
}

void LineReader::read_scope_spans(Json json, std::uint32_t process, const JsonPath& path) {
  Object object;
  if (!object_of(json, path, object)) return;
  Scope scope;
  Object described;
  JsonField member = field(object, "scope");
  if (!member) member = field(object, "instrumentationLibrary");
  if (member && member->get(described) == SUCCESS) {
    scope.name = string_or_empty(field(described, "name"));
    scope.version = string_or_empty(field(described, "version"));
  }
  const std::uint32_t index = reader_.intern_scope(std::move(scope));
  JsonPath at{&path, "spans"};
  Array spans;
  if (!array_of(field(object, "spans"), at, spans)) return;
  at.index = std::exchange(place_.span, 0);
  for (const Json span : spans) {
    if (!read_span(span, process, index, at)) ++reader_.report_.spans_left_out;
    ++at.index;
  }
}

template <class Id>
bool LineReader::read_id(const std::optional<Json>& json, const JsonPath& path, Id& id) {
  switch (inspect::read_id(json, id)) {
    case IdSpelling::base64:
      ++reader_.report_.base64_ids;
      return true;
    case IdSpelling::hex:
      return true;
    case IdSpelling::base64_as_hex:
      problem(path, "hex digits that were decoded as base64 on their way",
              ProblemKind::base64_as_hex);
      return false;
    case IdSpelling::bad:
      break;
  }
  problem(path, "not " + std::to_string(Id::kHexChars) + " hex digits", ProblemKind::bad_id);
  return false;
}

bool LineReader::read_ids(const SpanMembers& members, const JsonPath& path) {
  if (!read_id(members.trace_id, {&path, "traceId"}, span_.trace)) return false;
  if (!read_id(members.span_id, {&path, "spanId"}, span_.id)) return false;
  if (span_.trace.is_zero() || span_.id.is_zero()) {
    problem({&path, span_.trace.is_zero() ? "traceId" : "spanId"}, "absent or all zeros",
            ProblemKind::zero_id);
    return false;
  }
  // A bad one leaves a good span: it is shown as a root, and the problem says why.
  if (!read_id(members.parent_id, {&path, "parentSpanId"}, span_.parent)) span_.parent = {};
  return true;
}

bool LineReader::read_span(Json json, std::uint32_t process, std::uint32_t scope,
                           const JsonPath& path) {
  Object object;
  if (!object_of(json, path, object)) return false;
  const SpanMembers members(object);
  if (!read_ids(members, path)) return false;
  const auto start = integer(members.start);
  if (!start || *start < 0 || *start > kTimeMax) {
    problem({&path, "startTimeUnixNano"}, "not a time in nanoseconds");
    return false;
  }
  span_.start_ns = *start;
  const std::int64_t end_ns = integer(members.end).value_or(0);
  span_.backwards = end_ns < span_.start_ns;
  span_.end_ns = std::clamp(end_ns, span_.start_ns, kTimeMax);
  span_.process = process;
  span_.scope = scope;
  span_.kind = kind_of(members.kind);
  span_.name = string_or_empty(members.name);
  span_.tracestate = string_or_empty(members.state);
  span_.flags = count_or_zero(members.flags);
  span_.dropped = count_or_zero(members.dropped_attributes) +
                  count_or_zero(members.dropped_events) + count_or_zero(members.dropped_links);
  read_status(members.status);
  read_attributes(members.attributes, span_.attributes, {&path, "attributes"});
  read_events(members.events, {&path, "events"});
  read_links(members.links, {&path, "links"});
  reader_.on_span(span_);
  return true;
}

void LineReader::read_status(const std::optional<Json>& json) {
  span_.status = SpanStatus::unset;
  span_.status_message.clear();
  Object status;
  if (!json || json->get(status) != SUCCESS) return;
  span_.status_message = string_or_empty(field(status, "message"));
  span_.status = status_of(field(status, "code"));
}

void LineReader::read_links(const std::optional<Json>& json, JsonPath path) {
  span_.links.clear();
  Array items;
  if (!array_of(json, path, items)) return;
  path.index = 0;
  for (const Json item : items) {
    Object object;
    if (object_of(item, path, object)) {
      SpanLink link;
      if (read_id(field(object, "traceId"), {&path, "traceId"}, link.trace) &&
          read_id(field(object, "spanId"), {&path, "spanId"}, link.span)) {
        read_attributes(field(object, "attributes"), link.attributes, {&path, "attributes"});
        span_.dropped += count_or_zero(field(object, "droppedAttributesCount"));
        span_.links.push_back(std::move(link));
      }
    }
    ++path.index;
  }
}

}  // namespace spanwire::inspect
