// What exporters do wrong costs spans, which are counted, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "tests/trace/faulty_exporter.hpp"

namespace spanwire::trace {
namespace {

using namespace std::chrono_literals;

TEST_F(ProviderFaults, BatchesAreBounded) {
  ProviderOptions small = faulty_options();
  small.batch_spans_max = 7;
  init(std::move(small));
  record(20);
  EXPECT_TRUE(flush().complete());
  EXPECT_GE(faults_->batches, 3);
  EXPECT_LE(faults_->largest, 7u);
}

TEST_F(ProviderFaults, AFullRingLosesTheNewSpan) {
  init(faulty_options());
  faults_->hangs = true;
  record(1);
  provider()->force_flush(std::chrono::milliseconds(1));
  faults_->entered.wait();
  record(2000);
  const TraceStats full = stats();
  EXPECT_GT(full.lost[LossReason::ring_full], 0u);
  EXPECT_GT(full.queued, 100u);
  expect_all_accounted(full);
  faults_->hangs = false;
  faults_->released.open();
  EXPECT_TRUE(flush().in_time);
  const TraceStats after = stats();
  EXPECT_EQ(after.exported, full.queued);
  EXPECT_EQ(after.queued, 0u);
  expect_all_accounted(after);
  EXPECT_TRUE(log_.contains("ring_full"));
}

TEST_F(ProviderFaults, TheQueueIsBoundedWhenAsked) {
  ProviderOptions bounded = faulty_options();
  bounded.queue_spans_max = 10;
  init(std::move(bounded));
  record(15);
  EXPECT_EQ(stats().lost[LossReason::queue_full], 5u);
  flush();
  record(10);
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 10u);
  EXPECT_EQ(report.lost.total(), 0u);
  expect_all_accounted(stats());
}

TEST_F(ProviderFaults, AFailedExportIsLostWithItsCause) {
  init(faulty_options());
  faults_->fails = true;
  record(3);
  const FlushReport report = flush();
  EXPECT_TRUE(report.in_time);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.lost[LossReason::export_failed], 3u);
  EXPECT_EQ(report.cause.code(), Errc::export_failed);
  EXPECT_NE(report.to_string().find("lost 3 (export_failed 3)"), std::string::npos);
  EXPECT_NE(report.to_string().find("refused"), std::string::npos);
  faults_->fails = false;
  record(1);
  EXPECT_TRUE(flush().complete());
}

TEST_F(ProviderFaults, APartlyDeliveredBatchIsCountedInParts) {
  init(faulty_options());
  faults_->delivers = 2;
  record(5);
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 2u);
  EXPECT_EQ(report.lost[LossReason::export_failed], 3u);
}

TEST_F(ProviderFaults, AnExporterThatThrowsLosesItsBatch) {
  init(faulty_options());
  faults_->throws = true;
  record(4);
  EXPECT_EQ(flush().lost[LossReason::exporter_threw], 4u);
  EXPECT_TRUE(log_.contains("thrown"));
  faults_->throws = false;
  record(1);
  EXPECT_TRUE(flush().complete());
}

// A span that one of several exporters delivers is not lost.
TEST_F(ProviderFaults, OneOfSeveralExportersIsEnough) {
  ProviderOptions two = faulty_options();
  auto good = std::make_shared<Faults>();
  two.exporters.push_back(std::make_unique<FaultyExporter>(good));
  init(std::move(two));
  faults_->throws = true;
  record(3);
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost.total(), 0u);
  EXPECT_FALSE(report.complete()) << "one of them failed";
  EXPECT_EQ(good->delivered, 3u);
}

TEST_F(ProviderFaults, ShutdownEndsTheExporter) {
  init(faulty_options());
  record(3);
  EXPECT_TRUE(shutdown().complete());
  EXPECT_EQ(faults_->shut_down, 1);
  EXPECT_EQ(faults_->delivered, 3u);
}

// Exporters are wanted back before the shutdown's own deadline, so that their thread can be joined:
// one that is left behind may be inside a library that the process is tearing down.
TEST_F(ProviderFaults, ShutdownKeepsTimeForTheThreadToEnd) {
  for (const std::chrono::milliseconds timeout : {800ms, 30000ms}) {
    init(faulty_options());
    record(1);
    EXPECT_TRUE(provider()->shutdown(timeout).in_time);
    const MonotonicTime latest = Clock::system().monotonic() + timeout;
    EXPECT_LE(faults_->shut_down_by.load(), latest - std::min(timeout / 4, 250ms));
    EXPECT_GT(faults_->shut_down_by.load(), MonotonicTime{});
  }
}

// Nothing was ever recorded: there is no thread to start and nobody to ask.
TEST_F(ProviderFaults, ShutdownOfAnIdleProviderIsImmediate) {
  init(faulty_options());
  EXPECT_TRUE(shutdown().complete());
  EXPECT_EQ(faults_->batches, 0);
}

TEST_F(ProviderFaults, AHangingExporterIsLeftBehindAtTheDeadline) {
  ProviderOptions small = faulty_options();
  small.batch_spans_max = 4;
  init(std::move(small));
  faults_->hangs = true;
  record(10);
  const FlushReport flushed = provider()->force_flush(std::chrono::milliseconds(20));
  EXPECT_FALSE(flushed.in_time);
  EXPECT_EQ(flushed.cause.code(), Errc::export_timeout);
  faults_->entered.wait();
  const FlushReport report = provider()->shutdown(std::chrono::milliseconds(20));
  EXPECT_FALSE(report.in_time);
  EXPECT_GE(faults_->hastened, 1);
  EXPECT_EQ(report.lost[LossReason::export_timeout], 4u);
  EXPECT_EQ(report.lost[LossReason::shut_down], 6u);
  EXPECT_EQ(report.queued, 0u);
  const TraceStats after = stats();
  expect_all_accounted(after);
  // When it comes back, what was counted stays counted.
  faults_->hangs = false;
  faults_->released.open();
  faults_->left.wait();
  EXPECT_EQ(stats().lost.total(), 10u);
  EXPECT_EQ(stats().exported, 0u);
}

TEST_F(ProviderFaults, FlushFromWithinTheExporterDoesNotWaitForItself) {
  class Flushing final : public Exporter {
   public:
    explicit Flushing(std::atomic<bool>& refused) : refused_(refused) {}
    std::string_view name() const noexcept override { return "flushing"; }
    ExportResult export_batch(std::span<const SpanRecordView> spans, MonotonicTime) override {
      refused_ = !provider()->force_flush(std::chrono::hours(1)).in_time;
      return {spans.size(), {}};
    }

   private:
    std::atomic<bool>& refused_;
  };
  std::atomic<bool> refused{false};
  ProviderOptions own;
  own.exporters.push_back(std::make_unique<Flushing>(refused));
  init(std::move(own));
  record(1);
  EXPECT_TRUE(flush().in_time);
  EXPECT_TRUE(refused);
}

// Half a ring is enough to be exported; nobody has to ask.
TEST_F(ProviderFaults, AHalfFullRingIsExportedEarly) {
  init(faulty_options());
  faults_->hangs = true;
  record(400);
  faults_->entered.wait();
  faults_->hangs = false;
  faults_->released.open();
  flush();
  expect_all_accounted(stats());
}

}  // namespace
}  // namespace spanwire::trace
