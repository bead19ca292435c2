// journey/vllm_request: a request of vLLM's model, both spans with ten events and all of their
// attributes, against the same by hand; journey/vllm_unsampled: the same calls for a request that
// is not traced; metrics/observe_exemplar: one time of a request into its histogram, with the trace
// that it belongs to, against the same by hand.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "bench/floor/vllm_by_hand.hpp"
#include "bench/in_chunks.hpp"
#include "bench/measure.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/journey/numbers.hpp"
#include "spanwire/journey/vllm.hpp"
#include "spanwire/trace/provider.hpp"

namespace {

using namespace spanwire;
using journey::VllmFinish;
using journey::VllmPhase;
using journey::VllmSchedule;
using journey::VllmStep;

constexpr std::string_view kId = "chatcmpl-0123456789abcdef";
// The largest entry is about 2 KiB: a quarter of a ring.
constexpr std::uint64_t kChunk = 1024;

VllmStep step(std::int64_t number, VllmPhase phase, std::int64_t prefill, std::int64_t decode,
              std::int64_t preemptions) {
  return {number, {phase, prefill, 512, decode, 128, preemptions}, {}};
}

void request_ours(const trace::Context& incoming) {
  journey::VllmRequest request = journey::VllmRequest::start(incoming, kId);
  request.handoff_to_core();
  {
    journey::VllmCore core =
        journey::VllmCore::start(request.core_context(), request.sampled_header(), kId);
    core.queued(step(1, VllmPhase::waiting, 0, 0, 0));
    core.scheduled(VllmSchedule::first, step(2, VllmPhase::prefill, 0, 0, 0));
    core.first_token(step(3, VllmPhase::decode, 512, 1, 0));
    core.preempted(step(4, VllmPhase::decode, 512, 2, 1));
    core.scheduled(VllmSchedule::resume, step(5, VllmPhase::decode, 512, 2, 1));
    core.finished(VllmFinish::stopped, step(6, VllmPhase::decode, 512, 3, 1));
  }
  request.first_response_from_core();
  request.departed({{512, 3, 0}, journey::Outcome::stop, {}, {}});
}

using Hand = floor::JourneySpan;
using HandDrain = floor::Drain<Hand, 4096>;

void core_by_hand(floor::Ring<Hand, 4096>& ring, const Hand& request) {
  Hand core;
  floor::start_journey(core, request.trace_id, request.span_id, "llm_core", 1, kId);
  floor::add_core_event(core, "journey.QUEUED", "QUEUED", "WAITING", 1, {0, 512, 0, 128, 0});
  floor::add_core_event(core, "journey.SCHEDULED", "SCHEDULED", "PREFILL", 2, {0, 512, 0, 128, 0})
      .set("schedule.kind", "FIRST");
  floor::add_core_event(core, "journey.FIRST_TOKEN", "FIRST_TOKEN", "DECODE", 3,
                        {512, 512, 1, 128, 0});
  floor::add_core_event(core, "journey.PREEMPTED", "PREEMPTED", "DECODE", 4, {512, 512, 2, 128, 1});
  floor::add_core_event(core, "journey.SCHEDULED", "SCHEDULED", "DECODE", 5, {512, 512, 2, 128, 1})
      .set("schedule.kind", "RESUME");
  floor::add_core_event(core, "journey.FINISHED", "FINISHED", "DECODE", 6, {512, 512, 3, 128, 1})
      .set("finish.status", "stopped");
  const auto between = [&core](std::size_t from, std::size_t to) {
    return static_cast<double>(core.events[to].time_ns - core.events[from].time_ns) / 1e9;
  };
  core.set("gen_ai.latency.time_in_queue", between(0, 1));
  core.set("gen_ai.latency.time_in_model_inference", between(1, 5));
  core.set("gen_ai.latency.time_in_model_prefill", between(1, 2));
  core.set("gen_ai.latency.time_in_model_decode", between(2, 5));
  core.end_ns = core.events[5].time_ns;
  ring.push(core, core.bytes());
}

void request_by_hand(floor::Ring<Hand, 4096>& ring, const std::array<std::uint64_t, 2>& trace_id) {
  Hand request;
  floor::start_journey(request, trace_id, 7, "llm_request", 2, kId);
  floor::add_api_event(request, "api.ARRIVED", "ARRIVED");
  floor::add_api_event(request, "api.HANDOFF_TO_CORE", "HANDOFF_TO_CORE");
  core_by_hand(ring, request);
  floor::add_api_event(request, "api.FIRST_RESPONSE_FROM_CORE", "FIRST_RESPONSE_FROM_CORE");
  floor::add_api_event(request, "api.DEPARTED", "DEPARTED");
  request.set("gen_ai.usage.prompt_tokens", std::int64_t{512});
  request.set("gen_ai.usage.completion_tokens", std::int64_t{3});
  const auto since_start = [&request](std::size_t event) {
    return static_cast<double>(request.events[event].time_ns - request.start_ns) / 1e9;
  };
  request.set("gen_ai.latency.e2e", since_start(3));
  request.set("gen_ai.latency.time_to_first_token", since_start(2));
  request.end_ns = request.events[3].time_ns;
  ring.push(request, request.bytes());
}

void requests(const bench::Bench& bench, const trace::Context& incoming) {
  HandDrain drain;
  std::array<std::uint64_t, 2> trace_id = {1, 2};
  bench.compare(
      "journey/vllm_request",
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
            [&] {
              bench::opaque(incoming);
              request_ours(incoming);
            },
            [] { trace::provider()->force_flush(std::chrono::seconds(30)); });
      },
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
            [&] {
              bench::opaque(trace_id);
              request_by_hand(drain.ring(), trace_id);
            },
            [&] { drain.wait_until_empty(); });
      });
}

void unsampled(const bench::Bench& bench, const trace::Context& incoming) {
  journey::VllmOptions options;
  options.sample_rate = 0;
  journey::set_vllm_options(options);
  bench.measure("journey/vllm_unsampled", [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(incoming);
      request_ours(incoming);
    }
  });
}

void observe(const bench::Bench& bench, const trace::SpanContext& span) {
  const journey::RouteNumbers route = journey::route_numbers("/bench", {.model = "m"});
  floor::HandHistogram hand;
  const MonotonicTime at = Clock::system().monotonic();
  std::uint64_t value = 0;
  const auto next = [&value] { return value = (value + 7'919'000) % 2'000'000'000; };
  bench.compare(
      "metrics/observe_exemplar",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          route.observe(journey::Interval::first_token, std::chrono::nanoseconds(next()), span, at);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          hand.observe(next(), span.trace_id().bytes(), span.span_id().bytes(),
                       at.time_since_epoch().count());
          bench::opaque(hand);
        }
      });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  // A line for each request is no part of what is measured.
  set_log_level(LogLevel::warn);
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<bench::TakingExporter>());
  trace::Provider& provider = trace::init(std::move(options));
  Random random(7);
  const trace::Context incoming(trace::SpanContext(trace::TraceId::generate(random),
                                                   trace::SpanId::generate(random),
                                                   trace::kFlagSampled, true));
  requests(bench, incoming);
  unsampled(bench, incoming);
  observe(bench, incoming.span());
  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(10));
  if (!report.complete()) std::fprintf(stderr, "%s\n", report.to_string().c_str());
}
