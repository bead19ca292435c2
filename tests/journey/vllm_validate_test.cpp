#include "spanwire/journey/vllm_validate.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/journey/vllm_fixture.hpp"

namespace spanwire::journey {
namespace {

using Spans = std::vector<VllmSpanFacts>;

VllmEventFacts event(const char* name, std::int64_t time_ns, const char* schedule = "",
                     const char* finish = "") {
  VllmEventFacts facts;
  facts.name = name;
  facts.time_ns = time_ns;
  facts.step = time_ns;
  facts.schedule_kind = schedule;
  facts.finish_status = finish;
  return facts;
}

// As the documents of vLLM show it; request at [0], core at [1].
Spans documented() {
  Random random(5);
  VllmSpanFacts request;
  request.scope = "vllm.api";
  request.name = "llm_request";
  request.kind = 2;
  request.trace_id = trace::TraceId::generate(random);
  request.span_id = trace::SpanId::generate(random);
  request.request_id = "r1";
  request.events = {event("api.ARRIVED", 1), event("api.HANDOFF_TO_CORE", 2),
                    event("api.FIRST_RESPONSE_FROM_CORE", 6), event("api.DEPARTED", 9)};
  VllmSpanFacts core;
  core.scope = "vllm.scheduler";
  core.name = "llm_core";
  core.kind = 1;
  core.trace_id = request.trace_id;
  core.span_id = trace::SpanId::generate(random);
  core.parent_span_id = request.span_id;
  core.request_id = "r1";
  core.events = {event("journey.QUEUED", 3),
                 event("journey.SCHEDULED", 4, "FIRST"),
                 event("journey.FIRST_TOKEN", 5),
                 event("journey.PREEMPTED", 6),
                 event("journey.SCHEDULED", 7, "RESUME"),
                 event("journey.FINISHED", 8, "", "stopped")};
  return {request, core};
}

struct Broken {
  const char* name;
  std::function<void(Spans&)> harm;
  std::vector<std::string> expected;  // all violations, letter by letter
};

const std::vector<Broken> kBroken = {
    {"Nothing", [](Spans&) {}, {}},
    {"ForeignSpansAreSkipped",
     [](Spans& s) {
       s.push_back({});
       s.back().name = "GET /";
       s.back().scope = "http";
     },
     {}},
    {"StepSpansAreNoJourney",
     [](Spans& s) {
       s.push_back({});
       s.back().name = "scheduler_steps_1";
       s.back().scope = "vllm.scheduler.step";
     },
     {}},
    {"EventsOfOthersAreSkipped",
     [](Spans& s) { s[1].events.insert(s[1].events.begin(), event("exception", 9)); },
     {}},
    {"AbortedBeforeTheCore",
     [](Spans& s) {
       s.pop_back();
       s[0].events = {event("api.ARRIVED", 1), event("api.ABORTED", 2)};
     },
     {}},
    {"EngineScope",
     [](Spans& s) { s[1].scope = "vllm.llm_engine"; },
     {"journey_scope_unknown: request r1, llm_core vllm.llm_engine"}},
    {"SecondRequestSpan",
     [](Spans& s) { s.insert(s.begin() + 1, s[0]); },
     {"journey_request_repeated: request r1, llm_request 2 of them"}},
    {"SecondCoreSpan",
     [](Spans& s) { s.push_back(s[1]); },
     {"journey_request_repeated: request r1, llm_core 2 of them"}},
    {"NoCore",
     [](Spans& s) { s.pop_back(); },
     {"journey_incomplete: request r1, llm_request without llm_core"}},
    {"NoRequest",
     [](Spans& s) { s.erase(s.begin()); },
     {"journey_incomplete: request r1, llm_core without llm_request"}},
    {"AnotherTrace",
     [](Spans& s) {
       s[1].trace_id = *trace::TraceId::from_hex("0123456789abcdef0123456789abcdef");
     },
     {"journey_split: request r1, llm_core 0123456789abcdef0123456789abcdef"}},
    {"AnotherParent",
     [](Spans& s) { s[1].parent_span_id = *trace::SpanId::from_hex("0123456789abcdef"); },
     {"journey_parent_wrong: request r1, llm_core 0123456789abcdef"}},
    {"RequestOfKindInternal",
     [](Spans& s) { s[0].kind = 1; },
     {"journey_span_kind: request r1, llm_request kind 1"}},
    {"CoreOfKindServer",
     [](Spans& s) { s[1].kind = 2; },
     {"journey_span_kind: request r1, llm_core kind 2"}},
    {"NoDeparture",
     [](Spans& s) { s[0].events.pop_back(); },
     {"journey_left_open: request r1, llm_request no end"}},
    {"NoFirstToken",
     [](Spans& s) { s[1].events.erase(s[1].events.begin() + 2); },
     {"journey_event_missing: request r1, llm_core, event 4 journey.FINISHED"}},
    {"NeverResumed",
     [](Spans& s) { s[1].events.erase(s[1].events.begin() + 4); },
     {"journey_event_missing: request r1, llm_core, event 4 journey.FINISHED"}},
    {"PreemptedLast",
     [](Spans& s) { s[1].events.resize(4); },
     {"journey_left_open: request r1, llm_core no end"}},
    {"ScheduledFirstAfterPreemption",
     [](Spans& s) { s[1].events[4].schedule_kind = "FIRST"; },
     {"journey_schedule_kind: request r1, llm_core, event 4 journey.SCHEDULED"}},
    {"TimeBackwards",
     [](Spans& s) { s[0].events[2].time_ns = 1; },
     {"journey_time_backwards: request r1, llm_request, event 2 api.FIRST_RESPONSE_FROM_CORE"}},
    {"StepBackwards",
     [](Spans& s) { s[1].events[2].step = 1; },
     {"journey_step_backwards: request r1, llm_core, event 2 journey.FIRST_TOKEN"}},
    {"EventOfTheOtherSpan",
     [](Spans& s) { s[1].events[0].name = "api.ARRIVED"; },
     {"journey_event_misplaced: request r1, llm_core, event 0 api.ARRIVED",
      "journey_event_out_of_order: request r1, llm_core, event 1 journey.SCHEDULED",
      "journey_event_out_of_order: request r1, llm_core, event 2 journey.FIRST_TOKEN",
      "journey_event_out_of_order: request r1, llm_core, event 3 journey.PREEMPTED",
      "journey_event_out_of_order: request r1, llm_core, event 4 journey.SCHEDULED",
      "journey_event_out_of_order: request r1, llm_core, event 5 journey.FINISHED"}},
};

class VllmValidateTest : public ::testing::TestWithParam<Broken> {};

TEST_P(VllmValidateTest, SaysExactlyWhatIsBroken) {
  Spans spans = documented();
  GetParam().harm(spans);
  std::vector<std::string> found;
  for (const VllmViolation& violation : validate_vllm(spans))
    found.push_back(violation.to_string());
  EXPECT_EQ(found, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Table, VllmValidateTest, ::testing::ValuesIn(kBroken),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(VllmValidate, TellsRequestsApart) {
  Spans spans = documented();
  Spans other = documented();
  for (VllmSpanFacts& span : other) span.request_id = "r2";
  other[1].kind = 5;
  spans.insert(spans.end(), other.begin(), other.end());
  const std::vector<VllmViolation> found = validate_vllm(spans);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].request_id, "r2");
  EXPECT_EQ(found[0].rule, Errc::journey_span_kind);
}

// What this library records in good order passes; what it marked as misuse is found again.
TEST_F(VllmTest, TheValidatorReadsWhatIsRecorded) {
  start();
  live("good");
  EXPECT_TRUE(validate_vllm(spans()).empty());
  {
    VllmRequest request = VllmRequest::start({}, "bad");
    request.first_response_from_core(tick());
    request.aborted("test", {}, tick());
  }
  const std::vector<VllmViolation> found = validate_vllm(spans());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].to_string(),
            "journey_event_out_of_order: request bad, llm_request, event 1 "
            "api.FIRST_RESPONSE_FROM_CORE");
}

}  // namespace
}  // namespace spanwire::journey
