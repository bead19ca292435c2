// What tests of journeys share: a provider that keeps its spans, a clock that stands still for it
// and for the registry, and nothing left over at the end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/journey/misuse.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/settings.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/trace/memory_exporter.hpp"
#include "spanwire/trace/provider.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::journey {

using trace::SpanData;

class JourneyTest : public ::testing::Test {
 public:
  static ManualClock& clock() {
    static ManualClock& instance = *new ManualClock;
    return instance;
  }
  static MonotonicTime now() { return clock().monotonic(); }

 protected:
  JourneyTest() {
    JourneyOptions options;
    options.clock = &clock();
    set_options(options);
    clock().advance(std::chrono::milliseconds(1));
    set_thread_info("tokenizer");
  }
  void TearDown() override {
    shutdown();
    set_strict(false);
    set_trace_level(kEverything);
    EXPECT_TRUE(set_trace_modules(std::string_view()).has_value());
  }

  trace::SpanStore& store() const { return *store_; }
  static MonotonicTime in(std::int64_t ns) { return now() + std::chrono::nanoseconds(ns); }
  static void tick(std::int64_t ns = 100) { clock().advance(std::chrono::nanoseconds(ns)); }

  trace::ProviderOptions options() const {
    trace::ProviderOptions options;
    options.exporters.push_back(std::make_unique<trace::MemoryExporter>(store_));
    options.clock = &clock();
    options.schedule_delay = std::chrono::hours(1);
    options.ring_bytes_per_thread = 1u << 20;
    return options;
  }
  void start() { trace::init(options()); }
  static trace::FlushReport shutdown() {
    return trace::provider() != nullptr ? trace::provider()->shutdown(std::chrono::seconds(30))
                                        : trace::FlushReport();
  }
  // What is over so far.
  std::vector<SpanData> spans() const {
    EXPECT_TRUE(trace::provider()->force_flush(std::chrono::seconds(30)).in_time);
    return store_->spans();
  }
  // The one of that name.
  SpanData span(std::string_view name) const {
    std::vector<SpanData> found;
    for (SpanData& span : spans()) {
      if (span.name == name) found.push_back(std::move(span));
    }
    EXPECT_EQ(found.size(), 1u) << name;
    return found.at(0);
  }
  static std::int64_t open_spans() {
    return static_cast<std::int64_t>(trace::Provider().stats().open);
  }

 private:
  testing::LeakCheck leaks_;
  std::shared_ptr<trace::SpanStore> store_ = std::make_shared<trace::SpanStore>();
};

inline std::string text_of(const SpanData& span, std::string_view key) {
  const trace::OwnedValue* value = span.attribute(key);
  return value != nullptr && std::holds_alternative<std::string>(*value)
             ? std::get<std::string>(*value)
             : "(none)";
}

}  // namespace spanwire::journey
