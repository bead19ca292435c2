#include "spanwire/journey/vllm_order.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanwire::journey {
namespace {

using E = VllmEvent;
using F = VllmFinish;
using S = VllmSchedule;

// An event; times and steps rise by themselves unless they are given.
struct Told {
  E event;
  Errc expected = Errc::ok;
  S schedule = S::first;
  F finish = F::stopped;
  int at = 0;
  int step = 0;
  int prefill = 0;
  int decode = 0;
  int preemptions = 0;
};

Told resumed(Errc expected = Errc::ok) { return {E::scheduled, expected, S::resume}; }
Told finished(F how, Errc expected = Errc::ok) { return {E::finished, expected, S::first, how}; }
Told at(E event, int time, Errc expected = Errc::ok) {
  return {event, expected, S::first, F::stopped, time};
}
Told in_step(E event, int step, Errc expected = Errc::ok) {
  return {event, expected, S::first, F::stopped, 0, step};
}
Told with(E event, int prefill, int decode, int preemptions, Errc expected = Errc::ok) {
  return {event, expected, S::first, F::stopped, 0, 0, prefill, decode, preemptions};
}

struct Case {
  const char* name;
  VllmSpan span;
  std::vector<Told> told;
  Errc end = Errc::ok;
};

constexpr Errc kOrder = Errc::journey_event_out_of_order;
constexpr Errc kRepeated = Errc::journey_event_repeated;
constexpr Errc kMissing = Errc::journey_event_missing;
constexpr Errc kAfterEnd = Errc::journey_event_after_end;
constexpr Errc kMisplaced = Errc::journey_event_misplaced;
constexpr Errc kKind = Errc::journey_schedule_kind;
constexpr Errc kOpen = Errc::journey_left_open;

const VllmSpan kRequest = VllmSpan::request;
const VllmSpan kCore = VllmSpan::core;

const std::vector<Case> kCases = {
    // llm_request
    {"Documented",
     kRequest,
     {{E::arrived}, {E::handoff_to_core}, {E::first_response_from_core}, {E::departed}}},
    {"AbortedAtOnce", kRequest, {{E::arrived}, {E::aborted}}},
    {"AbortedInTheCore", kRequest, {{E::arrived}, {E::handoff_to_core}, {E::aborted}}},
    {"AbortedWhileAnswering",
     kRequest,
     {{E::arrived}, {E::handoff_to_core}, {E::first_response_from_core}, {E::aborted}}},
    {"HandoffBeforeArrival", kRequest, {{E::handoff_to_core, kOrder}}, kOpen},
    {"AbortedBeforeArrival", kRequest, {{E::aborted, kOrder}}},
    {"ResponseBeforeHandoff",
     kRequest,
     {{E::arrived}, {E::first_response_from_core, kOrder}},
     kOpen},
    {"HandoffAfterResponse",
     kRequest,
     {{E::arrived}, {E::first_response_from_core, kOrder}, {E::handoff_to_core, kOrder}},
     kOpen},
    {"ArrivedTwice", kRequest, {{E::arrived}, {E::arrived, kRepeated}}, kOpen},
    {"HandedOffTwice",
     kRequest,
     {{E::arrived}, {E::handoff_to_core}, {E::handoff_to_core, kRepeated}},
     kOpen},
    {"FirstResponseTwice",
     kRequest,
     {{E::arrived},
      {E::handoff_to_core},
      {E::first_response_from_core},
      {E::first_response_from_core, kRepeated}},
     kOpen},
    {"DepartedWithoutResponse",
     kRequest,
     {{E::arrived}, {E::handoff_to_core}, {E::departed, kMissing}}},
    {"DepartedTwice",
     kRequest,
     {{E::arrived},
      {E::handoff_to_core},
      {E::first_response_from_core},
      {E::departed},
      {E::departed, kAfterEnd}}},
    {"AbortedAfterDeparture",
     kRequest,
     {{E::arrived},
      {E::handoff_to_core},
      {E::first_response_from_core},
      {E::departed},
      {E::aborted, kAfterEnd}}},
    {"ResponseAfterAbort",
     kRequest,
     {{E::arrived}, {E::aborted}, {E::first_response_from_core, kAfterEnd}}},
    {"NeverEnded", kRequest, {{E::arrived}, {E::handoff_to_core}}, kOpen},
    {"CoreEventOnRequest", kRequest, {{E::arrived}, {E::queued, kMisplaced}}, kOpen},
    {"RequestTimeBackwards",
     kRequest,
     {at(E::arrived, 500), at(E::handoff_to_core, 499, Errc::journey_time_backwards)},
     kOpen},
    {"OneBadTimeIsToldOnce",
     kRequest,
     {at(E::arrived, 500), at(E::handoff_to_core, 400, Errc::journey_time_backwards),
      at(E::first_response_from_core, 500)},
     kOpen},
    {"EqualTimesAreFine", kRequest, {at(E::arrived, 500), at(E::handoff_to_core, 500)}, kOpen},
    // llm_core
    {"CoreDocumented",
     kCore,
     {{E::queued}, {E::scheduled}, {E::first_token}, finished(F::stopped)}},
    {"CoreToLength", kCore, {{E::queued}, {E::scheduled}, {E::first_token}, finished(F::length)}},
    {"PreemptedAndResumed",
     kCore,
     {{E::queued},
      {E::scheduled},
      {E::first_token},
      {E::preempted},
      resumed(),
      finished(F::stopped)}},
    {"PreemptedInPrefill",
     kCore,
     {{E::queued},
      {E::scheduled},
      {E::preempted},
      resumed(),
      {E::first_token},
      finished(F::stopped)}},
    {"PreemptedThreeTimes",
     kCore,
     {{E::queued},
      {E::scheduled},
      {E::preempted},
      resumed(),
      {E::preempted},
      resumed(),
      {E::first_token},
      {E::preempted},
      resumed(),
      finished(F::length)}},
    {"IgnoredBeforeScheduling", kCore, {{E::queued}, finished(F::ignored)}},
    {"AbortedInTheQueue", kCore, {{E::queued}, finished(F::aborted)}},
    {"AbortedWhilePreempted",
     kCore,
     {{E::queued}, {E::scheduled}, {E::preempted}, finished(F::aborted)}},
    {"FailedInPrefill", kCore, {{E::queued}, {E::scheduled}, finished(F::error)}},
    {"ScheduledBeforeQueued", kCore, {{E::scheduled, kOrder}}, kOpen},
    {"FinishedBeforeQueued", kCore, {finished(F::aborted, kOrder)}},
    {"TokenBeforeScheduled", kCore, {{E::queued}, {E::first_token, kOrder}}, kOpen},
    {"PreemptedBeforeScheduled", kCore, {{E::queued}, {E::preempted, kOrder}}, kOpen},
    {"QueuedTwice", kCore, {{E::queued}, {E::queued, kRepeated}}, kOpen},
    {"ScheduledFirstTwice", kCore, {{E::queued}, {E::scheduled}, {E::scheduled, kRepeated}}, kOpen},
    {"FirstTokenTwice",
     kCore,
     {{E::queued}, {E::scheduled}, {E::first_token}, {E::first_token, kRepeated}},
     kOpen},
    {"PreemptedTwiceInARow",
     kCore,
     {{E::queued}, {E::scheduled}, {E::preempted}, {E::preempted, kRepeated}},
     kOpen},
    {"ResumedWithoutPreemption", kCore, {{E::queued}, {E::scheduled}, resumed(kKind)}, kOpen},
    {"ResumedFirst", kCore, {{E::queued}, resumed(kKind)}, kOpen},
    {"FirstAfterPreemption",
     kCore,
     {{E::queued}, {E::scheduled}, {E::preempted}, {E::scheduled, kKind}},
     kOpen},
    {"TokenWhilePreempted",
     kCore,
     {{E::queued}, {E::scheduled}, {E::preempted}, {E::first_token, kOrder}},
     kOpen},
    {"StoppedWhilePreempted",
     kCore,
     {{E::queued},
      {E::scheduled},
      {E::first_token},
      {E::preempted},
      finished(F::stopped, kMissing)}},
    {"StoppedWithoutToken", kCore, {{E::queued}, {E::scheduled}, finished(F::stopped, kMissing)}},
    {"LengthWithoutScheduling", kCore, {{E::queued}, finished(F::length, kMissing)}},
    {"FinishedTwice", kCore, {{E::queued}, finished(F::aborted), finished(F::aborted, kAfterEnd)}},
    {"TokenAfterTheEnd",
     kCore,
     {{E::queued}, {E::scheduled}, finished(F::error), {E::first_token, kAfterEnd}}},
    {"PreemptionIsLast", kCore, {{E::queued}, {E::scheduled}, {E::preempted}}, kOpen},
    {"CoreNeverEnded", kCore, {{E::queued}}, kOpen},
    {"RequestEventOnCore", kCore, {{E::arrived, kMisplaced}}, kOpen},
    {"CoreTimeBackwards",
     kCore,
     {at(E::queued, 500), at(E::scheduled, 1, Errc::journey_time_backwards)},
     kOpen},
    {"StepBackwards",
     kCore,
     {in_step(E::queued, 500), in_step(E::scheduled, 499, Errc::journey_step_backwards)},
     kOpen},
    {"EqualStepsAreFine", kCore, {in_step(E::queued, 500), in_step(E::scheduled, 500)}, kOpen},
    {"PrefillLost",
     kCore,
     {with(E::queued, 8, 0, 0), with(E::scheduled, 7, 0, 0, Errc::journey_progress_lost)},
     kOpen},
    {"DecodeLost",
     kCore,
     {with(E::queued, 8, 2, 0), with(E::scheduled, 8, 1, 0, Errc::journey_progress_lost)},
     kOpen},
    {"PreemptionsLost",
     kCore,
     {with(E::queued, 0, 0, 1), with(E::scheduled, 0, 0, 0, Errc::journey_progress_lost)},
     kOpen},
};

class VllmOrderTest : public ::testing::TestWithParam<Case> {};

TEST_P(VllmOrderTest, SaysExactlyWhatIsWrong) {
  const Case& test = GetParam();
  VllmOrder order(test.span);
  int number = 0;
  for (const Told& told : test.told) {
    ++number;
    VllmMark mark;
    mark.event = told.event;
    mark.at = MonotonicTime(std::chrono::milliseconds(told.at != 0 ? told.at : number));
    mark.step = told.step != 0 ? told.step : number;
    mark.schedule = told.schedule;
    mark.finish = told.finish;
    mark.progress.prefill_done = told.prefill;
    mark.progress.decode_done = told.decode;
    mark.progress.preemptions = told.preemptions;
    EXPECT_EQ(name(order.next(mark)), name(told.expected))
        << "event " << number << " " << name(told.event).view();
  }
  EXPECT_EQ(name(order.end()), name(test.end));
}

INSTANTIATE_TEST_SUITE_P(Table, VllmOrderTest, ::testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(VllmNames, AreThoseOfVllm) {
  EXPECT_EQ(name(VllmScope::api), "vllm.api");
  EXPECT_EQ(name(VllmScope::scheduler), "vllm.scheduler");
  EXPECT_EQ(name(VllmSpan::request).view(), "llm_request");
  EXPECT_EQ(name(VllmSpan::core).view(), "llm_core");
  const char* events[] = {
      "api.ARRIVED",       "api.HANDOFF_TO_CORE", "api.FIRST_RESPONSE_FROM_CORE",
      "api.DEPARTED",      "api.ABORTED",         "journey.QUEUED",
      "journey.SCHEDULED", "journey.FIRST_TOKEN", "journey.PREEMPTED",
      "journey.FINISHED"};
  for (std::size_t i = 0; i < kVllmEvents; ++i) {
    const auto event = static_cast<VllmEvent>(i);
    EXPECT_EQ(name(event).view(), events[i]);
    EXPECT_EQ(event_named(events[i]), event);
    EXPECT_EQ(span_of(event), i < 5 ? VllmSpan::request : VllmSpan::core);
  }
  EXPECT_EQ(event_named("api.arrived"), std::nullopt);
  EXPECT_EQ(type_of(VllmEvent::first_response_from_core), "FIRST_RESPONSE_FROM_CORE");
  EXPECT_EQ(type_of(VllmEvent::queued), "QUEUED");
}

TEST(VllmNames, OfValuesCanBeReadBack) {
  EXPECT_EQ(name(VllmPhase::waiting), "WAITING");
  EXPECT_EQ(name(VllmPhase::prefill), "PREFILL");
  EXPECT_EQ(name(VllmPhase::decode), "DECODE");
  EXPECT_EQ(schedule_named("FIRST"), VllmSchedule::first);
  EXPECT_EQ(schedule_named("RESUME"), VllmSchedule::resume);
  EXPECT_EQ(schedule_named("resume"), std::nullopt);
  for (const char* text : {"stopped", "length", "aborted", "ignored", "error"}) {
    ASSERT_TRUE(finish_named(text)) << text;
    EXPECT_EQ(name(*finish_named(text)), text);
  }
  EXPECT_EQ(finish_named(""), std::nullopt);
}

}  // namespace
}  // namespace spanwire::journey
