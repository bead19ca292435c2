// Several exporters: none waits for another, and the accounts are exact for each.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/trace/faulty_exporter.hpp"

namespace spanwire::trace {
namespace {

using namespace std::chrono_literals;

// faults_ is the first exporter, other_ the second; batches of four spans.
class Lanes : public ProviderFaults {
 protected:
  ProviderOptions two() const {
    ProviderOptions options = faulty_options();
    options.exporters.push_back(std::make_unique<FaultyExporter>(other_));
    options.batch_spans_max = 4;
    options.ring_bytes_per_thread = 1u << 20;
    return options;
  }
  // Ends `count` spans; returns when the second exporter had them.
  void record_until_other_has(int count) {
    record(count);
    recorded_ += static_cast<std::uint64_t>(count);
    provider()->force_flush(1ns);  // begins the export, waits for nothing
    other_->settled.wait_for(recorded_);
  }
  static ExporterStats at(std::size_t exporter) { return Provider().exporter_stats().at(exporter); }
  static void expect_accounted(const ExporterStats& exporter, std::uint64_t spans) {
    EXPECT_EQ(exporter.exported + exporter.lost.total() + exporter.queued, spans)
        << exporter.name << ": exported " << exporter.exported << ", lost "
        << exporter.lost.to_string() << ", queued " << exporter.queued;
  }

  std::shared_ptr<Faults> other_ = std::make_shared<Faults>();
  std::uint64_t recorded_ = 0;
};

TEST_F(Lanes, AHangingExporterHoldsUpNobodyElse) {
  init(two());
  faults_->hangs = true;
  record_until_other_has(10);
  faults_->entered.wait();
  record_until_other_has(2000);
  EXPECT_EQ(at(0).queued, 2010u);
  expect_accounted(at(1), 2010);
  EXPECT_EQ(stats().lost.total(), 0u) << "the ring is as empty as if there were no such exporter";
  faults_->hangs = false;
  faults_->released.open();
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(at(0).exported, 2010u);
  EXPECT_EQ(at(1).exported, 2010u);
  EXPECT_EQ(stats().exported, 2010u);
  expect_all_accounted(stats());
}

TEST_F(Lanes, WhatWaitsForAHangingExporterIsBounded) {
  ProviderOptions small = two();
  small.exporter_queue_bytes_max = 4096;
  init(std::move(small));
  faults_->hangs = true;
  record_until_other_has(4);
  faults_->entered.wait();
  record_until_other_has(1000);
  const ExporterStats full = at(0);
  EXPECT_GT(full.lost[LossReason::exporter_full], 900u);
  EXPECT_EQ(full.cause.code(), Errc::queue_full);
  EXPECT_EQ(log_.count("is too slow or hangs"), 1u) << "not a line for each batch";
  expect_accounted(full, 1004);
  EXPECT_EQ(stats().lost.total(), 0u) << "the other one has them all";
  faults_->hangs = false;
  faults_->released.open();
  EXPECT_TRUE(flush().in_time);
  EXPECT_EQ(at(0).queued, 0u);
  expect_accounted(at(0), 1004);
  EXPECT_EQ(at(1).exported, 1004u);
  expect_all_accounted(stats());
}

TEST_F(Lanes, AReportSaysWhatDidNotReachEveryExporter) {
  init(two());
  record_until_other_has(5);
  EXPECT_TRUE(flush().complete());
  faults_->delivers = 1;
  record_until_other_has(4);
  const FlushReport report = provider()->shutdown(10s);
  EXPECT_EQ(report.exported, 9u);
  EXPECT_EQ(report.lost.total(), 0u);
  EXPECT_EQ(report.missed, 3u);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.to_string().find("exported 9 spans, 3 of them not to every exporter"), 0u)
      << report.to_string();
}

TEST_F(Lanes, TheQueueOfEachIsBoundedInSpansWhenAsked) {
  ProviderOptions small = two();
  small.queue_spans_max = 8;
  init(std::move(small));
  faults_->hangs = true;
  record_until_other_has(4);
  faults_->entered.wait();
  for (int i = 0; i < 4; ++i) record_until_other_has(4);
  EXPECT_EQ(at(0).queued, 12u) << "one batch in its hands, two that wait";
  EXPECT_EQ(at(0).lost[LossReason::exporter_full], 8u);
  EXPECT_EQ(stats().lost[LossReason::queue_full], 0u);
  faults_->hangs = false;
  faults_->released.open();
}

TEST_F(Lanes, AShutdownLeavesOnlyTheHangingOneBehind) {
  init(two());
  faults_->hangs = true;
  record_until_other_has(10);
  faults_->entered.wait();
  const FlushReport report = provider()->shutdown(20ms);
  EXPECT_FALSE(report.in_time);
  EXPECT_EQ(report.exported, 10u);
  EXPECT_EQ(report.lost.total(), 0u);
  // At least the batch in its hands; all of them on a machine too busy to hand out the shutdown.
  EXPECT_GE(at(0).lost[LossReason::export_timeout], 4u);
  EXPECT_EQ(at(0).lost.total(), 10u);
  EXPECT_EQ(at(1).exported, 10u);
  expect_all_accounted(stats());
  faults_->hangs = false;
  faults_->released.open();
  faults_->left.wait();
  expect_accounted(at(0), 10);
}

TEST_F(Lanes, WhatNoneDeliversIsLostOnce) {
  init(two());
  faults_->hangs = true;
  other_->fails = true;
  record_until_other_has(0);
  record(10);
  provider()->force_flush(1ns);
  faults_->entered.wait();
  const FlushReport report = provider()->shutdown(20ms);
  EXPECT_EQ(report.exported, 0u);
  EXPECT_EQ(report.lost.total(), 10u) << report.to_string();
  expect_all_accounted(stats());
  expect_accounted(at(0), 10);
  expect_accounted(at(1), 10);
  faults_->hangs = false;
  faults_->released.open();
  faults_->left.wait();
}

TEST_F(Lanes, TheBestOfTwoPartialDeliveriesCounts) {
  ProviderOptions one_batch = two();
  one_batch.batch_spans_max = 512;
  init(std::move(one_batch));
  faults_->delivers = 2;
  other_->delivers = 3;
  record(5);
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost[LossReason::export_failed], 2u);
  EXPECT_EQ(at(0).exported, 2u);
  EXPECT_EQ(at(1).exported, 3u);
  EXPECT_EQ(at(0).failures, 1u);
}

TEST_F(Lanes, ExportersOfOneNameAreToldApart) {
  init(two());
  record(1);
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(at(0).name, "faulty");
  EXPECT_EQ(at(1).name, "faulty-2");
}

// Everything that a span may hold, also what does not lie in the ring, survives the copy.
TEST_F(ProviderTest, EachOfSeveralExportersGetsTheWholeSpan) {
  ProviderOptions two = options();
  const auto second = std::make_shared<SpanStore>();
  two.exporters.push_back(std::make_unique<MemoryExporter>(second));
  init(std::move(two));
  const std::string large(5000, 'x');
  for (const std::string& text : {std::string("small"), large}) {
    Span span = tracer().start({}, "whole");
    span.set("text", text);
    span.set("number", 7);
    span.add_event("happened", {{"key", text}});
    const SpanContext linked(TraceId::generate(Random::of_thread()),
                             SpanId::generate(Random::of_thread()), kFlagSampled);
    span.add_link({linked, "a=1", {}});
    span.set_status(StatusCode::error, text);
    span.end();
  }
  const std::vector<SpanData> first = spans();
  ASSERT_EQ(first.size(), 2u);
  ASSERT_EQ(second->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const SpanData& a = first[i];
    const SpanData b = second->spans()[i];
    EXPECT_EQ(a.context.span_id(), b.context.span_id());
    EXPECT_EQ(a.start, b.start);
    EXPECT_EQ(b.name, "whole");
    EXPECT_EQ(std::get<std::string>(*b.attribute("text")), i == 0 ? "small" : large);
    EXPECT_EQ(a.attributes, b.attributes);
    EXPECT_EQ(b.events.at(0).attributes, a.events.at(0).attributes);
    EXPECT_EQ(b.links.at(0).tracestate, "a=1");
    EXPECT_EQ(b.status_message, a.status_message);
    EXPECT_EQ(b.scope, "test");
  }
}

}  // namespace
}  // namespace spanwire::trace
