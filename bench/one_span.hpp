// The workload of a recorded span, ours and by hand: a remote parent, kind server, a name of 19
// characters, four attributes (texts of 8 and 19 characters, an integer, a real) and an event.
#pragma once

#include <cstdint>
#include <string>

#include "bench/floor/span_by_hand.hpp"
#include "bench/floor/w3c_by_hand.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::bench {

struct Texts {
  std::string name = "llm/decode/generate";
  std::string system = "spanwire";
  std::string method = "llm/decode/generate";
  std::int64_t port = 7001;
  double seconds = 0.00125;
};

inline void record_ours(const trace::Tracer& tracer, const trace::Context& parent,
                        const Texts& texts) {
  trace::Span span = tracer.start(parent, texts.name, trace::SpanKind::server);
  span.set("rpc.system.name", texts.system);
  span.set("rpc.method", texts.method);
  span.set("server.port", texts.port);
  span.set("queue.seconds", texts.seconds);
  span.add_event("first_byte");
  span.end();
}

inline void record_by_hand(floor::SpanRing& ring, const unsigned char* trace_id,
                           const unsigned char* parent_id, const Texts& texts) {
  floor::Span span;
  floor::start_span(span, trace_id, parent_id, texts.name, 2);
  floor::set(span, "rpc.system.name", texts.system);
  floor::set(span, "rpc.method", texts.method);
  floor::set(span, "server.port", texts.port);
  floor::set(span, "queue.seconds", texts.seconds);
  floor::add_event(span, "first_byte");
  floor::end_span(span, ring);
}

inline trace::Context parent_with(std::uint8_t flags) {
  Random random(7);
  return trace::Context(trace::SpanContext(trace::TraceId::generate(random),
                                           trace::SpanId::generate(random), flags, true));
}

}  // namespace spanwire::bench
