#include "spanwire/journey/stages.hpp"

#include <string>
#include <utility>
#include <vector>

#include "spanwire/journey/genai.hpp"
#include "spanwire/journey/propagate.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using std::chrono::milliseconds;

class StagesTest : public JourneyTest {
 protected:
  static MonotonicTime ms(int count) { return now() + milliseconds(count); }

  RequestStages stages(const Request& request, const std::string& route, Part part = Part::all) {
    route_ = route_numbers(route, {.model = "m"});
    return {request, RequestNumbers(route_, request.propagate().request.span(), ms(0), part)};
  }
  // Of the histogram of that route, in milliseconds; -1: not observed.
  static std::int64_t sum_ms(const std::string& route, std::string_view family,
                             const char* stage = nullptr) {
    const MetricsSnapshot snapshot = metrics_snapshot();
    const FamilyReading* reading = snapshot.family("sglang:" + std::string(family));
    const SeriesReading* series = reading == nullptr ? nullptr
                                  : stage == nullptr ? reading->find({"m", route})
                                                     : reading->find({"m", route, stage});
    if (series == nullptr || series->count == 0) return -1;
    return static_cast<std::int64_t>(series->sum / 1'000'000);
  }
  static std::int64_t took_ms(const SpanData& span) {
    return std::chrono::duration_cast<milliseconds>(span.end - span.start).count();
  }

  RouteNumbers route_;
};

// Through both phases in one engine, retracted once.
void live(RequestStages& stages, MonotonicTime begin) {
  const auto at = [begin](int ms) { return begin + milliseconds(ms); };
  EXPECT_EQ(stages.enter(Stage::tokenize, at(0)), Errc::ok);
  EXPECT_EQ(stages.enter(Stage::prefill_waiting, at(10)), Errc::ok);
  EXPECT_EQ(stages.enter(Stage::prefill_forward, at(40)), Errc::ok);
  EXPECT_EQ(stages.leave(at(140)), Errc::ok);
  stages.tokens(1, at(140));
  EXPECT_EQ(stages.retracted(at(150)), Errc::ok);
  EXPECT_EQ(stages.enter(Stage::decode_forward, at(200)), Errc::ok);
  stages.tokens(1, at(240));
  stages.tokens(2, at(250));
  EXPECT_EQ(stages.finished(Outcome::length, at(300), {12, 4, 5}), Errc::ok);
}

TEST_F(StagesTest, SlicesAndNumbersHaveTheSameStamps) {
  start();
  set_strict(true);
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/stages");
  live(stages, now());
  std::vector<SpanData> waits;
  for (SpanData& span : spans()) {
    if (span.name == "prefill_waiting") waits.push_back(std::move(span));
  }
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(took_ms(waits[0]), sum_ms("/stages", "queue_time_seconds")) << "the first time counts";
  EXPECT_EQ(took_ms(waits[0]), 30);
  EXPECT_EQ(took_ms(waits[1]), 50);
  const SpanData prefill = span("prefill_forward");
  EXPECT_EQ(took_ms(prefill),
            sum_ms("/stages", "per_stage_req_latency_seconds", "prefill_forward"));
  EXPECT_EQ(prefill.start, waits[0].end) << "no gap";
  EXPECT_EQ(waits[0].start, span("tokenize").end);
  EXPECT_EQ(span("decode_forward").start, waits[1].end);
  EXPECT_EQ(sum_ms("/stages", "time_to_first_token_seconds"), 140);
  EXPECT_EQ(sum_ms("/stages", "inter_token_latency_seconds"), 110);
  EXPECT_EQ(sum_ms("/stages", "per_stage_req_latency_seconds", "decode_forward"), 110);
  EXPECT_EQ(sum_ms("/stages", "e2e_request_latency_seconds"), 300);
}

// A decode node's stages, those that SGLang observes; each is also a slice of that length.
TEST_F(StagesTest, EachStageIsObservedForItself) {
  start();
  set_strict(true);
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/decode");
  stages.enter(Stage::request_process, ms(0));
  stages.enter(Stage::decode_prepare, ms(1));
  stages.enter(Stage::decode_bootstrap, ms(3));
  stages.enter(Stage::decode_transferred, ms(7));
  stages.enter(Stage::decode_waiting, ms(15));
  stages.enter(Stage::fake_output, ms(31));
  stages.enter(Stage::decode_forward, ms(63));
  stages.enter(Stage::quick_finish, ms(127));
  stages.finished(Outcome::stop, ms(255));
  const std::pair<const char*, std::int64_t> expected[] = {
      {"request_process", 1},    {"decode_prepare", 2},  {"decode_bootstrap", 4},
      {"decode_transferred", 8}, {"decode_waiting", 16}, {"fake_output", 32},
      {"quick_finish", 128}};
  for (const auto& [name, took] : expected) {
    EXPECT_EQ(sum_ms("/decode", "per_stage_req_latency_seconds", name), took) << name;
    EXPECT_EQ(took_ms(span(name)), took) << name;
  }
  EXPECT_EQ(sum_ms("/decode", "per_stage_req_latency_seconds", "prefill_bootstrap"), -1);
  EXPECT_EQ(sum_ms("/decode", "queue_time_seconds"), 16);
}

TEST_F(StagesTest, TheQueueMayBeToldInItsTwoParts) {
  start();
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/queue");
  stages.enter(Stage::prefill_queue_idle, ms(0));
  stages.enter(Stage::prefill_budget_wait, ms(3));
  stages.enter(Stage::prefill_forward, ms(11));
  stages.retracted(ms(20));
  EXPECT_EQ(stages.stage(), Stage::prefill_waiting);
  stages.finished(Outcome::abort, ms(30));
  EXPECT_EQ(sum_ms("/queue", "queue_time_seconds"), 11);
  EXPECT_EQ(sum_ms("/queue", "per_stage_req_latency_seconds", "prefill_queue_idle"), 3);
  EXPECT_EQ(sum_ms("/queue", "per_stage_req_latency_seconds", "prefill_budget_wait"), 8);
  EXPECT_EQ(span("prefill_forward").events.size(), 1u) << "scheduled once";
}

TEST_F(StagesTest, EventsSayWhenItWasScheduledAndRetracted) {
  start();
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/events");
  live(stages, now());
  std::vector<std::string> events;
  for (const SpanData& span : spans()) {
    for (const SpanData::Event& event : span.events) {
      events.push_back(span.name + ": " + event.name);
      ASSERT_EQ(event.attributes.size(), 1u);
      EXPECT_EQ(event.attributes[0].first, "queue");
      EXPECT_EQ(std::get<std::string>(event.attributes[0].second), "prefill_waiting");
    }
  }
  EXPECT_EQ(events,
            (std::vector<std::string>{"prefill_forward: schedule", "prefill_waiting: retract",
                                      "decode_forward: schedule"}));
}

TEST_F(StagesTest, TheRootSaysHowMuchAndHowLong) {
  start();
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/root");
  live(stages, now());
  const SpanData root = span(" Req r");
  const auto number = [&root](std::string_view key) {
    const trace::OwnedValue* value = root.attribute(key);
    return value != nullptr && std::holds_alternative<double>(*value) ? std::get<double>(*value)
                                                                      : -1;
  };
  EXPECT_EQ(std::get<std::int64_t>(*root.attribute("gen_ai.usage.prompt_tokens")), 12);
  EXPECT_EQ(std::get<std::int64_t>(*root.attribute("gen_ai.usage.completion_tokens")), 4);
  EXPECT_EQ(std::get<std::int64_t>(*root.attribute("gen_ai.usage.cached_tokens")), 5);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.time_to_first_token"), 0.140);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.e2e"), 0.300);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.time_in_queue"), 0.030);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.time_in_model_prefill"), 0.100);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.time_in_model_decode"), 0.160);
  EXPECT_DOUBLE_EQ(number("gen_ai.latency.time_in_model_inference"), 0.260);
}

TEST_F(StagesTest, WhereItWasTakenOverOnlyThePartOfTheThreadEnds) {
  start();
  Request owner = start_request({.rid = "r", .at = now()});
  RequestStages copy =
      stages(attach_request(owner.propagate(), "r", {}, now()), "/copy", Part::engine);
  copy.enter(Stage::decode_waiting, now());
  copy.enter(Stage::decode_transferred, ms(20));
  EXPECT_EQ(copy.finished(Outcome::stop, ms(30)), Errc::ok);
  EXPECT_FALSE(copy.journey().recording());
  EXPECT_EQ(sum_ms("/copy", "queue_time_seconds"), 20);
  EXPECT_EQ(sum_ms("/copy", "e2e_request_latency_seconds"), -1) << "the frontend's to count";
  EXPECT_EQ(open_spans(), 2) << "the request, and its first thread";
  owner.finish();
}

TEST_F(StagesTest, WhatIsGivenUpInAQueueWasNeverScheduled) {
  start();
  RequestStages stages = this->stages(start_request({.rid = "r", .at = now()}), "/given_up");
  stages.enter(Stage::prefill_waiting, now());
  stages.finished(Outcome::abort, ms(50));
  EXPECT_EQ(sum_ms("/given_up", "queue_time_seconds"), -1);
  EXPECT_TRUE(span("prefill_waiting").events.empty());
}

TEST_F(StagesTest, CountWhatIsNotRecorded) {
  start();
  const trace::Context parent(trace::SpanContext(trace::TraceId::generate(Random::of_thread()),
                                                 trace::SpanId::generate(Random::of_thread()), 0));
  RequestStages unsampled = stages(start_request({.rid = "r", .parent = &parent}), "/unsampled");
  live(unsampled, now());
  RequestStages nobody = stages(Request(), "/nobody");
  live(nobody, now());
  EXPECT_TRUE(spans().empty());
  for (const char* route : {"/unsampled", "/nobody"}) {
    EXPECT_EQ(sum_ms(route, "queue_time_seconds"), 30) << route;
    EXPECT_EQ(sum_ms(route, "time_to_first_token_seconds"), 140) << route;
  }
}

TEST_F(StagesTest, AreTracedWhereNothingIsCounted) {
  start();
  RequestStages stages(start_request({.rid = "r", .at = now()}), RequestNumbers());
  live(stages, now());
  EXPECT_EQ(took_ms(span("prefill_forward")), 100);
}

}  // namespace
}  // namespace spanwire::journey
