#include "spanwire/base/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fork.hpp"

namespace spanwire {
namespace {

constexpr std::uint64_t kBounds[] = {10, 20, 50, 100};

constinit CounterFamily tokens("test_metrics_tokens_total", "Tokens.", {"model", "route"});
constinit CounterFamily level("test_metrics_level", "A level.", {"queue"}, MetricType::gauge);
constinit CounterFamily bare("test_metrics_bare_total", "Without labels.", {});
constinit CounterFamily crowded("test_metrics_crowded_total", "", {"route"});
constinit CounterFamily roomy("test_metrics_roomy_total", "", {"route"}, MetricType::counter,
                              2 * kSeriesPerFamilyMax);
constinit CounterFamily odd("test_metrics_odd_total", "", {"route"});
constinit CounterFamily unused("test_metrics_unused_total", "", {"route"});
constinit HistogramFamily times("test_metrics_times", "Times.", kBounds, MetricUnit::none,
                                {"route"});
constinit HistogramFamily exemplars("test_metrics_exemplars", "", kBounds, MetricUnit::none,
                                    {"route"});
constinit HistogramFamily threaded("test_metrics_threaded", "", kBounds, MetricUnit::none, {});
constinit HistogramFamily forked("test_metrics_forked", "", kBounds, MetricUnit::none, {"route"});

// Before main, before any other static object of this file has to be there.
NamedCounter& before_main = tokens.with({"early", "static"});
const bool counted_before_main = [] {
  before_main.add(3);
  return true;
}();

Exemplar exemplar_of(std::uint8_t id, std::int64_t at_ns = 1) {
  Exemplar exemplar;
  exemplar.trace_id.fill(id);
  exemplar.span_id.fill(id);
  exemplar.at = MonotonicTime(std::chrono::nanoseconds(at_ns));
  return exemplar;
}

SeriesReading read(const MetricFamily& family, std::initializer_list<std::string_view> labels) {
  const MetricsSnapshot snapshot = metrics_snapshot();
  const FamilyReading* reading = snapshot.family(family.name());
  const SeriesReading* series = reading != nullptr ? reading->find(labels) : nullptr;
  EXPECT_NE(series, nullptr);
  return series != nullptr ? *series : SeriesReading();
}

TEST(CounterFamily, CountsBeforeMain) {
  EXPECT_TRUE(counted_before_main);
  EXPECT_EQ(read(tokens, {"early", "static"}).value, 3);
}

TEST(CounterFamily, KeepsASeriesForEachCombination) {
  NamedCounter& chat = tokens.with({"llama", "/chat"});
  NamedCounter& embed = tokens.with({"llama", "/embed"});
  EXPECT_NE(&chat, &embed);
  EXPECT_EQ(&chat, &tokens.with({"llama", "/chat"}));
  chat.add(5);
  embed.add(7);
  EXPECT_EQ(read(tokens, {"llama", "/chat"}).value, 5);
  EXPECT_EQ(read(tokens, {"llama", "/embed"}).value, 7);
}

TEST(CounterFamily, IsInTheOneRegistry) {
  tokens.with({"one", "registry"}).add(4);
  const CounterSnapshot snapshot = counter_snapshot();
  EXPECT_EQ(snapshot.value(R"(test_metrics_tokens_total{model="one",route="registry"})"), 4);
  for (const CounterReading& plain : metrics_snapshot().plain.counters) {
    EXPECT_EQ(plain.name.find("test_metrics_tokens"), std::string::npos) << plain.name;
  }
}

TEST(CounterFamily, NeedsNoLabels) {
  bare.with({}).add(2);
  EXPECT_EQ(read(bare, {}).value, 2);
}

TEST(CounterFamily, CanBeALevel) {
  level.with({"a"}).add(3);
  level.with({"a"}).add(-2);
  EXPECT_EQ(read(level, {"a"}).value, 1);
}

TEST(CounterFamily, MissingLabelsAreEmptyAndOddBytesEscaped) {
  odd.with(std::span<const std::string_view>()).add(1);
  odd.with({"a\nb\xff"}).add(2);
  odd.with({"a\nb\xff"}).add(2);
  EXPECT_EQ(read(odd, {""}).value, 1);
  EXPECT_EQ(read(odd, {"a%0Ab%FF"}).value, 4);
}

TEST(CounterFamily, BeyondTheLimitSeriesShareOneAndThatIsCounted) {
  const auto overflows = [] {
    return counter_snapshot().value("spanwire.metrics.series_overflow");
  };
  const std::int64_t before = overflows();
  // The shared one is one of them.
  for (std::size_t i = 1; i < kSeriesPerFamilyMax; ++i) {
    crowded.with({std::to_string(i)}).add();
  }
  EXPECT_EQ(overflows(), before);
  crowded.with({"too many"}).add(10);
  crowded.with({"and more"}).add(10);
  EXPECT_EQ(overflows(), before + 2);
  const MetricsSnapshot snapshot = metrics_snapshot();
  ASSERT_NE(snapshot.family(crowded.name())->overflow(), nullptr);
  EXPECT_EQ(snapshot.family(crowded.name())->overflow()->value, 20);
  EXPECT_TRUE(snapshot.family(crowded.name())->overflow()->labels.empty());
  EXPECT_EQ(counter_snapshot().value(R"(test_metrics_crowded_total{otel_metric_overflow="true"})"),
            20);
  EXPECT_EQ(read(crowded, {"1"}).value, 1);
  EXPECT_EQ(metrics_snapshot().family(crowded.name())->series.size(), kSeriesPerFamilyMax);
}

TEST(CounterFamily, ALabelThatIsTooLongIsCountedWithTheOthers) {
  NamedCounter& longest = odd.with({std::string(kLabelBytesMax, 'x')});
  NamedCounter& longer = odd.with({std::string(kLabelBytesMax + 1, 'x')});
  EXPECT_NE(&longest, &longer);
  EXPECT_EQ(&longer, &odd.with({std::string(kLabelBytesMax + 1, 'y')}));
}

// The empty labels of the shared series are not those of a series that has empty ones.
TEST(CounterFamily, EmptyLabelsAreASeriesOfTheirOwn) {
  EXPECT_NE(&odd.with({""}), &odd.with({std::string(kLabelBytesMax + 1, 'x')}));
}

TEST(CounterFamily, MayKeepMoreSeriesThanOthers) {
  for (std::size_t i = 0; i < 3 * kSeriesPerFamilyMax; ++i) roomy.with({std::to_string(i)}).add();
  const MetricsSnapshot snapshot = metrics_snapshot();
  EXPECT_EQ(snapshot.family(roomy.name())->series.size(), 2 * kSeriesPerFamilyMax);
  EXPECT_EQ(snapshot.family(roomy.name())->overflow()->value,
            static_cast<std::int64_t>(kSeriesPerFamilyMax + 1));
  EXPECT_EQ(read(roomy, {"0"}).value, 1);
}

TEST(CounterFamily, IsUnknownBeforeItsFirstUse) {
  EXPECT_EQ(metrics_snapshot().family(unused.name()), nullptr);
}

struct Placed {
  std::uint64_t value;
  std::size_t bucket;
};
constexpr Placed kPlaced[] = {{0, 0},  {9, 0},  {10, 0},  {11, 1},  {20, 1},        {21, 2},
                              {50, 2}, {51, 3}, {100, 3}, {101, 4}, {UINT64_MAX, 4}};

TEST(HistogramFamily, ABoundIsTheLargestValueOfItsBucket) {
  for (const Placed& placed : kPlaced) {
    const std::string route = std::to_string(placed.value);
    times.with({route}).observe(placed.value);
    const SeriesReading reading = read(times, {route});
    ASSERT_EQ(reading.buckets.size(), std::size(kBounds) + 1);
    EXPECT_EQ(reading.buckets[placed.bucket], 1u) << placed.value;
    EXPECT_EQ(reading.count, 1u);
    EXPECT_EQ(reading.sum, placed.value);
  }
}

// Whatever value came before.
TEST(HistogramFamily, EachValueHasItsBucket) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::uint64_t> values{0, 1, kMost, kMost - 1};
  for (const std::uint64_t bound : kBounds) {
    for (const std::uint64_t value : {bound - 1, bound, bound + 1}) values.push_back(value);
  }
  BoundedHistogram& histogram = times.with({"/each"});
  std::vector<std::uint64_t> expected(std::size(kBounds) + 1);
  for (const std::uint64_t before : values) {
    for (const std::uint64_t value : values) {
      for (const std::uint64_t observed : {before, value}) {
        histogram.observe(observed);
        const auto* const bound =
            std::lower_bound(std::begin(kBounds), std::end(kBounds), observed);
        ++expected[static_cast<std::size_t>(bound - kBounds)];
      }
    }
  }
  EXPECT_EQ(read(times, {"/each"}).buckets, expected);
}

TEST(HistogramFamily, OneValueMayStandForSeveral) {
  times.with({"several"}).observe(12, std::uint64_t{3});
  const SeriesReading reading = read(times, {"several"});
  EXPECT_EQ(reading.count, 3u);
  EXPECT_EQ(reading.sum, 36u);
  EXPECT_EQ(reading.buckets[1], 3u);
}

TEST(HistogramFamily, KeepsTheLatestExemplarOfEachBucket) {
  BoundedHistogram& here = exemplars.with({"latest"});
  here.observe(5, exemplar_of(1, 100));
  here.observe(6, exemplar_of(2, 200));
  here.observe(60, exemplar_of(3, 300));
  here.observe(7);
  here.observe(8, Exemplar());
  const SeriesReading reading = read(exemplars, {"latest"});
  EXPECT_EQ(reading.buckets[0], 4u);
  EXPECT_EQ(reading.exemplars[0].value, 6u);
  EXPECT_EQ(reading.exemplars[0].exemplar.trace_id, exemplar_of(2).trace_id);
  EXPECT_EQ(reading.exemplars[0].exemplar.span_id, exemplar_of(2).span_id);
  EXPECT_EQ(reading.exemplars[3].value, 60u);
  EXPECT_EQ(reading.exemplars[1].exemplar.trace_id, Exemplar().trace_id);
}

TEST(HistogramFamily, OfSeveralThreadsTheLatestExemplarCounts) {
  BoundedHistogram& here = exemplars.with({"threads"});
  here.observe(5, exemplar_of(1, 900));
  std::thread([&here] { here.observe(6, exemplar_of(2, 500)); }).join();
  const SeriesReading reading = read(exemplars, {"threads"});
  EXPECT_EQ(reading.buckets[0], 2u);
  EXPECT_EQ(reading.exemplars[0].value, 5u);
}

// Each exemplar's ids and value are one number: a torn one would have two.
TEST(HistogramFamily, IsReadWholeWhileThreadsWrite) {
  BoundedHistogram& here = threaded.with({});
  std::atomic<int> running{3};
  std::vector<std::thread> writers;
  for (std::uint8_t t = 1; t <= 3; ++t) {
    writers.emplace_back([&here, &running, t] {
      for (int i = 0; i < 20'000; ++i) here.observe(t, exemplar_of(t, i + 1));
      --running;
    });
  }
  while (running.load() > 0) {
    const SeriesReading reading = read(threaded, {});
    const ExemplarReading& latest = reading.exemplars[0];
    if (latest.value == 0) continue;
    const auto id = static_cast<std::uint8_t>(latest.value);
    ASSERT_EQ(latest.exemplar.trace_id, exemplar_of(id).trace_id);
    ASSERT_EQ(latest.exemplar.span_id, exemplar_of(id).span_id);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(read(threaded, {}).count, 60'000u);
}

TEST(HistogramFamily, StartsFromZeroInAForkedChildAndAgainInItsChild) {
  BoundedHistogram& kept = forked.with({"kept"});
  kept.observe(5, exemplar_of(1));
  const auto in_child = [&kept] {
    if (read(forked, {"kept"}).count != 0) return 1;
    if (read(forked, {"kept"}).exemplars[0].value != 0) return 2;
    kept.observe(15, exemplar_of(2));
    std::thread([] { forked.with({"new in child"}).observe(1); }).join();
    if (read(forked, {"kept"}).buckets[1] != 1) return 3;
    return read(forked, {"new in child"}).count == 1 ? 0 : 4;
  };
  EXPECT_EQ(testing::run_in_child(in_child), 0);
  EXPECT_EQ(testing::run_in_child([&] { return testing::run_in_child(in_child); }), 0);
  EXPECT_EQ(read(forked, {"kept"}).count, 1u);
}

// No lock is left behind for a child, whatever other threads do at the fork.
TEST(HistogramFamily, AForkUnderLoadDoesNotHang) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&stop] {
      while (!stop.load()) {
        forked.with({"load"}).observe(1, exemplar_of(1));
        static_cast<void>(metrics_snapshot());
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(testing::run_in_child([] {
                forked.with({"load"}).observe(1);
                return read(forked, {"load"}).count == 1 ? 0 : 1;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace spanwire
