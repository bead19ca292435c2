// ConsoleExporter: OTLP JSON lines on standard output, one batch a line; for looking at.
#pragma once

#include <memory>
#include <optional>

#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::otlp {

// A standard output that blocks, such as a full pipe, blocks the export thread.
class ConsoleExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "console"; }
  void start(const trace::Resource& resource) override { encoder_.emplace(resource); }
  // Fails with file_write_failed.
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime deadline) override;
  Result<void> shutdown(MonotonicTime) override {
    line_ = Buffer();
    return {};
  }
  std::unique_ptr<trace::Exporter> for_child() const override {
    return std::make_unique<ConsoleExporter>();
  }

 private:
  std::optional<JsonEncoder> encoder_;
  Buffer line_;
};

}  // namespace spanwire::otlp
