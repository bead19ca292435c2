// What OTLP says, read back: spans of several processes in one place.  Plain values, one thread at
// a time; no unit differs from OTLP's (nanoseconds since 1970).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "spanwire/trace/ids.hpp"

namespace spanwire::inspect {

struct Attribute;

// One AnyValue of OTLP.  monostate is a value that was absent or of a kind of a later version.
struct Value {
  using Array = std::vector<Value>;
  using Map = std::vector<Attribute>;
  struct Bytes {
    std::string base64;  // as the file has it
  };

  std::variant<std::monostate, std::string, bool, std::int64_t, double, Bytes, Array, Map> data;

  // For people: a string as it is, everything else as JSON would write it.
  std::string text() const;
};

struct Attribute {
  std::string key;
  Value value;
};

// The first attribute of that name; null when there is none.
const Value* find(const std::vector<Attribute>& attributes, std::string_view key) noexcept;
// Its text; empty when there is none.
std::string text_of(const std::vector<Attribute>& attributes, std::string_view key);

// OTLP's numbers.
enum class SpanKind : std::uint8_t { unspecified, internal, server, client, producer, consumer };
enum class SpanStatus : std::uint8_t { unset, ok, error };
std::string_view name(SpanKind kind) noexcept;

struct SpanEvent {
  std::int64_t time_ns = 0;
  std::string name;
  std::vector<Attribute> attributes;
};

struct SpanLink {
  trace::TraceId trace;
  trace::SpanId span;
  std::vector<Attribute> attributes;
};

struct Span {
  trace::TraceId trace;
  trace::SpanId id;
  trace::SpanId parent;  // zero for none
  std::string name;
  std::string tracestate;
  std::string status_message;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;    // never before start_ns: a clock that stepped back makes it equal
  std::uint32_t process = 0;  // index into TraceSet::processes
  std::uint32_t scope = 0;    // index into TraceSet::scopes
  std::uint32_t flags = 0;
  // Attributes, events, links, and attributes of these, that limits cut off.
  std::uint32_t dropped = 0;
  SpanKind kind = SpanKind::unspecified;
  SpanStatus status = SpanStatus::unset;
  bool backwards = false;  // what was read ended before it started
  std::vector<Attribute> attributes;
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;
};

// One resource of OTLP: who recorded a span.
struct Process {
  std::string service;   // service.name, "unknown_service" when absent
  std::string instance;  // service.instance.id
  std::vector<Attribute> attributes;
};

struct Scope {
  std::string name;
  std::string version;
};

struct TraceSet {
  std::vector<Process> processes;
  std::vector<Scope> scopes;
  std::vector<Span> spans;
};

}  // namespace spanwire::inspect
