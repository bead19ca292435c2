// Rewrites documents of OTLP as OTLP JSON lines, in bounded memory.  Internal to inspect.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "spanwire/inspect/run_folder.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {

// Whatever is read goes to `to`, piece by piece, and is counted.  One thread at a time.
class OtlpCopy final : public SpanReader {
 public:
  explicit OtlpCopy(WholeFile& to);

  std::uint64_t spans() const noexcept { return spans_; }
  const std::unordered_set<trace::TraceId>& traces() const noexcept { return traces_seen_; }
  // Of the writing: file_write_failed.
  const Result<void>& written() const noexcept { return written_; }

 private:
  void on_piece(std::string_view piece) override;
  void on_span(Span& span) override;

  WholeFile& to_;
  std::uint64_t spans_ = 0;
  std::unordered_set<trace::TraceId> traces_seen_;
  Result<void> written_;
};

}  // namespace spanwire::inspect
