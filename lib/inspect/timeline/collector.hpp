// Spans as they are read become slices in a sorter.  Internal to inspect.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "lib/inspect/timeline/flows.hpp"
#include "lib/inspect/timeline/places.hpp"
#include "lib/inspect/timeline/slice.hpp"
#include "lib/inspect/timeline/spill_sorter.hpp"
#include "lib/inspect/timeline/writer.hpp"
#include "spanwire/inspect/convert.hpp"

namespace spanwire::inspect {

// Where slices go.  The number of the next slice is that of those so far, from 1.
struct SliceSink {
  Places& places;
  TimelineWriter& writer;
  SpillSorter& slices;
  Flows& flows;
};

class Collector final : public SpanReader {
 public:
  Collector(const ConvertOptions& options, SliceSink sink, ConvertReport& report);

  // The first failure to store a slice.
  const Result<void>& status() const noexcept { return status_; }
  // Whether spans of this trace belong to the request that was asked for.
  bool kept(const trace::TraceId& trace) const {
    return options_.request.empty() || trace.is_zero() || requests_.contains(trace);
  }

 private:
  void on_span(Span& span) override;
  void on_progress(std::uint64_t bytes) override;

  bool passes(const Span& span) const;
  void note_request(const Span& span);
  std::uint32_t counters_of(const Span& span) const;
  Result<void> store(const Span& span);

  const ConvertOptions& options_;
  SliceSink sink_;
  ConvertReport& convert_report_;
  Result<void> status_;
  std::string trace_prefix_;  // lower case
  std::unordered_set<trace::TraceId> requests_;
  std::string body_;
  std::string events_;
  std::string event_body_;
  std::string slice_;
  std::uint64_t last_progress_ = 0;
};

}  // namespace spanwire::inspect
