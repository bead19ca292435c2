// The windows of one search: where an answer is as full as it may be, its halves are asked for.
// Internal to inspect.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "spanwire/inspect/jaeger.hpp"

namespace spanwire::inspect {

class SearchWindows {
 public:
  // A shorter one than `halved_from_ns` is not halved; the second half begins `gap_ns` behind the
  // first.  What becomes of the search is told in `fetched`.
  SearchWindows(const TraceQuery& query, std::int64_t halved_from_ns, std::int64_t gap_ns,
                Fetched& fetched)
      : halved_from_ns_(halved_from_ns), gap_ns_(gap_ns), fetched_(fetched), windows_{query} {}

  // The earliest that has not been asked for; none at the end, or after kSearchesMax searches.
  std::optional<TraceQuery> next() {
    if (windows_.empty()) return std::nullopt;
    if (fetched_.searches >= kSearchesMax) {
      fetched_.truncated = true;
      return std::nullopt;
    }
    TraceQuery window = std::move(windows_.back());
    windows_.pop_back();
    return window;
  }
  // The answer for `window` is full.  True: its halves come next, the answer is not needed.
  bool halve(const TraceQuery& window) {
    if (window.end_ns - window.start_ns < halved_from_ns_) {
      fetched_.truncated = true;
      return false;
    }
    const std::int64_t middle = window.start_ns + (window.end_ns - window.start_ns) / 2;
    windows_.push_back({window.service, middle + gap_ns_, window.end_ns});
    windows_.push_back({window.service, window.start_ns, middle});
    return true;
  }

 private:
  const std::int64_t halved_from_ns_;
  const std::int64_t gap_ns_;
  Fetched& fetched_;
  std::vector<TraceQuery> windows_;  // the earliest last
};

}  // namespace spanwire::inspect
