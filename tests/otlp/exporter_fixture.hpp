// A provider that exports to a FaultSink, with pauses of milliseconds.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/otlp/fault_sink.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::otlp {

// A guard against hanging, not a wait.
inline constexpr std::chrono::seconds kEnough{60};

class ExporterTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (trace::provider() != nullptr) trace::provider()->shutdown(kEnough);
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // Five attempts, a millisecond apart.
  static OtlpOptions to(const std::string& endpoint, Protocol protocol = Protocol::http_protobuf) {
    OtlpOptions options;
    options.protocol = protocol;
    options.endpoint = endpoint;
    options.timeout = kEnough;
    options.retry.first = options.retry.last = std::chrono::milliseconds(1);
    return options;
  }
  static void start(OtlpOptions options, std::size_t batch_spans_max = 512) {
    trace::ProviderOptions all;
    all.schedule_delay = std::chrono::hours(1);
    all.export_timeout = std::chrono::milliseconds(0);
    all.batch_spans_max = batch_spans_max;
    all.exporters.push_back(std::make_unique<OtlpExporter>(std::move(options)));
    trace::init(std::move(all));
  }
  static void record(std::size_t count = 1, const std::string& name = "span") {
    for (std::size_t i = 0; i < count; ++i) trace::tracer("t").start({}, name).end();
  }
  static trace::FlushReport flush() { return trace::provider()->force_flush(kEnough); }
  static trace::FlushReport send(std::size_t count = 1) {
    record(count);
    return flush();
  }
  static std::int64_t counted(std::string_view name) { return counter_snapshot().value(name); }
  const std::string& folder() {
    if (folder_.empty()) {
      folder_ = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
      EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    }
    return folder_;
  }

  ::spanwire::testing::LogCapture log_;
  const std::int64_t sent_before_ = counted("spanwire.otlp.requests_sent");

 private:
  std::string folder_;
};

}  // namespace spanwire::otlp
