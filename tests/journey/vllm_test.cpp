#include "spanwire/journey/vllm.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "spanwire/journey/vllm_validate.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "tests/journey/vllm_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::journey {
namespace {

using trace::SpanData;
using trace::SpanKind;
using trace::StatusCode;

std::vector<std::string> events_of(const SpanData& span) {
  std::vector<std::string> names;
  for (const SpanData::Event& event : span.events) names.push_back(event.name);
  return names;
}

trace::Context caller(std::uint8_t flags = trace::kFlagSampled) {
  Random random(11);
  const trace::SpanContext span(trace::TraceId::generate(random), trace::SpanId::generate(random),
                                flags, true);
  return trace::Context().with_span(span, "vendor=1");
}

TEST_F(VllmTest, AJourneyIsTwoSpansOfOneTrace) {
  start();
  live("r1", caller());
  const SpanData request = only("llm_request");
  const SpanData core = only("llm_core");
  EXPECT_EQ(spans().size(), 2u);
  EXPECT_EQ(request.scope, "vllm.api");
  EXPECT_EQ(core.scope, "vllm.scheduler");
  EXPECT_EQ(request.kind, SpanKind::server);
  EXPECT_EQ(core.kind, SpanKind::internal);
  EXPECT_EQ(request.context.trace_id(), caller().span().trace_id());
  EXPECT_EQ(request.parent_span_id, caller().span().span_id());
  EXPECT_EQ(core.context.trace_id(), request.context.trace_id());
  EXPECT_EQ(core.parent_span_id, request.context.span_id());
  EXPECT_EQ(core.tracestate, "vendor=1");
  EXPECT_EQ(request.status, StatusCode::unset);
  EXPECT_EQ(core.status, StatusCode::unset);
  EXPECT_EQ(events_of(request),
            (std::vector<std::string>{"api.ARRIVED", "api.HANDOFF_TO_CORE",
                                      "api.FIRST_RESPONSE_FROM_CORE", "api.DEPARTED"}));
  EXPECT_EQ(events_of(core), (std::vector<std::string>{"journey.QUEUED", "journey.SCHEDULED",
                                                       "journey.FIRST_TOKEN", "journey.PREEMPTED",
                                                       "journey.SCHEDULED", "journey.FINISHED"}));
  EXPECT_TRUE(validate_vllm(spans()).empty());
}

TEST_F(VllmTest, WithoutACallerTheRequestIsTheRoot) {
  start();
  live("r1");
  EXPECT_EQ(only("llm_request").parent_span_id, trace::SpanId());
}

// What the documents of vLLM show, and all that is beside it, byte for byte; ids by name.
class TextExporter final : public trace::Exporter {
 public:
  explicit TextExporter(std::shared_ptr<std::string> text) : text_(std::move(text)) {}
  std::string_view name() const noexcept override { return "text"; }
  void start(const trace::Resource& resource) override { encoder_.emplace(resource); }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    Buffer out;
    encoder_->encode(spans, out);
    text_->append(spanwire::text_of(out.view()));
    return {spans.size(), {}};
  }

 private:
  std::shared_ptr<std::string> text_;
  std::optional<otlp::JsonEncoder> encoder_;
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
  }
}

TEST_F(VllmTest, TheDocumentedStructureIsWrittenByteForByte) {
  const auto text = std::make_shared<std::string>();
  static ManualClock& still = *new ManualClock;
  trace::ProviderOptions options = this->options();
  options.exporters.clear();
  options.exporters.push_back(std::make_unique<TextExporter>(text));
  options.clock = &still;
  trace::init(std::move(options));
  const auto at = [](int ms) { return still.monotonic() + std::chrono::milliseconds(ms); };
  const auto in_step = [&at](int ms, VllmPhase phase, std::int64_t done) {
    return VllmStep{ms, {phase, 12, 12, done, 40, 0}, at(ms)};
  };
  VllmRequest request = VllmRequest::start(caller(), "r1", {.at = at(0)});
  request.handoff_to_core(at(1));
  VllmCore core =
      VllmCore::start(request.core_context(), request.sampled_header(), "r1", {.at = at(2)});
  const trace::SpanContext core_span = core.span();
  core.queued(in_step(3, VllmPhase::waiting, 0));
  core.scheduled(VllmSchedule::first, in_step(4, VllmPhase::prefill, 0));
  core.first_token(in_step(5, VllmPhase::decode, 1));
  core.finished(VllmFinish::stopped, in_step(6, VllmPhase::decode, 2));
  request.first_response_from_core(at(7));
  request.departed({{12, 2, 0}, Outcome::stop, {}, at(8)});
  ASSERT_TRUE(flush().complete());

  std::string scopes =
      nlohmann::ordered_json::parse(*text)["resourceSpans"][0]["scopeSpans"].dump(1);
  replace_all(scopes, caller().span().trace_id().hex().str(), "TRACE");
  replace_all(scopes, caller().span().span_id().hex().str(), "CALLER");
  replace_all(scopes, request.core_context().span().span_id().hex().str(), "LLM_REQUEST");
  replace_all(scopes, core_span.span_id().hex().str(), "LLM_CORE");
  std::ifstream file(SPANWIRE_SOURCE_DIR "/tests/journey/golden/vllm_journey.json");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(scopes + "\n", golden.str());
}

TEST_F(VllmTest, TheEndSaysUsageAndTimes) {
  start();
  live("r1");
  const SpanData request = only("llm_request");
  const SpanData core = only("llm_core");
  EXPECT_EQ(text_of(request.attribute("gen_ai.request.id")), "r1");
  EXPECT_EQ(text_of(core.attribute("gen_ai.request.id")), "r1");
  EXPECT_EQ(text_of(request.attribute("gen_ai.request.model")), "m");
  EXPECT_EQ(text_of(request.attribute("gen_ai.response.model")), "m-1");
  const auto number = [](const SpanData& span, const char* key) {
    const trace::OwnedValue* value = span.attribute(key);
    return value != nullptr ? std::get<std::int64_t>(*value) : -1;
  };
  EXPECT_EQ(number(request, "gen_ai.usage.prompt_tokens"), 12);
  EXPECT_EQ(number(request, "gen_ai.usage.completion_tokens"), 3);
  EXPECT_EQ(number(request, "gen_ai.usage.cached_tokens"), 4);
  const auto seconds = [](const SpanData& span, const char* key) {
    const trace::OwnedValue* value = span.attribute(key);
    return value != nullptr ? std::get<double>(*value) : -1;
  };
  EXPECT_DOUBLE_EQ(seconds(request, "gen_ai.latency.time_to_first_token"), 0.009);
  EXPECT_DOUBLE_EQ(seconds(request, "gen_ai.latency.e2e"), 0.010);
  EXPECT_DOUBLE_EQ(seconds(core, "gen_ai.latency.time_in_queue"), 0.001);
  EXPECT_DOUBLE_EQ(seconds(core, "gen_ai.latency.time_in_model_prefill"), 0.001);
  EXPECT_DOUBLE_EQ(seconds(core, "gen_ai.latency.time_in_model_decode"), 0.003);
  EXPECT_DOUBLE_EQ(seconds(core, "gen_ai.latency.time_in_model_inference"), 0.004);
}

TEST_F(VllmTest, WritesTheVocabularyInForce) {
  start();
  set_vocabulary(Vocabulary::both);
  live("r1");
  const SpanData request = only("llm_request");
  EXPECT_NE(request.attribute("gen_ai.usage.prompt_tokens"), nullptr);
  EXPECT_NE(request.attribute("gen_ai.usage.input_tokens"), nullptr);
}

TEST_F(VllmTest, NumbersComeFromTheSameStamps) {
  start();
  const RouteNumbers route = route_numbers("/vllm", {.profile = Profile::vllm, .model = "m"});
  live("r1", {}, &route);
  const SpanData request = only("llm_request");
  const SpanData core = only("llm_core");
  const MetricsSnapshot snapshot = metrics_snapshot();
  const auto series = [&](const char* family) {
    return *snapshot.family(family)->find({"m", "/vllm"});
  };
  EXPECT_EQ(series("vllm:time_to_first_token_seconds").sum, 9'000'000u);
  EXPECT_EQ(series("vllm:e2e_request_latency_seconds").sum,
            static_cast<std::uint64_t>((request.end - request.start).count()));
  EXPECT_EQ(series("vllm:request_queue_time_seconds").sum, 1'000'000u);
  EXPECT_EQ(series("vllm:request_prefill_time_seconds").sum, 1'000'000u);
  EXPECT_EQ(series("vllm:num_preemptions_total").value, 1);
  EXPECT_EQ(series("vllm:prompt_tokens_total").value, 12);
  const auto exemplar = [&](const char* family) {
    for (const ExemplarReading& reading : series(family).exemplars) {
      if (reading.value != 0) return reading.exemplar;
    }
    return Exemplar();
  };
  EXPECT_EQ(exemplar("vllm:e2e_request_latency_seconds").span_id,
            request.context.span_id().bytes());
  EXPECT_EQ(exemplar("vllm:request_queue_time_seconds").span_id, core.context.span_id().bytes());
  EXPECT_EQ(exemplar("vllm:request_queue_time_seconds").trace_id, core.context.trace_id().bytes());
}

TEST_F(VllmTest, AnAbortIsAnErrorOfTheRequest) {
  start();
  VllmRequest request = VllmRequest::start({}, "r1");
  EXPECT_EQ(request.aborted("client went away", "disconnect", tick()), Errc::ok);
  const SpanData span = only("llm_request");
  EXPECT_EQ(span.status, StatusCode::error);
  EXPECT_EQ(span.status_message, "client went away");
  EXPECT_EQ(span.attribute("spanwire.misuse"), nullptr);
  EXPECT_EQ(span.events.back().name, "api.ABORTED");
  const trace::OwnedAttributes& attributes = span.events.back().attributes;
  EXPECT_EQ(attributes.at(3).first, "error");
  EXPECT_EQ(attributes.at(4).first, "reason");
  EXPECT_TRUE(validate_vllm(spans()).empty()) << "it never got to the core";
}

// ---- Sampling

TEST_F(VllmTest, NotSampledMeansNoSpanAnywhereAndAnUntouchedContext) {
  start();
  VllmOptions options;
  options.clock = &clock();
  options.sample_rate = 0;
  set_vllm_options(options);
  VllmRequest request = VllmRequest::start(caller(), "r1");
  Carrier carrier;
  request.inject(carrier);
  EXPECT_EQ(carrier,
            (Carrier{{"traceparent", std::string(trace::traceparent_text(caller().span()))},
                     {"tracestate", "vendor=1"}}));
  VllmCore core = VllmCore::from(carrier, "r1");
  EXPECT_EQ(core.span(), caller().span()) << "calls go on in the caller's trace";
  EXPECT_EQ(core.context().tracestate(), "vendor=1");
  live(core);
  request.handoff_to_core();
  request.first_response_from_core();
  request.departed();
  EXPECT_FALSE(request.sampled());
  EXPECT_FALSE(core.sampled());
  EXPECT_EQ(stats().started, 0u);
}

TEST_F(VllmTest, TheDecisionTravelsInItsHeaderBesideTheTrace) {
  start();
  VllmRequest request = VllmRequest::start(caller(), "r1");
  Carrier carrier;
  request.inject(carrier);
  EXPECT_EQ(carrier["x-vllm-journey-sampled"], "1");
  EXPECT_EQ(carrier["traceparent"], trace::traceparent_text(request.core_context().span()).view());
  std::multimap<std::string, std::string> upper;
  upper.emplace("TraceParent", carrier["traceparent"]);
  upper.emplace("X-VLLM-Journey-Sampled", "1");
  VllmCore core = VllmCore::from(upper, "r1");
  EXPECT_TRUE(core.sampled());
  EXPECT_EQ(core.span().trace_id(), caller().span().trace_id());
  core.queued(step(1));
  core.finished(VllmFinish::aborted, step(1));
  request.aborted("test");
}

TEST_F(VllmTest, ACallerThatDoesNotSampleLeavesNoJourney) {
  start();
  live("r1", caller(0));
  EXPECT_TRUE(spans().empty());
  VllmRequest request = VllmRequest::start(caller(0), "r1");
  EXPECT_EQ(request.core_context().span().trace_id(), caller().span().trace_id());
  EXPECT_FALSE(request.core_context().span().sampled());
  EXPECT_EQ(request.core_context().tracestate(), "vendor=1");
  EXPECT_EQ(request.sampled_header(), "");
}

TEST_F(VllmTest, CallsForTheCoreStandUnderItsSpan) {
  start();
  VllmCore core = VllmCore::start(caller(), "1", "r1");
  const trace::Context context = core.context();
  core.queued(step(1));
  core.finished(VllmFinish::aborted, step(1));
  EXPECT_EQ(context.span(), only("llm_core").context);
  EXPECT_EQ(context.tracestate(), "vendor=1");
}

TEST_F(VllmTest, ARateThatIsNoneIsWarnedOf) {
  start();
  const auto share = [](double rate) {
    FreshLog log;
    VllmOptions options;
    options.clock = &clock();
    options.sample_rate = rate;
    set_vllm_options(options);
    EXPECT_EQ(log.count("warn a sample rate is not from 0 to 1"), 1u) << rate;
    VllmRequest request = VllmRequest::start({}, "r1");
    const bool sampled = request.sampled();
    request.aborted("test");
    return sampled;
  };
  EXPECT_TRUE(share(10.0));
  EXPECT_FALSE(share(-0.1));
  EXPECT_TRUE(share(std::numeric_limits<double>::quiet_NaN()));
}

TEST_F(VllmTest, TheSampleRateIsKept) {
  start();
  VllmOptions options;
  options.clock = &clock();
  options.sample_rate = 0.25;
  set_vllm_options(options);
  int sampled = 0;
  for (int i = 0; i < 2000; ++i) {
    VllmRequest request = VllmRequest::start({}, std::to_string(i));
    sampled += request.sampled() ? 1 : 0;
    request.aborted("test");
  }
  // Eight standard deviations.
  EXPECT_GT(sampled, 345);
  EXPECT_LT(sampled, 655);
}

TEST_F(VllmTest, WithoutAProviderNothingIsRecordedAndTheContextGoesOn) {
  VllmRequest request = VllmRequest::start(caller(), "r1");
  Carrier carrier;
  request.inject(carrier);
  EXPECT_EQ(carrier.count("x-vllm-journey-sampled"), 0u);
  EXPECT_EQ(carrier["traceparent"], trace::traceparent_text(caller().span()).view());
  request.handoff_to_core();
  request.first_response_from_core();
  EXPECT_EQ(request.departed(), Errc::ok);
}

// ---- Preemption

TEST_F(VllmTest, PreemptionsBeyondTheLimitAreCountedAndTheEndKeepsItsPlace) {
  start();
  constexpr std::int64_t kMore = 20;
  VllmCore core = VllmCore::start(caller(), "1", "r1");
  core.queued(step(1));
  core.scheduled(VllmSchedule::first, step(1));
  for (std::int64_t i = 1; i <= kVllmPreemptionsListedMax + kMore; ++i) {
    EXPECT_EQ(core.preempted(step(i, VllmPhase::prefill, 4, 0, i)), Errc::ok);
    EXPECT_EQ(core.scheduled(VllmSchedule::resume, step(i, VllmPhase::prefill, 4, 0, i)), Errc::ok);
  }
  core.first_token(step(100, VllmPhase::decode, 12, 1, kVllmPreemptionsListedMax + kMore));
  EXPECT_EQ(core.finished(VllmFinish::stopped,
                          step(101, VllmPhase::decode, 12, 1, kVllmPreemptionsListedMax + kMore)),
            Errc::ok);
  const SpanData span = only("llm_core");
  EXPECT_EQ(span.events.size(), 4 + 2 * kVllmPreemptionsListedMax);
  EXPECT_EQ(span.events.back().name, "journey.FINISHED");
  EXPECT_EQ(std::get<std::int64_t>(*span.attribute("spanwire.preemptions_unlisted")), kMore);
  EXPECT_EQ(span.dropped_events, 0u);
  EXPECT_EQ(span.attribute("spanwire.misuse"), nullptr);
}

// ---- Processes and forks

TEST_F(VllmTest, AChildGoesOnWithWhatTheParentHandsOver) {
  start();
  VllmRequest request = VllmRequest::start({}, "r1");
  Carrier carrier;
  request.inject(carrier);
  const int wrong = testing::run_in_child([&] {
    // A request of the same name in the child is another one: the parent's is not alive here.
    VllmRequest own = VllmRequest::start({}, "r1");
    own.aborted("child");
    VllmCore core = VllmCore::from(carrier, "r1");
    if (!core.sampled() || core.span().trace_id() != request.core_context().span().trace_id()) {
      return 1;
    }
    live(core);
    const trace::FlushReport report = trace::provider()->shutdown(trace::kEnough);
    return report.complete() && report.exported == 2 &&
                   misuse_count(Errc::journey_request_repeated) == 0
               ? 0
               : 2;
  });
  EXPECT_EQ(wrong, 0);
  request.handoff_to_core();
  request.first_response_from_core();
  EXPECT_EQ(request.departed(), Errc::ok);
  EXPECT_EQ(only("llm_request").attribute("spanwire.misuse"), nullptr);
}

}  // namespace
}  // namespace spanwire::journey
