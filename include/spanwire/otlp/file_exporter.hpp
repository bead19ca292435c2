// FileExporter: OTLP JSON lines, one batch a line, as OpenTelemetry's file exporters write them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::otlp {

// `pattern` with %p replaced by the number of this process and %% by %.
std::string expand_path(const std::string& pattern);

// One file per process: a forked child opens its own.  Each batch is one write() to the end of the
// file, so nothing waits in the exporter and how often it writes is the provider's schedule delay.
// A file that was removed is made again.  A write that fails costs its batch, is reported and
// counted by the provider, and the next batch begins on a new line.
class FileExporter final : public trace::Exporter {
 public:
  // Opens nothing yet: the first batch does.
  explicit FileExporter(std::string pattern);
  ~FileExporter() override;

  std::string_view name() const noexcept override { return "file"; }
  std::string describe() const override { return "file " + pattern_; }
  void start(const trace::Resource& resource) override;
  // Fails with file_open_failed or file_write_failed.  A file that blocks, such as a full pipe,
  // blocks the export thread.
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime deadline) override;
  Result<void> shutdown(MonotonicTime deadline) override;
  std::unique_ptr<trace::Exporter> for_child() const override;

 private:
  Result<void> open();
  Result<void> write(ByteView bytes);
  void close() noexcept;

  const std::string pattern_;
  std::string path_;
  int file_ = -1;
  bool torn_line_ = false;
  std::optional<JsonEncoder> encoder_;
  Buffer line_;
};

}  // namespace spanwire::otlp
