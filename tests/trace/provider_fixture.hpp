// A provider that keeps its spans, with a clock that stands still, for as long as a test runs.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/trace/memory_exporter.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::trace {

inline constexpr std::chrono::seconds kEnough{30};

class ProviderTest : public ::testing::Test {
 protected:
  void TearDown() override { shutdown(); }

  static ManualClock& clock() {
    static ManualClock& instance = *new ManualClock;
    return instance;
  }
  // Everything recorded goes to store(); never exported before somebody asks.
  ProviderOptions options() const {
    ProviderOptions options;
    options.exporters.push_back(std::make_unique<MemoryExporter>(store_));
    options.clock = &clock();
    options.schedule_delay = std::chrono::hours(1);
    options.ring_bytes_per_thread = 1u << 20;
    return options;
  }
  void start() { init(options()); }
  static FlushReport shutdown() {
    return provider() != nullptr ? provider()->shutdown(kEnough) : FlushReport();
  }
  static FlushReport flush() { return provider()->force_flush(kEnough); }
  static Tracer tracer() { return trace::tracer("test", "1"); }
  static TraceStats stats() { return Provider().stats(); }
  // What has been ended so far.
  std::vector<SpanData> spans() const {
    EXPECT_TRUE(flush().in_time);
    return store_->spans();
  }
  SpanData only_span() const {
    const std::vector<SpanData> all = spans();
    EXPECT_EQ(all.size(), 1u);
    return all.at(0);
  }
  SpanStore& store() const { return *store_; }

 private:
  testing::LeakCheck leaks_;
  std::shared_ptr<SpanStore> store_ = std::make_shared<SpanStore>();
};

// Nothing recorded is neither exported, nor counted as lost, nor still on its way.
inline void expect_all_accounted(const TraceStats& stats) {
  EXPECT_EQ(stats.recorded, stats.exported + stats.lost.total() + stats.queued + stats.open)
      << "exported " << stats.exported << ", lost " << stats.lost.to_string() << ", queued "
      << stats.queued << ", open " << stats.open;
}

}  // namespace spanwire::trace
