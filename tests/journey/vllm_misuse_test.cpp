// Misuse of vLLM's model: exported with a mark, counted by kind, an error in strict mode.
#include <gtest/gtest.h>

#include <functional>

#include "spanwire/base/counters.hpp"
#include "tests/journey/vllm_fixture.hpp"

namespace spanwire::journey {
namespace {

using trace::SpanData;
using trace::StatusCode;

struct Misuse {
  const char* name;
  Errc kind;
  // Commits it; returns what the wrong call returned.
  std::function<Errc()> commit;
  const char* marked;  // the span that says so
};

VllmStep at_step(std::int64_t step) {
  VllmStep made;
  made.step = step;
  return made;
}

VllmRequest request_of(const char* id) { return VllmRequest::start({}, id); }
VllmCore core_of(const char* id) {
  Random random(3);
  const trace::SpanContext parent(trace::TraceId::generate(random), trace::SpanId::generate(random),
                                  trace::kFlagSampled);
  return VllmCore::start(trace::Context(parent), "1", id);
}

const std::vector<Misuse> kMisuses = {
    {"OutOfOrder", Errc::journey_event_out_of_order,
     [] {
       VllmRequest request = request_of("m1");
       const Errc wrong = request.first_response_from_core();
       request.aborted("test");
       return wrong;
     },
     "llm_request"},
    {"Repeated", Errc::journey_event_repeated,
     [] {
       VllmRequest request = request_of("m2");
       request.handoff_to_core();
       const Errc wrong = request.handoff_to_core();
       request.aborted("test");
       return wrong;
     },
     "llm_request"},
    {"Missing", Errc::journey_event_missing,
     [] {
       VllmRequest request = request_of("m3");
       return request.departed();
     },
     "llm_request"},
    {"AfterEnd", Errc::journey_event_after_end,
     [] {
       VllmRequest request = request_of("m4");
       request.aborted("test");
       return request.first_response_from_core();
     },
     "api.FIRST_RESPONSE_FROM_CORE"},
    {"CoreAfterEnd", Errc::journey_event_after_end,
     [] {
       VllmCore core = core_of("m5");
       core.queued(at_step(1));
       core.finished(VllmFinish::aborted, at_step(1));
       return core.preempted(at_step(2));
     },
     "journey.PREEMPTED"},
    {"TimeBackwards", Errc::journey_time_backwards,
     [] {
       VllmRequest request = request_of("m6");
       const Errc wrong = request.handoff_to_core(MonotonicTime(std::chrono::nanoseconds(1)));
       request.aborted("test");
       return wrong;
     },
     "llm_request"},
    {"StepBackwards", Errc::journey_step_backwards,
     [] {
       VllmCore core = core_of("m7");
       core.queued(at_step(9));
       const Errc wrong = core.scheduled(VllmSchedule::first, at_step(8));
       core.finished(VllmFinish::aborted, at_step(9));
       return wrong;
     },
     "llm_core"},
    {"ProgressLost", Errc::journey_progress_lost,
     [] {
       VllmCore core = core_of("m8");
       VllmStep step = at_step(1);
       step.progress.prefill_done = 5;
       core.queued(step);
       step.progress.prefill_done = 4;
       const Errc wrong = core.scheduled(VllmSchedule::first, step);
       step.progress.prefill_done = 5;
       core.finished(VllmFinish::aborted, step);
       return wrong;
     },
     "llm_core"},
    {"ResumedWithoutPreemption", Errc::journey_schedule_kind,
     [] {
       VllmCore core = core_of("m9");
       core.queued(at_step(1));
       const Errc wrong = core.scheduled(VllmSchedule::resume, at_step(1));
       core.finished(VllmFinish::aborted, at_step(1));
       return wrong;
     },
     "llm_core"},
    {"RequestLeftOpen", Errc::journey_left_open,
     [] {
       {
         const VllmRequest request = request_of("m10");
       }
       return Errc::journey_left_open;  // a destructor returns nothing
     },
     "llm_request"},
    {"CoreLeftOpen", Errc::journey_left_open,
     [] {
       {
         VllmCore core = core_of("m11");
         core.queued(at_step(1));
       }
       return Errc::journey_left_open;
     },
     "llm_core"},
    {"StartedTwice", Errc::journey_request_repeated,
     [] {
       VllmRequest first = request_of("m12");
       VllmRequest second = request_of("m12");
       first.aborted("test");
       second.aborted("test");
       return Errc::journey_request_repeated;  // start() returns the request
     },
     "llm_request (repeated)"},
    {"SampledWithoutATrace", Errc::journey_context_missing,
     [] {
       VllmCore core = VllmCore::start({}, "1", "m13");
       core.queued(at_step(1));
       core.finished(VllmFinish::aborted, at_step(1));
       return Errc::journey_context_missing;
     },
     "llm_core"},
};

class VllmMisuseTest : public VllmTest, public ::testing::WithParamInterface<Misuse> {};

TEST_P(VllmMisuseTest, IsExportedWithAMarkCountedAndLogged) {
  start();
  FreshLog log;
  const std::int64_t before = misuse_count(GetParam().kind);
  const bool returned = GetParam().commit() != Errc::ok;
  static_cast<void>(returned);
  EXPECT_EQ(misuse_count(GetParam().kind), before + 1);
  const std::string kind(name(GetParam().kind));
  EXPECT_EQ(counter_snapshot().value("spanwire.journey.misuse." + kind), before + 1);
  const SpanData span = only(GetParam().marked);
  EXPECT_EQ(span.status, StatusCode::error);
  EXPECT_EQ(text_of(span.attribute("spanwire.misuse")), kind);
  EXPECT_TRUE(log.contains("kind=" + kind));
  trace::expect_all_accounted(stats());
}

TEST_P(VllmMisuseTest, IsAnErrorInStrictMode) {
  start();
  set_strict(true);
  EXPECT_EQ(name(GetParam().commit()), name(GetParam().kind));
}

INSTANTIATE_TEST_SUITE_P(Table, VllmMisuseTest, ::testing::ValuesIn(kMisuses),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_F(VllmTest, MisuseIsNoErrorUnlessStrict) {
  start();
  VllmRequest request = VllmRequest::start({}, "r1");
  EXPECT_EQ(request.first_response_from_core(), Errc::ok);
  EXPECT_EQ(request.departed(), Errc::ok);
}

TEST_F(VllmTest, SeveralMisusesAreAllNamed) {
  start();
  VllmRequest request = VllmRequest::start({}, "r1");
  request.first_response_from_core();
  request.first_response_from_core();
  request.aborted("test");
  const SpanData span = only("llm_request");
  EXPECT_EQ(text_of(span.attribute("spanwire.misuse")),
            "journey_event_out_of_order, journey_event_repeated");
  EXPECT_EQ(span.events.size(), 4u) << "what came in the wrong order is there all the same";
}

TEST_F(VllmTest, AHeaderThatIsNotOneTracesNothing) {
  start();
  const std::int64_t before = misuse_count(Errc::journey_header_invalid);
  VllmCore core = VllmCore::start({}, "true", "r1");
  EXPECT_FALSE(core.sampled());
  EXPECT_EQ(misuse_count(Errc::journey_header_invalid), before + 1);
  core.queued(at_step(1));
  core.finished(VllmFinish::aborted, at_step(1));
  EXPECT_TRUE(spans().empty());
}

// However many there are, each is one llm_request; an id is free again after its end.
TEST_F(VllmTest, ExactlyOneSpanARequest) {
  start();
  for (int round = 0; round < 3; ++round) {
    std::vector<VllmRequest> requests;
    for (int i = 0; i < 1000; ++i) requests.push_back(VllmRequest::start({}, std::to_string(i)));
    for (VllmRequest& request : requests) request.aborted("test");
    ASSERT_TRUE(flush().complete());
  }
  EXPECT_EQ(named("llm_request").size(), 3000u);
  EXPECT_EQ(spans().size(), 3000u);
}

TEST_F(VllmTest, AMovedRequestEndsOnce) {
  start();
  VllmRequest first = VllmRequest::start({}, "r1");
  {
    VllmRequest second = std::move(first);
    second.aborted("test");
  }
  const SpanData span = only("llm_request");
  EXPECT_EQ(span.attribute("spanwire.misuse"), nullptr);
}

// Nobody traces or counts it: no look at the order, and its id is not taken.
TEST_F(VllmTest, ARequestThatNobodyWatchesDoesNothing) {
  set_strict(true);
  const std::int64_t before = misuse_count(Errc::journey_event_missing);
  const std::int64_t repeated = misuse_count(Errc::journey_request_repeated);
  for (int i = 0; i < 2; ++i) {
    VllmRequest request = VllmRequest::start({}, "r1");
    VllmRequest again = VllmRequest::start({}, "r1");
    EXPECT_EQ(request.departed(), Errc::ok);
    VllmCore core = VllmCore::start(request.core_context(), request.sampled_header(), "r1");
    EXPECT_EQ(core.finished(VllmFinish::stopped, at_step(1)), Errc::ok);
  }
  EXPECT_EQ(misuse_count(Errc::journey_event_missing), before);
  EXPECT_EQ(misuse_count(Errc::journey_request_repeated), repeated);
}

// One that is counted and not traced is held to the order all the same.
TEST_F(VllmTest, ARequestThatIsOnlyCountedIsHeldToTheOrder) {
  const RouteNumbers route = route_numbers("/counted", {.model = "m"});
  set_strict(true);
  VllmStart start;
  start.numbers = &route;
  VllmRequest request = VllmRequest::start({}, "r1", start);
  EXPECT_EQ(name(request.departed()), name(Errc::journey_event_missing));
  EXPECT_EQ(metrics_snapshot().family("sglang:num_requests_total")->find({"m", "/counted"})->value,
            1);
}

}  // namespace
}  // namespace spanwire::journey
