// Tail keep: spans that nobody sampled, exported for how they ended.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/trace/filter.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

using namespace std::chrono_literals;

class TailKeep : public ProviderTest {
 protected:
  ProviderOptions keeping() const {
    ProviderOptions options = this->options();
    options.sampler = parent_based(always_off());
    options.keep_errors = true;
    return options;
  }
  static void fail_one(const Context& parent = {}, std::string_view name = "call") {
    Span span = tracer().start(parent, name);
    span.set_status(StatusCode::error, "it broke");
  }
  static std::int64_t value(std::string_view counter) { return counter_snapshot().value(counter); }
};

TEST_F(TailKeep, AFailedSpanIsExportedWithItsMarkAndStaysUnsampled) {
  init(keeping());
  Span span = tracer().start(Context(), "call", SpanKind::client);
  EXPECT_TRUE(span.recording());
  EXPECT_FALSE(span.context().sampled()) << "what goes downstream is not forged";
  span.set("key", "value");
  clock().advance(3ms);
  span.set_status(StatusCode::error, "it broke");
  span.end();
  const SpanData kept = only_span();
  EXPECT_EQ(kept.name, "call");
  EXPECT_EQ(kept.context.span_id(), span.context().span_id());
  EXPECT_FALSE(kept.context.sampled());
  EXPECT_EQ(kept.status, StatusCode::error);
  EXPECT_EQ(kept.status_message, "it broke");
  ASSERT_NE(kept.attribute("spanwire.partial"), nullptr);
  EXPECT_EQ(*kept.attribute("spanwire.partial"), OwnedValue(true));
  ASSERT_NE(kept.attribute("key"), nullptr);
}

TEST_F(TailKeep, ASpanThatEndsWellIsLetGo) {
  init(keeping());
  tracer().start(Context(), "call");
  EXPECT_TRUE(spans().empty());
  EXPECT_EQ(stats().started, 1u);
  EXPECT_EQ(stats().recorded, 0u);
  EXPECT_EQ(stats().open, 0u);
  expect_all_accounted(stats());
}

TEST_F(TailKeep, ASlowSpanIsKeptAndOneOfExactlyTheBoundIsNot) {
  ProviderOptions options = keeping();
  options.keep_errors = false;
  options.keep_slower_than = 500ms;
  init(std::move(options));
  Span exact = tracer().start(Context(), "exact");
  Span slow = tracer().start(Context(), "slow");
  clock().advance(500ms);
  exact.end();
  clock().advance(1ns);
  slow.end();
  fail_one();
  EXPECT_EQ(only_span().name, "slow");
}

TEST_F(TailKeep, SampledSpansAreAsEver) {
  ProviderOptions options = keeping();
  options.sampler = nullptr;
  init(std::move(options));
  fail_one();
  EXPECT_EQ(only_span().attribute("spanwire.partial"), nullptr);
  EXPECT_EQ(stats().kept, 0u);
}

TEST_F(TailKeep, ChildrenAreWatchedEachForItself) {
  init(keeping());
  Span root = tracer().start(Context(), "root");
  const Context inside = Context().with_span(root.context());
  fail_one(inside, "failed");
  tracer().start(inside, "well");
  root.end();
  const SpanData kept = only_span();
  EXPECT_EQ(kept.name, "failed");
  EXPECT_EQ(kept.parent_span_id, root.context().span_id());
  EXPECT_EQ(kept.context.trace_id(), root.context().trace_id());
}

TEST_F(TailKeep, OffMeansNothingIsWatched) {
  ProviderOptions options = keeping();
  options.keep_errors = false;
  init(std::move(options));
  Span span = tracer().start(Context(), "call");
  EXPECT_FALSE(span.recording());
}

TEST_F(TailKeep, NoiseIsNotWatched) {
  ProviderOptions options = keeping();
  options.sampler = filtered(default_noise(), parent_based(always_off()));
  init(std::move(options));
  EXPECT_FALSE(tracer().start(Context(), "GET /healthz").recording());
  EXPECT_TRUE(tracer().start(Context(), "call").recording());
  // Under a parent that was not sampled too.
  Span root = tracer().start(Context(), "root");
  EXPECT_FALSE(tracer().start(Context().with_span(root.context()), "spanwire/health").recording());
  // Unsampled it would have been anyway.
  EXPECT_EQ(stats().filtered, 0u);
}

TEST_F(TailKeep, TheAccountsStayExact) {
  ProviderOptions options = keeping();
  options.sampler = parent_based(trace_id_ratio(0.5));
  options.keep_per_second_max = 10'000;
  init(std::move(options));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) {
        Span span = tracer().start(Context(), "call");
        if ((i + t) % 5 == 0) span.set_status(StatusCode::error);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<SpanData> all = spans();
  std::uint64_t marked = 0;
  std::uint64_t failed = 0;
  for (const SpanData& span : all) {
    marked += span.attribute("spanwire.partial") != nullptr ? 1 : 0;
    failed += span.status == StatusCode::error ? 1 : 0;
  }
  EXPECT_EQ(failed, 400u) << "none of those that failed is missing";
  EXPECT_EQ(stats().started, 2000u);
  EXPECT_EQ(stats().kept, marked);
  EXPECT_EQ(stats().recorded, all.size());
  expect_all_accounted(stats());
}

// When everything fails, what is kept does not crowd out what was sampled.
TEST_F(TailKeep, KeepsSoManyASecondAndCountsTheRest) {
  ProviderOptions options = keeping();
  options.keep_per_second_max = 3;
  init(std::move(options));
  clock().advance(10s);
  for (int i = 0; i < 10; ++i) fail_one();
  EXPECT_EQ(spans().size(), 3u);
  EXPECT_EQ(value("spanwire.trace.spans_too_many_to_keep"), 7);
  clock().advance(1s);
  for (int i = 0; i < 10; ++i) fail_one();
  EXPECT_EQ(spans().size(), 6u);
  EXPECT_EQ(stats().kept, 6u);
  expect_all_accounted(stats());
}

TEST_F(TailKeep, WithoutAPlaceASpanIsAsAnyUnsampledOne) {
  ProviderOptions options = keeping();
  options.open_spans_max = 1;
  init(std::move(options));
  std::vector<Span> open;
  for (int i = 0; i < 10; ++i) open.push_back(tracer().start(Context(), "call"));
  const std::int64_t refused = value("spanwire.trace.spans_not_watched");
  EXPECT_GT(refused, 0);
  for (Span& span : open) span.set_status(StatusCode::error).end();
  EXPECT_EQ(static_cast<std::int64_t>(spans().size()), 10 - refused);
  EXPECT_EQ(stats().lost.total(), 0u);
  expect_all_accounted(stats());
}

// The limit of attributes holds, and the mark is one of them.
TEST_F(TailKeep, TheMarkHasRoomWhateverTheSpanHas) {
  ProviderOptions options = keeping();
  options.limits.attributes_max = 2;
  init(std::move(options));
  const Attribute attributes[] = {{"a", 1}, {"b", 2}, {"c", 3}};
  SpanOptions start;
  start.attributes = attributes;
  tracer().start(Context(), "call", start).set_status(StatusCode::error);
  const SpanData kept = only_span();
  EXPECT_NE(kept.attribute("spanwire.partial"), nullptr);
  EXPECT_EQ(kept.dropped_attributes, 2u);
}

TEST_F(TailKeep, ALargeSpanThatIsLetGoGivesItsMemoryBack) {
  init(keeping());
  for (int i = 0; i < 100; ++i) {
    tracer().start(Context(), "large").set("text", std::string(100'000, 'x'));
  }
  EXPECT_TRUE(spans().empty());  // the fixture looks for leaks
}

TEST_F(TailKeep, WhatEndsAfterShutdownIsNotLost) {
  init(keeping());
  Span late = tracer().start(Context(), "late");
  late.set_status(StatusCode::error);
  EXPECT_EQ(shutdown().open, 0u);
  late.end();
  EXPECT_EQ(stats().lost.total(), 0u) << "it was never recorded";
}

TEST_F(TailKeep, AForkedChildWatchesToo) {
  init(keeping());
  Span inherited = tracer().start(Context(), "inherited");
  EXPECT_EQ(testing::run_in_child([&] {
              inherited.set_status(StatusCode::error).end();
              if (Provider().stats().kept != 0) return 1;
              fail_one();
              return Provider().stats().kept == 1 ? 0 : 2;
            }),
            0);
  inherited.end();
  EXPECT_TRUE(spans().empty());
}

TEST_F(TailKeep, IsNamedWhenTwoInitsDisagree) {
  ProviderOptions options = keeping();
  options.keep_slower_than = 1500ms;
  init(std::move(options));
  testing::LogCapture log;
  init(this->options());
  EXPECT_TRUE(log.contains("keeps failed spans, keeps spans over 1500 ms")) << log.lines().back();
}

}  // namespace
}  // namespace spanwire::trace
