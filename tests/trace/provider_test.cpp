#include "spanwire/trace/provider.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

// A door that a test opens.
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// What goes wrong with an exporter, switched by the test.
struct Faults {
  std::atomic<bool> fails{false};
  std::atomic<bool> throws{false};
  std::atomic<bool> hangs{false};
  std::atomic<std::size_t> delivers{1000000};
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<int> batches{0};
  std::atomic<int> hastened{0};
  std::atomic<int> shut_down{0};
  std::atomic<std::size_t> largest{0};
  Gate entered;
  Gate released;
  Gate left;
};

class FaultyExporter final : public Exporter {
 public:
  explicit FaultyExporter(std::shared_ptr<Faults> faults) : faults_(std::move(faults)) {}
  std::string_view name() const noexcept override { return "faulty"; }
  ExportResult export_batch(std::span<const SpanRecordView> spans, MonotonicTime) override {
    ++faults_->batches;
    if (spans.size() > faults_->largest) faults_->largest = spans.size();
    if (faults_->hangs) {
      faults_->entered.open();
      faults_->released.wait();
      faults_->left.open();
    }
    if (faults_->throws) throw std::runtime_error("thrown");
    if (faults_->fails) return {0, Error(Errc::export_failed, "refused")};
    const std::size_t delivered = std::min<std::size_t>(spans.size(), faults_->delivers);
    faults_->delivered += delivered;
    if (delivered < spans.size()) return {delivered, Error(Errc::export_failed, "partly")};
    return {delivered, {}};
  }
  Result<void> shutdown(MonotonicTime) override {
    ++faults_->shut_down;
    return {};
  }
  void hasten(MonotonicTime) noexcept override { ++faults_->hastened; }

 private:
  std::shared_ptr<Faults> faults_;
};

class ProviderFaults : public ProviderTest {
 protected:
  ProviderOptions faulty_options() const {
    ProviderOptions options;
    options.exporters.push_back(std::make_unique<FaultyExporter>(faults_));
    options.clock = &clock();
    options.schedule_delay = std::chrono::hours(1);
    options.ring_bytes_per_thread = 64u << 10;
    return options;
  }
  static void record(int count) {
    for (int i = 0; i < count; ++i) tracer().start({}, "span").end();
  }

  std::shared_ptr<Faults> faults_ = std::make_shared<Faults>();
  testing::LogCapture log_;
};

TEST_F(ProviderTest, TheFirstInitStays) {
  testing::LogCapture log;
  start();
  Provider* first = provider();
  ProviderOptions others;
  others.resource.set("service.name", std::string("second"));
  EXPECT_EQ(&init(std::move(others)), first);
  EXPECT_EQ(log.count("second init()"), 1u);
  EXPECT_NE(*first->resource().text("service.name"), "second");
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
