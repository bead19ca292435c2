// Reads OTLP JSON lines into memory and merges the files of several processes.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {

// Keeps every span once.  One thread at a time.
class Reader final : public SpanReader {
 public:
  using SpanReader::SpanReader;

  TraceSet take_traces() noexcept { return std::move(traces_); }

 private:
  void on_span(Span& span) override;

  std::unordered_multimap<trace::SpanId, std::size_t> span_index_;
};

// Whether `b` is `a` once more, as a retried export writes it.
bool same_span(const Span& a, const Span& b) noexcept;

}  // namespace spanwire::inspect
