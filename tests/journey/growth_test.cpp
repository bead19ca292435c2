// Ten thousand requests alive at once, each in three threads: again and again, in the same memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/journey/by_id.hpp"
#include "tests/journey/fixture.hpp"
#include "tests/support/sanitized.hpp"

namespace spanwire::journey {
namespace {

#ifdef SPANWIRE_TEST_SANITIZED
constexpr int kRequests = 1'000;
#else
constexpr int kRequests = 10'000;
#endif
constexpr int kThreads = 3;  // that each request is in, one of them the test's own
constexpr std::size_t kRingBytes = 8u << 20;
// Every shard of the registry has been used after so many.
constexpr unsigned kWarmUp = 2;
constexpr unsigned kRounds = 12;
// The rings may still be touched for the first time; contexts that stay behind in their threads
// would be five times as much.
[[maybe_unused]] constexpr std::size_t kGrowthMax = kThreads * kRingBytes;

class TakingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "taking"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime /*deadline*/) override {
    return {spans.size(), {}};
  }
};

class GrowthTest : public JourneyTest {
 protected:
  void start_taking() {
    trace::ProviderOptions options = this->options();
    options.exporters.clear();
    options.exporters.push_back(std::make_unique<TakingExporter>());
    options.ring_bytes_per_thread = kRingBytes;
    trace::init(std::move(options));
  }
};

std::size_t resident_bytes() {
  std::ifstream stat("/proc/self/statm");
  std::size_t pages = 0;
  stat >> pages >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void take_part(int number, std::span<const PropagateContext> contexts) {
  set_thread_info("worker" + std::to_string(number));
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    by_id::set_propagate_context(std::to_string(i), contexts[i]);
    by_id::slice_start("work", std::to_string(i));
  }
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    by_id::slice_end("work", std::to_string(i), {.thread_finish = true});
  }
}

void round() {
  std::vector<PropagateContext> contexts;
  for (int i = 0; i < kRequests; ++i) {
    by_id::start({.rid = std::to_string(i)});
    contexts.push_back(*by_id::propagate_context(std::to_string(i)));
  }
  std::vector<std::thread> threads;
  for (int number = 1; number < kThreads; ++number) {
    threads.emplace_back([&contexts, number] { take_part(number, contexts); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kRequests; ++i) by_id::finish(std::to_string(i));
  EXPECT_TRUE(trace::provider()->force_flush(std::chrono::seconds(60)).in_time);
}

TEST_F(GrowthTest, TenThousandRequestsInThreeThreadsUseTheSameMemoryAgain) {
  start_taking();
  for (unsigned i = 0; i < kWarmUp; ++i) round();
  [[maybe_unused]] const std::size_t before = resident_bytes();
  for (unsigned i = 0; i < kRounds; ++i) round();
#ifndef SPANWIRE_TEST_SANITIZED
  EXPECT_LT(resident_bytes(), before + kGrowthMax);
#endif
  const trace::TraceStats stats = trace::Provider().stats();
  // Of each request: its own span, a thread's for each, and a slice for each of the others.
  EXPECT_EQ(stats.recorded,
            std::uint64_t{kWarmUp + kRounds} * kRequests * (1 + kThreads + kThreads - 1));
  EXPECT_EQ(stats.exported, stats.recorded);
  EXPECT_EQ(stats.open, 0u);
}

}  // namespace
}  // namespace spanwire::journey
