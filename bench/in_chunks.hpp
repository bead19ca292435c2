// What benches of recorded spans share: chunks that fit into a ring, and an exporter that takes
// them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "bench/measure.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::bench {

// Looks at each span, as any exporter has to.
class TakingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "taking"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime /*deadline*/) override {
    for (const trace::SpanRecordView& span : spans) bytes_ += span.queued_bytes();
    opaque(bytes_);
    return {spans.size(), {}};
  }

 private:
  std::size_t bytes_ = 0;
};

// So much at a time, then a pause until it is out of the ring, which does not count: nothing is
// lost on either side of a comparison, and what waking and sleeping costs depends on the machine's
// mood.
template <class Work, class Drained>
void in_chunks(std::uint64_t chunk, std::uint64_t iterations, const Work& work,
               const Drained& drained) {
  while (iterations > 0) {
    const std::uint64_t now = std::min(iterations, chunk);
    for (std::uint64_t i = 0; i < now; ++i) work();
    {
      const Uncounted pause;
      drained();
    }
    iterations -= now;
  }
}

}  // namespace spanwire::bench
