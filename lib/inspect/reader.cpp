#include "spanwire/inspect/reader.hpp"

namespace spanwire::inspect {

bool same_span(const Span& a, const Span& b) noexcept {
  return a.trace == b.trace && a.parent == b.parent && a.process == b.process &&
         a.start_ns == b.start_ns && a.end_ns == b.end_ns && a.name == b.name;
}

void Reader::on_span(Span& span) {
  const auto [first, last] = span_index_.equal_range(span.id);
  for (auto item = first; item != last; ++item) {
    if (same_span(traces_.spans[item->second], span)) {
      ++report_.duplicates;
      return;
    }
  }
  span_index_.emplace(span.id, traces_.spans.size());
  traces_.spans.push_back(std::move(span));
}

}  // namespace spanwire::inspect
