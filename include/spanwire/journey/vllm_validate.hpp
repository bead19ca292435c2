// Checks finished journeys of vLLM's model: whatever wrote the spans, vLLM or this library.
//
// For each request, by gen_ai.request.id:
//   journey_scope_unknown     a scope "vllm..." that is none of vllm.api, vllm.scheduler and
//                             vllm.scheduler.step, such as vllm.llm_engine, which doubles spans
//   journey_request_repeated  more than one llm_request, or llm_core
//   journey_incomplete        one of the two without the other; a request that was aborted before
//                             HANDOFF_TO_CORE has no llm_core
//   journey_split             two trace ids
//   journey_parent_wrong      llm_core is not directly under llm_request
//   journey_span_kind         llm_request is not of kind server, llm_core not internal
//   and for each event what VllmOrder says; journey_left_open where the end is missing
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spanwire/base/errc.hpp"
#include "spanwire/trace/ids.hpp"
#include "spanwire/trace/memory_exporter.hpp"

namespace spanwire::journey {

// What there is to know of one event.
struct VllmEventFacts {
  std::string name;
  std::int64_t time_ns = 0;
  std::int64_t step = 0;
  std::string schedule_kind;
  std::string finish_status;
  std::int64_t prefill_done = 0;
  std::int64_t decode_done = 0;
  std::int64_t preemptions = 0;
};

// What there is to know of one span, from whatever it was read.
struct VllmSpanFacts {
  std::string scope;
  std::string name;
  int kind = 0;  // OTLP's number
  trace::TraceId trace_id;
  trace::SpanId span_id;
  trace::SpanId parent_span_id;
  std::string request_id;  // empty: unknown
  std::vector<VllmEventFacts> events;
};
VllmSpanFacts facts_of(const trace::SpanData& span);

struct VllmViolation {
  Errc rule = Errc::ok;
  std::string request_id;
  std::string span;                    // its name
  std::optional<std::size_t> event{};  // its number on the span, from 0
  std::string detail;

  // "journey_event_repeated: request r1, llm_core, event 3 journey.FIRST_TOKEN"
  std::string to_string() const;
};

// Every violation; those of one request together, in the order of the rules above and of the
// events.  Other spans are skipped.
std::vector<VllmViolation> validate_vllm(std::span<const VllmSpanFacts> spans);
// Of the spans of a MemoryExporter.
std::vector<VllmViolation> validate_vllm(std::span<const trace::SpanData> spans);

}  // namespace spanwire::journey
