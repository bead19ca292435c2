// vLLM's log lines, letter by letter.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/journey/vllm_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::journey {
namespace {

constexpr const char* kEndpoint = "http://localhost:4317";

// The lines without their fields, and without those of others.
std::vector<std::string> texts(const testing::LogCapture& log) {
  std::vector<std::string> found;
  for (std::string line : log.lines()) {
    // Behind the text: the trace, and how many lines earlier tests left out.
    for (const char* field : {" trace_id=", " suppressed="}) {
      line.resize(std::min(line.find(field), line.size()));
    }
    if (line.find("tracing is on") == std::string::npos) found.push_back(std::move(line));
  }
  return found;
}

using Lines = std::vector<std::string>;

TEST_F(VllmTest, TheProviderSaysThatItStarts) {
  FreshLog log;
  init_vllm(VllmScope::api, kEndpoint, options());
  EXPECT_EQ(texts(log),
            (Lines{"info Initializing vllm.api tracer with endpoint: http://localhost:4317",
                   "info Initializing global TracerProvider with endpoint: http://localhost:4317",
                   "info Global TracerProvider initialized successfully",
                   "info Created tracer for scope 'vllm.api' from global provider",
                   "info Successfully initialized vllm.api tracer: spanwire::trace::Tracer"}));
}

TEST_F(VllmTest, AnotherScopeUsesTheSameProvider) {
  init_vllm(VllmScope::api, kEndpoint, options());
  trace::Provider* const first = trace::provider();
  FreshLog log;
  init_vllm(VllmScope::scheduler, kEndpoint, options());
  EXPECT_EQ(trace::provider(), first);
  EXPECT_EQ(
      texts(log),
      (Lines{"info Initializing vllm.scheduler tracer with endpoint: http://localhost:4317",
             "info Created tracer for scope 'vllm.scheduler' from global provider",
             "info Successfully initialized vllm.scheduler tracer: spanwire::trace::Tracer"}));
  // Spans of both scopes arrive: the second did not take the place of the first.
  live("r1");
  EXPECT_EQ(only("llm_request").scope, "vllm.api");
  EXPECT_EQ(only("llm_core").scope, "vllm.scheduler");
}

TEST_F(VllmTest, AnotherEndpointIsWarnedOf) {
  init_vllm(VllmScope::api, kEndpoint, options());
  FreshLog log;
  init_vllm(VllmScope::scheduler, "http://elsewhere:4317", options());
  EXPECT_EQ(log.count("warn another endpoint is ignored"), 1u);
  EXPECT_TRUE(log.contains("ignored=http://elsewhere:4317"));
}

TEST_F(VllmTest, WithoutAProviderThatIsSaid) {
  FreshLog log;
  init_vllm(VllmScope::api, kEndpoint);
  EXPECT_EQ(log.count("warn no provider is active"), 1u);
}

TEST_F(VllmTest, TheApiSpanIsToldStepByStep) {
  start();
  Random random(11);
  const trace::SpanContext above(trace::TraceId::generate(random), trace::SpanId::generate(random),
                                 trace::kFlagSampled);
  for (const bool has_headers : {false, true}) {
    FreshLog log;
    const trace::Context incoming = has_headers ? trace::Context(above) : trace::Context();
    VllmRequest request = VllmRequest::start(incoming, "req-1");
    Carrier carrier;
    request.inject(carrier);
    const std::string has = has_headers ? "True" : "False";
    EXPECT_EQ(texts(log),
              (Lines{"debug Creating API span for request req-1 (has_trace_headers=" + has + ")",
                     "debug Got tracer provider for request req-1: spanwire::trace::Provider",
                     "debug Got vllm.api tracer for request req-1: spanwire::trace::Tracer",
                     "info Created API span 'llm_request' for request req-1 (scope=vllm.api)",
                     "debug Set request_id attribute on API span for req-1",
                     "debug Emitted api.ARRIVED event for request req-1",
                     "debug Injected trace context into carrier: traceparent=" +
                         carrier["traceparent"].substr(0, 20) + "..."}));
    request.aborted("test");
  }
}

TEST_F(VllmTest, TheCoreSpanIsToldStepByStep) {
  start();
  VllmRequest request = VllmRequest::start({}, "req-1");
  Carrier carrier;
  request.inject(carrier);
  FreshLog log;
  VllmCore core = VllmCore::from(carrier, "req-1");
  EXPECT_EQ(texts(log),
            (Lines{"debug Creating core span for request req-1 (has_trace_headers=True)",
                   "debug Extracting trace context from headers: traceparent=" +
                       carrier["traceparent"].substr(0, 20) + "...",
                   "debug Extracted parent context for request req-1: True",
                   "info Created core span 'llm_core' for request req-1 (scope=vllm.scheduler, "
                   "parent_context=True)",
                   "debug Set request_id attribute on core span for req-1"}));
  core.queued(step(1));
  core.finished(VllmFinish::aborted, step(1));
  request.aborted("test");
}

TEST_F(VllmTest, ACoreWithoutItsParentIsSeenInTheLog) {
  start();
  FreshLog log;
  VllmCore core = VllmCore::start({}, "1", "req-1");
  EXPECT_TRUE(log.contains("debug Creating core span for request req-1 (has_trace_headers=False)"));
  EXPECT_TRUE(log.contains("debug Extracted parent context for request req-1: False"));
  EXPECT_TRUE(log.contains("(scope=vllm.scheduler, parent_context=False)"));
  EXPECT_FALSE(log.contains("Extracting trace context"));
  core.queued(step(1));
  core.finished(VllmFinish::aborted, step(1));
}

TEST_F(VllmTest, LinesOfRequestsCarryTheTrace) {
  start();
  FreshLog log;
  VllmRequest request = VllmRequest::start({}, "req-1");
  const std::string id = request.core_context().span().trace_id().hex().str();
  EXPECT_TRUE(log.contains("(scope=vllm.api) trace_id=" + id));
  request.aborted("test");
}

TEST_F(VllmTest, LinesOfRequestsCanBeLimitedAllOrNone) {
  start();
  const auto written = [](RequestLines lines) {
    VllmOptions options;
    options.clock = &clock();
    options.request_lines = lines;
    set_vllm_options(options);
    FreshLog log;
    for (int i = 0; i < 20; ++i) {
      VllmRequest request = VllmRequest::start({}, std::to_string(i));
      request.aborted("test");
    }
    return log.count("info Created API span 'llm_request' for request");
  };
  EXPECT_EQ(written(RequestLines::every), 20u);
  EXPECT_EQ(written(RequestLines::off), 0u);
  EXPECT_EQ(written(RequestLines::limited), kLogLinesPerSecondMax);
}

// In a child: it is said once in the life of a process.
TEST_F(VllmTest, ACallersContextWithoutTracingIsWarnedOfOnce) {
  const int wrong = testing::run_in_child([] {
    FreshLog log;
    Random random(11);
    const trace::SpanContext above(trace::TraceId::generate(random),
                                   trace::SpanId::generate(random), trace::kFlagSampled);
    VllmRequest::start({}, "req-0");
    const std::size_t before = log.count("warn a request carries a trace context");
    VllmRequest::start(trace::Context(above), "req-1");
    VllmRequest::start(trace::Context(above), "req-2");
    const std::size_t after = log.count("warn a request carries a trace context");
    return before == 0 && after == 1 &&
                   log.contains("debug Got tracer provider for request req-1: none")
               ? 0
               : 1;
  });
  EXPECT_EQ(wrong, 0);
}

TEST_F(VllmTest, AnUnsampledRequestWritesNoLine) {
  start();
  VllmOptions options;
  options.clock = &clock();
  options.sample_rate = 0;
  set_vllm_options(options);
  FreshLog log;
  VllmRequest request = VllmRequest::start({}, "req-1");
  request.aborted("test");
  EXPECT_FALSE(log.contains("req-1"));
}

}  // namespace
}  // namespace spanwire::journey
