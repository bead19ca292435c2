#include "spanwire/otlp/console_exporter.hpp"

#include <unistd.h>

#include <system_error>

#include "lib/otlp/write_all.hpp"

namespace spanwire::otlp {

trace::ExportResult ConsoleExporter::export_batch(std::span<const trace::SpanRecordView> spans,
                                                  MonotonicTime) {
  line_.clear();
  encoder_->encode(spans, line_);
  line_.append("\n");
  ByteView left = line_.view();
  if (const int error = write_all(STDOUT_FILENO, left); error != 0) {
    return {0, Error(Errc::file_write_failed,
                     "standard output: " + std::generic_category().message(error))};
  }
  return {spans.size(), {}};
}

}  // namespace spanwire::otlp
