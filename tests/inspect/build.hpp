// Makes spans for the tests of inspect.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect::testing {

inline trace::SpanId span_id(unsigned number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016x", number);
  return *trace::SpanId::from_hex(text);
}

inline trace::TraceId trace_id(unsigned number) {
  char text[33];
  std::snprintf(text, sizeof text, "%032x", number);
  return *trace::TraceId::from_hex(text);
}

inline constexpr std::int64_t kStart = 1'795'254'000'000'000'000;

class Traces {
 public:
  Traces() { set.scopes.push_back({"test", "1"}); }

  std::uint32_t process(std::string service, std::string instance = {}) {
    set.processes.push_back({service, instance, {{"service.name", Value{service}}}});
    return static_cast<std::uint32_t>(set.processes.size() - 1);
  }

  // Times in microseconds behind kStart; a parent of 0 is none.
  Span& span(std::uint32_t in, unsigned id, unsigned parent, std::string name, std::int64_t start,
             std::int64_t length) {
    Span item;
    item.trace = trace_id(trace);
    item.id = span_id(id);
    if (parent != 0) item.parent = span_id(parent);
    item.name = std::move(name);
    item.process = in;
    item.start_ns = kStart + start * 1'000;
    item.end_ns = item.start_ns + length * 1'000;
    set.spans.push_back(std::move(item));
    return set.spans.back();
  }

  unsigned trace = 0xA1;
  TraceSet set;
};

}  // namespace spanwire::inspect::testing
