#include "spanwire/journey/numbers.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/metrics_text.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::journey {
namespace {

using std::chrono::milliseconds;

constexpr MonotonicTime kStart{std::chrono::seconds(100)};

MonotonicTime at(int ms) { return kStart + milliseconds(ms); }

trace::SpanContext span_of(std::uint64_t seed, std::uint8_t flags = trace::kFlagSampled) {
  Random random(seed);
  return {trace::TraceId::generate(random), trace::SpanId::generate(random), flags};
}

// A request of 12 prompt tokens, 4 of them cached, and 3 tokens; retracted once.
void live(RequestNumbers& numbers) {
  numbers.queued(at(10));
  numbers.scheduled(at(40));
  numbers.tokens(1, at(140));
  numbers.retracted();
  numbers.scheduled(at(200));
  numbers.tokens(1, at(240));
  numbers.tokens(1, at(250));
  numbers.finished(Outcome::stop, at(300), {.prompt = 12, .generated = 3, .cached = 4});
}

SeriesReading series(std::string_view family, std::initializer_list<std::string_view> labels) {
  const MetricsSnapshot snapshot = metrics_snapshot();
  const FamilyReading* reading = snapshot.family(family);
  const SeriesReading* found = reading != nullptr ? reading->find(labels) : nullptr;
  EXPECT_NE(found, nullptr) << family;
  return found != nullptr ? *found : SeriesReading();
}

struct Expected {
  const char* family;
  const char* third_label;  // null: none
  std::uint64_t count;      // of a counter: its value
  std::uint64_t sum_ms;     // zero for counters
};

void expect_all(const std::string& route, const std::vector<Expected>& table) {
  for (const Expected& expected : table) {
    const SeriesReading reading = expected.third_label == nullptr
                                      ? series(expected.family, {"m", route})
                                      : series(expected.family, {"m", route, expected.third_label});
    if (reading.buckets.empty()) {
      EXPECT_EQ(reading.value, static_cast<std::int64_t>(expected.count)) << expected.family;
    } else {
      EXPECT_EQ(reading.count, expected.count) << expected.family;
      EXPECT_EQ(reading.sum, expected.sum_ms * 1'000'000) << expected.family;
    }
  }
}

const std::vector<Expected> kSglang = {
    {"sglang:time_to_first_token_seconds", nullptr, 1, 140},
    {"sglang:inter_token_latency_seconds", nullptr, 2, 110},
    {"sglang:time_per_output_token_seconds", nullptr, 1, 55},
    {"sglang:queue_time_seconds", nullptr, 1, 30},
    {"sglang:per_stage_req_latency_seconds", "prefill_forward", 1, 100},
    {"sglang:per_stage_req_latency_seconds", "decode_forward", 1, 110},
    {"sglang:e2e_request_latency_seconds", nullptr, 1, 300},
    {"sglang:prompt_tokens_total", nullptr, 12, 0},
    {"sglang:generation_tokens_total", nullptr, 3, 0},
    {"sglang:cached_tokens_total", nullptr, 4, 0},
    {"sglang:num_retracted_requests_total", nullptr, 1, 0},
    {"sglang:num_requests_total", nullptr, 1, 0},
};
const std::vector<Expected> kVllm = {
    {"vllm:time_to_first_token_seconds", nullptr, 1, 140},
    {"vllm:inter_token_latency_seconds", nullptr, 2, 110},
    {"vllm:request_time_per_output_token_seconds", nullptr, 1, 55},
    {"vllm:request_queue_time_seconds", nullptr, 1, 30},
    {"vllm:request_prefill_time_seconds", nullptr, 1, 100},
    {"vllm:request_decode_time_seconds", nullptr, 1, 110},
    {"vllm:e2e_request_latency_seconds", nullptr, 1, 300},
    {"vllm:prompt_tokens_total", nullptr, 12, 0},
    {"vllm:generation_tokens_total", nullptr, 3, 0},
    {"vllm:prompt_tokens_cached_total", nullptr, 4, 0},
    {"vllm:num_preemptions_total", nullptr, 1, 0},
    {"vllm:request_success_total", "stop", 1, 0},
    {"vllm:request_success_total", "abort", 0, 0},
};
const std::vector<Expected> kGenAi = {
    {"gen_ai_server_time_to_first_token_seconds", nullptr, 1, 140},
    {"gen_ai_server_time_per_output_token_seconds", nullptr, 1, 55},
    {"gen_ai_server_request_duration_seconds", nullptr, 1, 300},
    {"spanwire_request_inter_token_seconds", nullptr, 2, 110},
    {"spanwire_request_queue_seconds", nullptr, 1, 30},
    {"spanwire_request_prefill_seconds", nullptr, 1, 100},
    {"spanwire_request_decode_seconds", nullptr, 1, 110},
    {"spanwire_request_prompt_tokens_total", nullptr, 12, 0},
    {"spanwire_request_generation_tokens_total", nullptr, 3, 0},
    {"spanwire_request_cached_tokens_total", nullptr, 4, 0},
    {"spanwire_request_retractions_total", nullptr, 1, 0},
    {"spanwire_requests_total", "stop", 1, 0},
};

TEST(RequestNumbers, HaveTheNamesOfTheProfile) {
  const std::pair<Profile, const std::vector<Expected>*> profiles[] = {
      {Profile::sglang, &kSglang}, {Profile::vllm, &kVllm}, {Profile::genai, &kGenAi}};
  for (const auto& [profile, expected] : profiles) {
    const RouteNumbers route = route_numbers("/names", {.profile = profile, .model = "m"});
    RequestNumbers numbers(route, span_of(1), at(0));
    live(numbers);
    expect_all("/names", *expected);
  }
}

TEST(RequestNumbers, OfFrontendAndEngineTogetherAreThoseOfOne) {
  const RouteNumbers route = route_numbers("/parts", {.model = "m"});
  RequestNumbers frontend(route, span_of(1), at(0), Part::frontend);
  RequestNumbers engine(route, span_of(2), at(0), Part::engine);
  live(frontend);
  live(engine);
  expect_all("/parts", kSglang);
  EXPECT_EQ(series("sglang:num_retractions", {"m", "/parts"}).buckets[1], 1u);
}

TEST(RequestNumbers, CarryTheTraceOfASampledRequestOnly) {
  const RouteNumbers route = route_numbers("/exemplars", {.model = "m"});
  const trace::SpanContext sampled = span_of(7);
  RequestNumbers first(route, sampled, at(0));
  first.tokens(1, at(150));
  RequestNumbers second(route, span_of(8, 0), at(0));
  second.tokens(1, at(160));
  const SeriesReading reading = series("sglang:time_to_first_token_seconds", {"m", "/exemplars"});
  ASSERT_EQ(reading.count, 2u);
  std::size_t found = 0;
  for (const ExemplarReading& exemplar : reading.exemplars) {
    if (exemplar.value == 0) continue;
    ++found;
    EXPECT_EQ(exemplar.exemplar.trace_id, sampled.trace_id().bytes());
    EXPECT_EQ(exemplar.exemplar.span_id, sampled.span_id().bytes());
    EXPECT_EQ(exemplar.exemplar.at, at(150));
  }
  EXPECT_EQ(found, 1u);
}

TEST(RequestNumbers, TokensThatCameTogetherShareTheirTime) {
  const RouteNumbers route = route_numbers("/speculative", {.model = "m"});
  RequestNumbers numbers(route, span_of(1), at(0));
  numbers.tokens(1, at(100));
  numbers.tokens(4, at(140));
  const SeriesReading reading = series("sglang:inter_token_latency_seconds", {"m", "/speculative"});
  EXPECT_EQ(reading.count, 4u);
  EXPECT_EQ(reading.sum, 40'000'000u);
}

TEST(RequestNumbers, AreLeftOutWhereAStampIsMissing) {
  const RouteNumbers route = route_numbers("/missing", {.model = "m"});
  RequestNumbers numbers(route, span_of(1), at(0));
  numbers.tokens(1, at(100));
  numbers.finished(Outcome::length, at(200));
  numbers.finished(Outcome::length, at(300));
  EXPECT_EQ(series("sglang:queue_time_seconds", {"m", "/missing"}).count, 0u);
  EXPECT_EQ(
      series("sglang:per_stage_req_latency_seconds", {"m", "/missing", "prefill_forward"}).count,
      0u);
  EXPECT_EQ(series("sglang:num_requests_total", {"m", "/missing"}).value, 1);
}

TEST(RequestNumbers, ANegativeTimeIsCountedApart) {
  const auto counted = [] {
    return counter_snapshot().value("spanwire.journey.negative_intervals");
  };
  const std::int64_t before = counted();
  const RouteNumbers route = route_numbers("/negative", {.model = "m"});
  RequestNumbers numbers(route, span_of(1), at(100));
  numbers.tokens(1, at(50));
  EXPECT_EQ(counted(), before + 1);
  EXPECT_EQ(series("sglang:time_to_first_token_seconds", {"m", "/negative"}).count, 0u);
}

TEST(RequestNumbers, CountNothingByDefault) {
  RequestNumbers none;
  live(none);
  const RouteNumbers nowhere;
  RequestNumbers numbers(nowhere, span_of(1), at(0));
  live(numbers);
}

// Routes come from callers: they must not be able to fill the memory.  In a child, so that other
// tests find room.
TEST(RouteNumbers, BeyondTheLimitShareOneRoute) {
  const int wrong = testing::run_in_child([] {
    for (std::size_t i = 0; i < 2 * kSeriesPerFamilyMax; ++i) {
      const RouteNumbers route =
          route_numbers("/r" + std::to_string(i), {.profile = Profile::genai, .model = "crowd"});
      route.add(Amount::prompt_tokens, 1);
    }
    const MetricsSnapshot snapshot = metrics_snapshot();
    const FamilyReading* family = snapshot.family("spanwire_request_prompt_tokens_total");
    if (family == nullptr || family->series.size() != kSeriesPerFamilyMax) return 1;
    const SeriesReading* shared = family->overflow();
    std::int64_t total = 0;
    for (const SeriesReading& series : family->series) total += series.value;
    // Nothing that was counted is missing.
    return shared != nullptr && total == 2 * kSeriesPerFamilyMax ? 0 : 2;
  });
  EXPECT_EQ(wrong, 0);
}

// A route of the parent works in the child, where it counts from zero, and the other way round.
TEST(RouteNumbers, WorkBeforeAndAfterAFork) {
  const RouteNumbers before = route_numbers("/fork", {.model = "m"});
  RequestNumbers in_parent(before, span_of(1), at(0));
  live(in_parent);
  RequestNumbers open(before, span_of(2), at(0));
  const int wrong = testing::run_in_child([&] {
    if (series("sglang:num_requests_total", {"m", "/fork"}).value != 0) return 1;
    std::thread([&] {
      const RouteNumbers again = route_numbers("/fork", {.model = "m"});
      RequestNumbers numbers(again, span_of(3), at(0));
      live(numbers);
    }).join();
    live(open);
    const SeriesReading first = series("sglang:time_to_first_token_seconds", {"m", "/fork"});
    return first.count == 2 && first.sum == 280'000'000 ? 0 : 2;
  });
  EXPECT_EQ(wrong, 0);
  expect_all("/fork", kSglang);
}

TEST(Profile, IsNamed) {
  EXPECT_EQ(profile_named("sglang"), Profile::sglang);
  EXPECT_EQ(profile_named("vllm"), Profile::vllm);
  EXPECT_EQ(profile_named("genai"), Profile::genai);
  EXPECT_EQ(profile_named("SGLang"), std::nullopt);
}

// Run by metrics_text_test.py, which reads what this writes with Prometheus's own parsers.
TEST(MetricsText, DISABLED_WritesNumbersOfRequests) {
  for (const Profile profile : {Profile::sglang, Profile::vllm, Profile::genai}) {
    const RouteNumbers route =
        route_numbers("/v1/chat \"quoted\\\" \n", {.profile = profile, .model = "m"});
    RequestNumbers numbers(route, span_of(42), at(0));
    live(numbers);
  }
  counter("test.plain/counter").add(5);
  const char* wanted = std::getenv("METRICS_FORMAT");
  const MetricsFormat format = metrics_format(wanted != nullptr ? wanted : "");
  ManualClock clock;
  std::printf("BEGIN %s\n%sEND\n", std::string(content_type(format)).c_str(),
              metrics_text(metrics_snapshot(clock), format).c_str());
}

}  // namespace
}  // namespace spanwire::journey
