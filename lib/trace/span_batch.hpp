// Spans on their way to the exporters: as they lie in the rings, and copies of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/trace/accounts.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace::detail {

struct ThreadState;

// Views into the rings.  One thread.
struct SpanBatch {
  explicit SpanBatch(std::size_t spans_max) : max(std::max<std::size_t>(spans_max, 1)) {
    spans.reserve(max);
  }
  void clear() noexcept {
    spans.clear();
    blocks.clear();
    touched.clear();
    unfolded_bytes = 0;
  }
  // Until clear(); for records that are in no ring as they are.
  std::byte* room(std::size_t bytes);

  std::size_t max;
  std::vector<SpanRecordView> spans;
  std::vector<ExternalItems> blocks;
  std::vector<ThreadState*> touched;

 private:
  std::vector<std::unique_ptr<std::byte[]>> unfolded;
  std::size_t unfolded_bytes = 0;
};

// Spans in memory of their own, for exporters that take their time.  Immutable but for the tally,
// which is the accounts' business; shared by the exporters' threads.
class BatchCopy {
 public:
  explicit BatchCopy(std::span<const SpanRecordView> spans);

  std::span<const SpanRecordView> spans() const noexcept { return spans_; }
  std::size_t bytes() const noexcept { return bytes_; }
  Tally& tally() noexcept { return tally_; }

 private:
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte[]> memory_;
  std::vector<SpanRecordView> spans_;
  Tally tally_;
};

}  // namespace spanwire::trace::detail
