// A provider whose exporter goes wrong when a test says so.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {

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

// A number that a test waits for.
class Count {
 public:
  void add(std::uint64_t by) {
    const std::scoped_lock lock(mutex_);
    value_ += by;
    changed_.notify_all();
  }
  void wait_for(std::uint64_t value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return value_ >= value; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t value_ = 0;
};

// What goes wrong with an exporter, switched by the test.
struct Faults {
  std::atomic<bool> fails{false};
  std::atomic<bool> throws{false};
  std::atomic<bool> hangs{false};
  std::atomic<std::size_t> delivers{1000000};
  std::atomic<std::uint64_t> delivered{0};
  Count settled;  // spans that were delivered or not
  std::atomic<int> batches{0};
  std::atomic<int> hastened{0};
  std::atomic<int> shut_down{0};
  std::atomic<MonotonicTime> shut_down_by{};
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
    faults_->settled.add(spans.size());
    if (delivered < spans.size()) return {delivered, Error(Errc::export_failed, "partly")};
    return {delivered, {}};
  }
  Result<void> shutdown(MonotonicTime deadline) override {
    ++faults_->shut_down;
    faults_->shut_down_by = deadline;
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

}  // namespace spanwire::trace
