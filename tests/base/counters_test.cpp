#include "spanwire/base/counters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "tests/support/fork.hpp"

namespace spanwire {
namespace {

constinit NamedCounter plain("test.counters.plain");
constinit NamedCounter twin("test.counters.plain");
constinit NamedCounter unused("test.counters.unused");
constinit NamedCounter threaded("test.counters.threaded");
constinit NamedCounter forked("test.counters.forked");
constinit NamedHistogram sizes("test.counters.sizes");
constinit NamedHistogram shared("test.counters.shared");

TEST(NamedCounter, AddsUp) {
  const std::int64_t before = plain.value();
  plain.add();
  plain.add(41);
  EXPECT_EQ(plain.value() - before, 42);
  plain.add(-2);
  EXPECT_EQ(plain.value() - before, 40);
}

TEST(NamedCounter, IsOnePerName) {
  const std::int64_t before = plain.value();
  twin.add(3);
  plain.add(4);
  EXPECT_EQ(twin.value() - before, 7);
  EXPECT_EQ(&counter("test.counters.made"), &counter("test.counters.made"));
  counter("test.counters.plain").add();
  EXPECT_EQ(plain.value() - before, 8);
}

TEST(NamedCounter, CountsNothingBeforeItsFirstUse) {
  EXPECT_EQ(unused.value(), 0);
  EXPECT_EQ(counter_snapshot().value("test.counters.unused"), 0);
}

TEST(NamedCounter, SumsOverThreadsAlsoThoseThatEnded) {
  constexpr int kThreads = 8;
  constexpr int kAdds = 10'000;
  const std::int64_t before = threaded.value();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kAdds; ++i) threaded.add();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(threaded.value() - before, 3 * kThreads * kAdds);
}

TEST(NamedCounter, StartsFromZeroInAForkedChild) {
  forked.add(5);
  const int in_child = testing::run_in_child([] {
    if (forked.value() != 0) return 1;
    forked.add(2);
    std::thread([] { forked.add(1); }).join();
    return forked.value() == 3 ? 0 : 2;
  });
  EXPECT_EQ(in_child, 0);
  EXPECT_EQ(forked.value(), 5);
}

TEST(CounterSnapshot, IsSortedByName) {
  counter("test.counters.b").add();
  counter("test.counters.a").add();
  sizes.record(1);
  const CounterSnapshot snapshot = counter_snapshot();
  EXPECT_TRUE(std::is_sorted(snapshot.counters.begin(), snapshot.counters.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  EXPECT_GE(snapshot.value("test.counters.a"), 1);
  EXPECT_EQ(snapshot.histogram("test.counters.none"), nullptr);
}

TEST(Histogram, BucketsTileTheNumbers) {
  EXPECT_EQ(histogram_bucket(0), 0u);
  EXPECT_EQ(histogram_bucket(UINT64_MAX), kHistogramBuckets - 1);
  for (std::size_t bucket = 0; bucket < kHistogramBuckets; ++bucket) {
    const std::uint64_t start = histogram_bucket_start(bucket);
    ASSERT_EQ(histogram_bucket(start), bucket);
    if (bucket > 0) {
      ASSERT_EQ(histogram_bucket(start - 1), bucket - 1);
    }
  }
}

TEST(Histogram, QuantilesAreRightToTheWidthOfABucket) {
  for (std::uint64_t value = 1; value <= 1000; ++value) sizes.record(value * 1000);
  const CounterSnapshot snapshot = counter_snapshot();
  const HistogramReading* reading = snapshot.histogram("test.counters.sizes");
  ASSERT_NE(reading, nullptr);
  for (const double quantile : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = quantile * 1'000'000;
    EXPECT_GE(static_cast<double>(reading->quantile(quantile)), exact * 0.98) << quantile;
    EXPECT_LE(static_cast<double>(reading->quantile(quantile)), exact * 1.126) << quantile;
  }
  EXPECT_EQ(HistogramReading().quantile(0.5), 0u);
}

TEST(Histogram, SumsOverThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (std::uint64_t i = 0; i < 1000; ++i) shared.record(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const CounterSnapshot snapshot = counter_snapshot();
  const HistogramReading* reading = snapshot.histogram("test.counters.shared");
  ASSERT_NE(reading, nullptr);
  EXPECT_EQ(reading->count, 4000u);
  EXPECT_EQ(reading->sum, 4u * 499'500u);
}

}  // namespace
}  // namespace spanwire
