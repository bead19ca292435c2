// An exporter that works in steps: the next batch is made ready while one is under way.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/trace/faulty_exporter.hpp"

namespace spanwire::trace {
namespace {

using namespace std::chrono_literals;

// What happens to a stepped exporter's batches, and what it does wrong.
struct Course {
  // "prepare ab", "start ab", "finish ab": the names of the spans, read anew each time.
  std::vector<std::string> steps() const {
    const std::scoped_lock lock(mutex);
    return log;
  }
  void add(const char* step, std::span<const SpanRecordView> spans) {
    std::string names;
    for (const SpanRecordView& span : spans) names += span.name();
    const std::scoped_lock lock(mutex);
    log.push_back(std::string(step) + " " + names);
    if (log.back() == throws_at) throw std::runtime_error("thrown");
  }

  mutable std::mutex mutex;
  std::vector<std::string> log;
  std::string throws_at;
  std::string fails;  // the names of the batch that is refused
  std::atomic<bool> hangs{false};
  std::atomic<int> hastened{0};
  Count finished;  // spans
  Gate entered;
  Gate released;
  Gate left;
};

class SteppedExporter final : public Exporter, private ExportSteps {
 public:
  explicit SteppedExporter(std::shared_ptr<Course> course) : course_(std::move(course)) {}
  std::string_view name() const noexcept override { return "stepped"; }
  ExportResult export_batch(std::span<const SpanRecordView>, MonotonicTime) override {
    throw std::logic_error("not in steps");
  }
  ExportSteps* steps() noexcept override { return this; }
  void hasten(MonotonicTime) noexcept override { ++course_->hastened; }

 private:
  void prepare(std::span<const SpanRecordView> spans) override {
    ready_ = spans;
    course_->add("prepare", ready_);
  }
  void start(MonotonicTime) override {
    course_->add("start", ready_);
    under_way_ = ready_;
  }
  ExportResult finish() override {
    if (course_->hangs) {
      course_->entered.open();
      course_->released.wait();
      course_->left.open();
      return {under_way_.size(), {}};
    }
    course_->add("finish", under_way_);
    course_->finished.add(under_way_.size());
    const std::scoped_lock lock(course_->mutex);
    if (course_->log.back() == "finish " + course_->fails) {
      return {1, Error(Errc::export_refused, "no"), LossReason::refused};
    }
    return {under_way_.size(), {}};
  }

  std::shared_ptr<Course> course_;
  std::span<const SpanRecordView> ready_;
  std::span<const SpanRecordView> under_way_;
};

// Batches of two spans.
class ExportInSteps : public ProviderFaults {
 protected:
  ProviderOptions stepped() const {
    ProviderOptions options;
    options.exporters.push_back(std::make_unique<SteppedExporter>(course_));
    options.clock = &clock();
    options.schedule_delay = std::chrono::hours(1);
    options.ring_bytes_per_thread = 64u << 10;
    options.batch_spans_max = 2;
    return options;
  }
  // With the export thread at rest, so that what is recorded next leaves in one pass.
  void start(ProviderOptions options) {
    init(std::move(options));
    flush();
  }
  // A span for each letter.
  static void record(std::string_view names) {
    for (std::size_t i = 0; i < names.size(); ++i) tracer().start({}, names.substr(i, 1)).end();
  }
  using Steps = std::vector<std::string>;

  std::shared_ptr<Course> course_ = std::make_shared<Course>();
};

TEST_F(ExportInSteps, TheNextIsPreparedBeforeTheOneBeforeIsFinished) {
  start(stepped());
  record("abcde");
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(course_->steps(), (Steps{"prepare ab", "start ab", "prepare cd", "finish ab",
                                     "start cd", "prepare e", "finish cd", "start e", "finish e"}));
  EXPECT_EQ(stats().exported, 5u);
}

// Counters do not lag behind a flush: there is nothing under way after it.
TEST_F(ExportInSteps, AFlushWaitsForWhatIsUnderWay) {
  start(stepped());
  for (const char* names : {"a", "bc", "def"}) {
    record(names);
    EXPECT_TRUE(flush().complete());
    EXPECT_EQ(course_->steps().back().substr(0, 6), "finish");
    EXPECT_EQ(stats().queued, 0u);
    expect_all_accounted(stats());
  }
  record("gh");
  EXPECT_TRUE(shutdown().complete());
  EXPECT_EQ(course_->steps().back(), "finish gh");
}

TEST_F(ExportInSteps, AnOutcomeIsThatOfItsBatch) {
  start(stepped());
  course_->fails = "cd";
  record("abcdef");
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 5u);
  EXPECT_EQ(report.lost[LossReason::refused], 1u);
  EXPECT_EQ(report.cause.code(), Errc::export_refused);
  const ExporterStats exporter = Provider().exporter_stats().at(0);
  EXPECT_EQ(exporter.batches, 3u);
  EXPECT_EQ(exporter.failures, 1u);
}

struct Throw {
  const char* name;
  const char* step;
  std::vector<std::string> steps;
};
class ExportStepThrows : public ExportInSteps, public ::testing::WithParamInterface<Throw> {};

TEST_P(ExportStepThrows, AndCostsItsOwnBatch) {
  start(stepped());
  course_->throws_at = GetParam().step;
  record("abcdef");
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 4u);
  EXPECT_EQ(report.lost[LossReason::exporter_threw], 2u);
  EXPECT_EQ(course_->steps(), GetParam().steps);
  expect_all_accounted(stats());
}

INSTANTIATE_TEST_SUITE_P(
    Each, ExportStepThrows,
    ::testing::Values(Throw{"Prepare",
                            "prepare cd",
                            {"prepare ab", "start ab", "prepare cd", "finish ab", "prepare ef",
                             "start ef", "finish ef"}},
                      Throw{"Start",
                            "start cd",
                            {"prepare ab", "start ab", "prepare cd", "finish ab", "start cd",
                             "prepare ef", "start ef", "finish ef"}},
                      Throw{"Finish",
                            "finish cd",
                            {"prepare ab", "start ab", "prepare cd", "finish ab", "start cd",
                             "prepare ef", "finish cd", "start ef", "finish ef"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

// The batch that hangs and the one that was ready behind it were in the exporter's hands.
TEST_F(ExportInSteps, AHangingOneIsLeftBehindWithBothBatches) {
  start(stepped());
  course_->hangs = true;
  record("abcde");
  EXPECT_FALSE(provider()->force_flush(20ms).in_time);
  course_->entered.wait();
  const FlushReport report = provider()->shutdown(20ms);
  EXPECT_FALSE(report.in_time);
  EXPECT_GE(course_->hastened, 1);
  EXPECT_EQ(report.lost[LossReason::export_timeout], 4u);
  EXPECT_EQ(report.lost[LossReason::shut_down], 1u);
  expect_all_accounted(stats());
  course_->hangs = false;
  course_->released.open();
  course_->left.wait();
  EXPECT_EQ(stats().lost.total(), 5u);
  EXPECT_EQ(stats().exported, 0u);
}

// Nothing of a batch is overwritten before it is finished, however full the ring: "finish" reads
// it.
TEST_F(ExportInSteps, TheViewsAreGoodUntilTheBatchIsFinished) {
  start(stepped());
  std::string all;
  for (int round = 0; round < 40; ++round) {
    const std::string names = round % 2 == 0 ? "abcdefghij" : "ABCDEFGHIJ";
    for (int i = 0; i < 10; ++i) record(names);
    flush();
  }
  std::string prepared;
  std::string finished;
  for (const std::string& step : course_->steps()) {
    if (step.starts_with("prepare ")) prepared += step.substr(8);
    if (step.starts_with("finish ")) finished += step.substr(7);
  }
  EXPECT_EQ(prepared.size(), 4000u);
  EXPECT_EQ(finished, prepared);
  expect_all_accounted(stats());
}

// Beside another exporter it has a thread of its own, and nobody asks for what is under way.
TEST_F(ExportInSteps, AnIdleLaneFinishesWhatIsUnderWay) {
  ProviderOptions two = stepped();
  two.exporters.push_back(std::make_unique<FaultyExporter>(faults_));
  start(std::move(two));
  record("abcde");
  provider()->force_flush(1ns);  // begins the export, waits for nothing
  course_->finished.wait_for(5);
  EXPECT_TRUE(flush().complete());
  std::string finished;
  for (const std::string& step : course_->steps()) {
    if (step.starts_with("finish ")) finished += step.substr(7);
  }
  EXPECT_EQ(finished, "abcde");
  EXPECT_EQ(Provider().exporter_stats().at(0).exported, 5u);
  EXPECT_EQ(Provider().exporter_stats().at(0).queued, 0u);
}

}  // namespace
}  // namespace spanwire::trace
