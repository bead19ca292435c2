// What tracing says of itself: in the registry, and as a line of the log.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/metrics_text.hpp"
#include "spanwire/trace/filter.hpp"
#include "tests/support/fork.hpp"
#include "tests/trace/faulty_exporter.hpp"

namespace spanwire::trace {
namespace {

using namespace std::chrono_literals;

TEST(ExporterStats, AreOneSentence) {
  ExporterStats stats;
  stats.name = "file";
  EXPECT_EQ(stats.to_string(), "file: exported 0, lost 0, 0 queued, 0 failures, 0 batches");
  stats.exported = 12;
  stats.batches = 1;
  stats.time = stats.longest = 250us;
  EXPECT_EQ(
      stats.to_string(),
      "file: exported 12, lost 0, 0 queued, 0 failures, 1 batch of 0.250 ms, at most 0.250 ms");
  stats.lost[LossReason::refused] = 2;
  stats.lost[LossReason::export_failed] = 1;
  stats.queued = 4;
  stats.failures = 1;
  stats.cause = Error(Errc::connect_failed, "localhost:4318");
  stats.batches = 2;
  stats.time = 3ms;
  stats.longest = 2ms;
  EXPECT_EQ(
      stats.to_string(),
      "file: exported 12, lost 3 (export_failed 1, refused 2), 4 queued, 1 failure, 2 batches "
      "of 1.500 ms, at most 2.000 ms; last failure: connect_failed: the peer could not be reached "
      "(localhost:4318)");
}

// faults_ is the first exporter, other_ the second.
class SelfTelemetry : public ProviderFaults {
 protected:
  ProviderOptions two() const {
    ProviderOptions options = faulty_options();
    options.exporters.push_back(std::make_unique<FaultyExporter>(other_));
    return options;
  }
  static std::int64_t value(std::string_view series) { return counter_snapshot().value(series); }
  static std::uint64_t batches(std::string_view exporter) {
    const MetricsSnapshot snapshot = metrics_snapshot();
    const FamilyReading* family = snapshot.family("spanwire_trace_export_duration_seconds");
    const SeriesReading* series = family != nullptr ? family->find({exporter}) : nullptr;
    return series != nullptr ? series->count : 0;
  }

  std::shared_ptr<Faults> other_ = std::make_shared<Faults>();
};

TEST_F(SelfTelemetry, EachExporterHasItsOwnNumbersInTheRegistry) {
  faults_->fails = true;
  init(two());
  record(1);
  flush();
  Provider().publish_stats();
  EXPECT_EQ(value(R"(spanwire_trace_exporter_spans_exported_total{exporter="faulty"})"), 0);
  EXPECT_EQ(value(R"(spanwire_trace_exporter_spans_exported_total{exporter="faulty-2"})"), 1);
  EXPECT_EQ(value("spanwire_trace_exporter_spans_lost_total"
                  R"({exporter="faulty",reason="export_failed"})"),
            1);
  EXPECT_EQ(value(R"(spanwire_trace_exporter_failures_total{exporter="faulty"})"), 1);
  EXPECT_EQ(value(R"(spanwire_trace_exporter_failures_total{exporter="faulty-2"})"), 0);
  EXPECT_EQ(value(R"(spanwire_trace_exporter_spans_queued{exporter="faulty"})"), 0);
  EXPECT_EQ(batches("faulty"), 1u);
  EXPECT_EQ(batches("faulty-2"), 1u);
  // One of them has the spans, so none is lost.
  EXPECT_EQ(value("spanwire.trace.spans_exported"), 1);
  EXPECT_EQ(value("spanwire.trace.spans_lost.export_failed"), 0);
  const std::string text = metrics_text(metrics_snapshot(), MetricsFormat::prometheus);
  for (const char* line :
       {"# TYPE spanwire_trace_exporter_spans_exported_total counter\n",
        "\nspanwire_trace_exporter_spans_exported_total{exporter=\"faulty-2\"} 1\n",
        "# TYPE spanwire_trace_exporter_spans_queued gauge\n",
        "\nspanwire_trace_export_duration_seconds_count{exporter=\"faulty\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
}

TEST_F(SelfTelemetry, AQueueIsALevel) {
  init(two());
  faults_->hangs = true;
  record(1);
  provider()->force_flush(1ns);
  faults_->entered.wait();
  Provider().publish_stats();
  EXPECT_EQ(value(R"(spanwire_trace_exporter_spans_queued{exporter="faulty"})"), 1);
  faults_->hangs = false;
  faults_->released.open();
  flush();
  Provider().publish_stats();
  EXPECT_EQ(value(R"(spanwire_trace_exporter_spans_queued{exporter="faulty"})"), 0);
}

// Without a recorded span no export thread runs: whoever asks publishes.
TEST_F(SelfTelemetry, IsThereWithoutAnExportThread) {
  ProviderOptions options = two();
  options.sampler = filtered(default_noise(), always_off());
  init(std::move(options));
  for (int i = 0; i < 4; ++i) tracer().start(Context(), "step");
  Provider().publish_stats();
  EXPECT_EQ(value("spanwire.trace.spans_started"), 4);
}

TEST_F(SelfTelemetry, WhatIsFilteredIsCounted) {
  ProviderOptions options = two();
  options.sampler = filtered(default_noise(), nullptr);
  init(std::move(options));
  tracer().start(Context(), "/metrics");
  tracer().start(Context(), "GET /healthz");
  tracer().start(Context(), "work");
  EXPECT_EQ(stats().started, 3u);
  EXPECT_EQ(stats().filtered, 2u);
  EXPECT_EQ(stats().recorded, 1u);
  EXPECT_EQ(value("spanwire.trace.spans_filtered"), 2);
  // Since init(), and in a child since the fork.
  EXPECT_EQ(testing::run_in_child([] {
              if (Provider().stats().filtered != 0) return 1;
              trace::tracer("test", "1").start(Context(), "/metrics");
              return Provider().stats().filtered == 1 ? 0 : 2;
            }),
            0);
  shutdown();
  init(two());
  EXPECT_EQ(stats().filtered, 0u);
}

TEST_F(SelfTelemetry, OneLineOnRequestHasAllOfIt) {
  faults_->fails = true;
  ProviderOptions options = two();
  options.sampler = filtered(default_noise(), nullptr);
  init(std::move(options));
  tracer().start(Context(), "/metrics");
  record(1);
  flush();
  Span open = tracer().start(Context(), "open");
  provider()->log_stats();
  const std::vector<ExporterStats> each = provider()->exporter_stats();
  ASSERT_EQ(each.size(), 2u);
  const std::string expected =
      R"(info tracing so far started=3 recorded=2 kept=0 filtered=1 exported=1 lost=0 by_reason="" )"
      R"(queued=0 open=1 misused=0 exporters=")" +
      each[0].to_string() + "; " + each[1].to_string() + "\"";
  EXPECT_EQ(log_.lines().back(), expected);
  EXPECT_NE(expected.find("exporters=\"faulty: exported 0, lost 1 (export_failed 1), 0 queued, "
                          "1 failure, 1 batch of "),
            std::string::npos)
      << expected;
  EXPECT_NE(expected.find("; faulty-2: exported 1, lost 0, 0 queued, 0 failures, 1 batch of "),
            std::string::npos)
      << expected;
}

TEST(SelfTelemetryWithoutProvider, SaysZeros) {
  testing::LogCapture log;
  Provider().log_stats();
  Provider().publish_stats();
  EXPECT_EQ(
      log.lines().back(),
      R"(info tracing so far started=0 recorded=0 kept=0 filtered=0 exported=0 lost=0 by_reason="" )"
      R"(queued=0 open=0 misused=0 exporters="")");
}

}  // namespace
}  // namespace spanwire::trace
