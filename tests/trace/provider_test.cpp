#include "spanwire/trace/provider.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

TEST_F(ProviderTest, TheFirstInitStays) {
  testing::LogCapture log;
  start();
  Provider* first = provider();
  ProviderOptions others;
  others.resource.set("service.name", std::string("second"));
  EXPECT_EQ(&init(std::move(others)), first);
  EXPECT_EQ(log.count("second init()"), 1u);
  EXPECT_TRUE(log.contains("active=\"service")) << "both settings are said";
  EXPECT_TRUE(log.contains("to memory\""));
  EXPECT_TRUE(log.contains("refused=\"service second, sampler parentbased_always_on"));
  EXPECT_NE(*first->resource().text("service.name"), "second");
}

// Each with an exporter of its own: one of them gets the spans, and every thread the same provider.
TEST_F(ProviderTest, OneOfSeveralFirstInitsAtOnceIsTheFirst) {
  testing::LogCapture log;
  constexpr std::size_t kThreads = 8;
  std::array<std::shared_ptr<SpanStore>, kThreads> stores;
  std::array<Provider*, kThreads> providers{};
  std::barrier<> together(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    stores[i] = std::make_shared<SpanStore>();
    threads.emplace_back([&, i] {
      ProviderOptions own;
      own.exporters.push_back(std::make_unique<MemoryExporter>(stores[i]));
      together.arrive_and_wait();
      providers[i] = &init(std::move(own));
      tracer().start({}, "span").end();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(flush().complete());
  std::size_t used = 0;
  for (std::size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(providers[i], provider());
    used += stores[i]->size() == kThreads ? 1 : 0;
    EXPECT_TRUE(stores[i]->size() == 0 || stores[i]->size() == kThreads);
  }
  EXPECT_EQ(used, 1u);
}

TEST_F(ProviderTest, AfterAShutdownAnotherInitStartsAnew) {
  for (int round = 0; round < 3; ++round) {
    start();
    tracer().start({}, "again").end();
    EXPECT_EQ(shutdown().exported, 1u);
    EXPECT_EQ(provider(), nullptr);
  }
  EXPECT_EQ(store().size(), 3u);
}

TEST_F(ProviderTest, AnswersWithoutBeingActive) {
  EXPECT_EQ(provider(), nullptr);
  start();
  Provider& kept = *provider();
  tracer().start({}, "a").end();
  EXPECT_TRUE(kept.shutdown(kEnough).complete());
  EXPECT_EQ(provider(), nullptr);
  EXPECT_EQ(kept.shutdown(kEnough).exported, 1u) << "the same report again";
  EXPECT_TRUE(kept.force_flush(kEnough).in_time);
  EXPECT_FALSE(tracer().start({}, "b").recording());
  EXPECT_EQ(kept.stats().exported, 1u);
}

TEST_F(ProviderTest, WithoutExportersSpansAreSampledNotRecorded) {
  init(ProviderOptions());
  Span span = tracer().start({}, "a");
  EXPECT_TRUE(span.context().sampled());
  EXPECT_FALSE(span.recording());
  EXPECT_TRUE(shutdown().complete());
}

TEST_F(ProviderTest, ASpanThatEndsAfterShutdownIsCounted) {
  start();
  Span open = tracer().start({}, "open");
  open.set("large", std::string(5000, 'x'));
  const FlushReport report = shutdown();
  EXPECT_EQ(report.open, 1u);
  EXPECT_TRUE(report.in_time);
  open.end();
  EXPECT_EQ(stats().lost[LossReason::shut_down], 1u);
  EXPECT_EQ(stats().open, 0u);
  expect_all_accounted(stats());
}

TEST_F(ProviderTest, ASpanOfAnEarlierProviderDoesNotReachTheNext) {
  start();
  Span old = tracer().start({}, "old");
  shutdown();
  start();
  old.end();
  tracer().start({}, "new").end();
  EXPECT_EQ(only_span().name, "new");
}

TEST_F(ProviderTest, AThreadHandsItsRingOn) {
  start();
  for (int i = 0; i < 300; ++i) {
    std::thread([] { tracer().start({}, "thread").end(); }).join();
  }
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(store().size(), 300u);
  EXPECT_EQ(stats().exported, 300u);
}

// A thread-local object that is destroyed after ours may still end spans.
TEST_F(ProviderTest, ASpanEndsWhileItsThreadEnds) {
  start();
  std::thread([] {
    struct Late {
      Span span;
      ~Late() { span.end(); }
    };
    static thread_local Late late;
    late.span = tracer().start({}, "late");
  }).join();
  EXPECT_EQ(only_span().name, "late");
}

TEST_F(ProviderTest, ASpanMayEndOnAnotherThread) {
  start();
  for (int i = 0; i < 1000; ++i) {
    Span span = tracer().start({}, "wandering");
    span.set("n", i);
    std::thread([moved = std::move(span)]() mutable { moved.end(); }).join();
  }
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(store().size(), 1000u);
}

TEST_F(ProviderTest, OpenSpansAreBounded) {
  ProviderOptions few = options();
  few.open_spans_max = 32;
  init(std::move(few));
  std::vector<Span> open;
  for (int i = 0; i < 40; ++i) open.push_back(tracer().start({}, "open"));
  EXPECT_EQ(stats().lost[LossReason::too_many_open], 8u);
  EXPECT_EQ(stats().open, 32u);
  EXPECT_FALSE(open.back().recording());
  EXPECT_TRUE(open.back().context().sampled()) << "what is below it is still recorded";
  open.clear();
  EXPECT_TRUE(tracer().start({}, "again").recording());
  flush();
  EXPECT_EQ(store().size(), 33u);
  expect_all_accounted(stats());
}

TEST_F(ProviderTest, TheCountersShowInTheRegistry) {
  testing::LogCapture log;
  const CounterSnapshot before = counter_snapshot();
  ProviderOptions few = options();
  few.open_spans_max = 1;
  init(std::move(few));
  Span kept = tracer().start({}, "kept");
  Span lost = tracer().start({}, "lost");
  kept.end();
  flush();
  const CounterSnapshot after = counter_snapshot();
  const auto grown = [&](std::string_view name) { return after.value(name) - before.value(name); };
  EXPECT_EQ(grown("spanwire.trace.spans_recorded"), 2);
  EXPECT_EQ(grown("spanwire.trace.spans_exported"), 1);
  EXPECT_EQ(grown("spanwire.trace.spans_lost.too_many_open"), 1);
  EXPECT_TRUE(log.contains("too_many_open 1"));
}

}  // namespace
}  // namespace spanwire::trace
