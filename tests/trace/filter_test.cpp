#include "spanwire/trace/filter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

bool sampled(const SamplerPtr& sampler, std::string_view name,
             std::initializer_list<Attribute> attributes = {}) {
  const Context parent;
  Random random(1);
  const TraceId id = TraceId::generate(random);
  const SamplingInput input{parent,
                            id,
                            name,
                            SpanKind::server,
                            std::span<const Attribute>(attributes.begin(), attributes.size()),
                            {}};
  return sampler->sample(input).decision == Decision::record_and_sample;
}

TEST(Filter, KeepsScrapesAndHealthChecksOut) {
  const SamplerPtr sampler = filtered(default_noise(), nullptr);
  for (const char* noise : {"/metrics", "GET /metrics", "HEAD /health", "/healthz",
                            "spanwire/health", "grpc.health.v1.Health/Check"}) {
    EXPECT_FALSE(sampled(sampler, noise)) << noise;
  }
  EXPECT_FALSE(sampled(sampler, "GET", {{"url.path", "/livez"}}));
  EXPECT_FALSE(sampled(sampler, "GET", {{"http.route", "/ready"}}));
  for (const char* wanted : {"llm/decode/generate", "GET /v1/health-records", "/metrics2", "GET"}) {
    EXPECT_TRUE(sampled(sampler, wanted)) << wanted;
  }
  EXPECT_TRUE(sampled(sampler, "GET", {{"url.full", "/metrics"}, {"url.path", 7}}));
}

TEST(Filter, AQueryIsNoPartOfThePath) {
  const SamplerPtr sampler = filtered(default_noise(), nullptr);
  EXPECT_FALSE(sampled(sampler, "GET", {{"http.target", "/metrics"}}));
  EXPECT_FALSE(sampled(sampler, "GET", {{"http.target", "/metrics?x=1"}}));
  EXPECT_FALSE(sampled(sampler, "GET", {{"http.target", "/metrics?"}}));
  EXPECT_FALSE(sampled(sampler, "GET /health?verbose=1"));
  for (const char* wanted : {"/metrics2?x=1", "/v1?next=/metrics", "?/metrics", "/metrics/x?y"}) {
    EXPECT_TRUE(sampled(sampler, "GET", {{"http.target", wanted}})) << wanted;
  }
  const auto rule = [](std::string_view text) {
    return filtered({parse_filter_rule(text).value()}, nullptr);
  };
  EXPECT_FALSE(sampled(rule("path=/a?probe=1"), "GET", {{"http.target", "/a?probe=1"}}));
  EXPECT_TRUE(sampled(rule("path=/a?probe=1"), "GET", {{"http.target", "/a?probe=2"}}));
  EXPECT_TRUE(sampled(rule("attribute.user=probe"), "x", {{"user", "probe?x"}}));
}

TEST(Filter, KnowsNamesPathsAttributesAndPrefixes) {
  const auto rule = [](std::string_view text) {
    return filtered({parse_filter_rule(text).value()}, nullptr);
  };
  EXPECT_FALSE(sampled(rule("name=tick"), "tick"));
  EXPECT_TRUE(sampled(rule("name=tick"), "ticks"));
  EXPECT_FALSE(sampled(rule("name^=tick"), "ticks"));
  EXPECT_FALSE(sampled(rule("path^=/internal/"), "POST /internal/x"));
  EXPECT_TRUE(sampled(rule("path^=/internal/"), "POST /v1/internal/x"));
  EXPECT_FALSE(sampled(rule("attribute.user=probe"), "x", {{"user", "probe"}}));
  EXPECT_TRUE(sampled(rule("attribute.user=probe"), "x", {{"user", "prober"}}));
  EXPECT_FALSE(sampled(rule("attribute.user^=probe"), "x", {{"user", "prober"}}));
}

TEST(Filter, ARuleThatIsNoneIsRefused) {
  for (const char* text : {"", "x", "=x", "name=", "^=x", "attribute=x", "attribute.=x", "nam=x"}) {
    const Result<FilterRule> rule = parse_filter_rule(text);
    ASSERT_FALSE(rule.has_value()) << text;
    EXPECT_EQ(rule.error().code(), Errc::invalid_argument);
  }
}

TEST_F(ProviderTest, WhatIsBelowNoiseIsNotRecordedEither) {
  ProviderOptions with_filter = options();
  with_filter.sampler = filtered(default_noise(), nullptr);
  init(std::move(with_filter));
  const std::int64_t before = counter_snapshot().value("spanwire.trace.spans_filtered");
  {
    const Span noise = tracer().start({}, "/metrics", SpanKind::server);
    const Context inside = Context().with_span(noise.context());
    const Span child = tracer().start(inside, "collect");
    EXPECT_FALSE(child.recording());
    EXPECT_EQ(child.context().trace_id(), noise.context().trace_id());
    tracer().start({}, "wanted").end();
  }
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "wanted");
  EXPECT_EQ(counter_snapshot().value("spanwire.trace.spans_filtered") - before, 1);
}

// A check inside of a trace that is sampled: it and what it causes are left out together.
TEST_F(ProviderTest, NoiseInsideOfATraceLeavesNoOrphan) {
  ProviderOptions with_filter = options();
  with_filter.sampler = filtered(default_noise(), nullptr);
  init(std::move(with_filter));
  {
    const Span root = tracer().start({}, "request");
    const Context inside = Context().with_span(root.context());
    const Span noise = tracer().start(inside, "/health", SpanKind::client);
    const Span below = tracer().start(inside.with_span(noise.context()), "served");
    EXPECT_FALSE(below.recording());
  }
  EXPECT_EQ(only_span().name, "request");
}

TEST(RateLimited, SamplesAsManyASecond) {
  ManualClock clock;
  const SamplerPtr sampler = rate_limited(10, clock);
  const auto taken = [&](int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += sampled(sampler, "x") ? 1 : 0;
    return count;
  };
  EXPECT_EQ(taken(100), 10);  // the burst
  EXPECT_EQ(taken(100), 0);
  clock.advance(std::chrono::milliseconds(100));
  EXPECT_EQ(taken(100), 1);
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(taken(100), 10);
}

TEST(RateLimited, BelowOneASecondAndNever) {
  ManualClock clock;
  const SamplerPtr slow = rate_limited(0.1, clock);
  EXPECT_TRUE(sampled(slow, "x"));
  EXPECT_FALSE(sampled(slow, "x"));
  clock.advance(std::chrono::seconds(10));
  EXPECT_TRUE(sampled(slow, "x"));
  for (const double rate : {0.0, -1.0}) EXPECT_FALSE(sampled(rate_limited(rate, clock), "x"));
}

TEST(RateLimited, ThreadsShareOneLimit) {
  ManualClock clock;
  const SamplerPtr sampler = rate_limited(1000, clock);
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) taken += sampled(sampler, "x") ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

// Ten scrapes a second would otherwise take the place of what the rate is for.
TEST(RateLimited, NoiseCostsNothingOfTheRate) {
  ManualClock clock;
  for (const SamplerPtr& limited :
       {parent_based(rate_limited(1, clock)),
        parent_based(by_path({{"llm/", rate_limited(1, clock)}}, rate_limited(1, clock)))}) {
    const SamplerPtr sampler = filtered(default_noise(), limited);
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(sampled(sampler, "/metrics"));
    EXPECT_TRUE(sampled(sampler, "wanted"));
    EXPECT_FALSE(sampled(sampler, "wanted"));
  }
}

TEST(ByPath, TheFirstPrefixDecides) {
  const SamplerPtr sampler =
      parent_based(by_path({{"llm/debug", always_on()}, {"llm/", always_off()}}, always_on()));
  EXPECT_TRUE(sampled(sampler, "llm/debug/x"));
  EXPECT_FALSE(sampled(sampler, "llm/embed"));
  EXPECT_TRUE(sampled(sampler, "other"));
  EXPECT_NE(sampler->describe().find("ByPath{llm/debug:AlwaysOnSampler"), std::string::npos);
}

// Only roots are asked about: below them everything follows, so no tree has a hole.
TEST_F(ProviderTest, RulesByPathDecideOnWholeTrees) {
  ProviderOptions by_paths = options();
  by_paths.sampler = parent_based(
      by_path({{"llm/", always_on()}, {"debug/", always_off()}}, rate_limited(1, clock())));
  init(std::move(by_paths));
  clock().advance(std::chrono::seconds(10));
  const auto tree = [](const char* root_name, const char* child_name) {
    const Span root = tracer().start({}, root_name, SpanKind::server);
    const Span child = tracer().start(Context().with_span(root.context()), child_name);
    EXPECT_EQ(child.recording(), root.recording()) << root_name << " and " << child_name;
    EXPECT_EQ(child.context().sampled(), root.context().sampled());
    return root.recording();
  };
  EXPECT_TRUE(tree("llm/decode", "debug/step"));
  EXPECT_FALSE(tree("debug/state", "llm/decode"));
  EXPECT_TRUE(tree("other", "llm/decode"));
  EXPECT_FALSE(tree("other", "llm/decode")) << "one a second";
  EXPECT_TRUE(tree("llm/decode", "other")) << "what a rule of its own has is not in that one";
  // Of another process, which has decided.
  const Context remote =
      Context().with_span(SpanContext(*TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736"),
                                      *SpanId::from_hex("00f067aa0ba902b7"), kFlagSampled, true));
  EXPECT_TRUE(tracer().start(remote, "debug/state", SpanKind::server).recording());
  EXPECT_EQ(spans().size(), 7u);
}

// Every rule that a user may write, from the variable's text to the span that is not there.
TEST_F(ProviderTest, EachKindOfRuleKeepsASpanAndWhatIsBelowOut) {
  ProviderOptions with_filter = options();
  std::vector<FilterRule> rules;
  for (const char* text : {"name=tick", "name^=poll ", "path=/internal/ping", "path^=/debug/",
                           "attribute.user_agent.original^=kube-probe/", "attribute.probe=yes"}) {
    rules.push_back(parse_filter_rule(text).value());
  }
  with_filter.sampler = filtered(std::move(rules), nullptr);
  init(std::move(with_filter));
  const auto left_out = [](const char* name, std::vector<Attribute> attributes = {}) {
    SpanOptions start;
    start.attributes = attributes;
    const Span span = tracer().start({}, name, start);
    const Span below = tracer().start(Context().with_span(span.context()), "below");
    EXPECT_EQ(below.recording(), span.recording()) << name;
    return !span.recording();
  };
  EXPECT_TRUE(left_out("tick"));
  EXPECT_FALSE(left_out("ticker"));
  EXPECT_TRUE(left_out("poll queue"));
  EXPECT_TRUE(left_out("GET /internal/ping"));
  EXPECT_TRUE(left_out("GET", {{"http.route", "/debug/vars"}}));
  EXPECT_TRUE(left_out("call", {{"rpc.method", "/debug/x"}}));
  EXPECT_TRUE(left_out("GET /", {{"user_agent.original", "kube-probe/1.31"}}));
  EXPECT_FALSE(left_out("GET /", {{"user_agent.original", "curl/8"}}));
  EXPECT_TRUE(left_out("GET /", {{"probe", "yes"}}));
  EXPECT_FALSE(left_out("GET /", {{"probe", "yesterday"}}));
  EXPECT_EQ(spans().size(), 6u);
  EXPECT_EQ(stats().filtered, 7u);
}

}  // namespace
}  // namespace spanwire::trace
