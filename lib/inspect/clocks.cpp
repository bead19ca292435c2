#include "lib/inspect/clocks.hpp"

#include <algorithm>
#include <queue>

#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {
namespace {

bool in_reach(std::int64_t shift) noexcept {
  return shift >= -kClockShiftMaxNs && shift <= kClockShiftMaxNs;
}

// One clock as another one sees it.
struct Edge {
  std::uint32_t to = 0;
  std::int64_t shift = 0;  // of `to` less that of where it comes from
  std::int64_t doubt = 0;
};

// From clocks that are settled to the others, over what is known best.
class Settling {
 public:
  explicit Settling(std::size_t processes) : edges_(processes), shifts_(processes) {}

  void add(std::uint32_t parent, std::uint32_t child, const ClockBounds& bounds) {
    const std::int64_t estimate = bounds.estimate();
    const bool open = bounds.at_least == ClockBounds::kNone;
    const std::int64_t doubt = open ? kClockShiftMaxNs : bounds.high() - bounds.low();
    edges_[parent].push_back({child, -estimate, doubt});
    edges_[child].push_back({parent, estimate, doubt});
  }

  void settle_from(std::uint32_t process) {
    if (settled(process)) return;
    const auto worse = [](const Edge& a, const Edge& b) { return a.doubt > b.doubt; };
    std::priority_queue<Edge, std::vector<Edge>, decltype(worse)> next(worse);
    for (next.push({process, 0, 0}); !next.empty();) {
      const Edge best = next.top();
      next.pop();
      if (settled(best.to)) continue;
      shifts_[best.to] = best.shift;
      for (const Edge& edge : edges_[best.to]) {
        const std::int64_t shift = best.shift + edge.shift;
        if (!settled(edge.to)) next.push({edge.to, in_reach(shift) ? shift : 0, edge.doubt});
      }
    }
  }

  std::vector<std::int64_t> shifts() const {
    std::vector<std::int64_t> all;
    for (const std::optional<std::int64_t>& shift : shifts_) all.push_back(shift.value_or(0));
    return all;
  }

 private:
  bool settled(std::uint32_t process) const { return shifts_[process].has_value(); }

  std::vector<std::vector<Edge>> edges_;
  std::vector<std::optional<std::int64_t>> shifts_;
};

}  // namespace

std::string clock_host(const Process& process) {
  std::string host = text_of(process.attributes, "host.id");
  return host.empty() ? text_of(process.attributes, "host.name") : host;
}

void ClockBounds::narrow(const ClockBounds& other) noexcept {
  at_least = std::max(at_least, other.at_least);
  at_most = std::min(at_most, other.at_most);
  if (other.measured && other.doubt < doubt) {
    measured = other.measured;
    doubt = other.doubt;
  }
}

std::int64_t ClockBounds::low() const noexcept { return std::min(at_least, at_most); }
std::int64_t ClockBounds::high() const noexcept { return std::max(at_least, at_most); }

bool ClockBounds::apart(std::int64_t slack_ns) const noexcept {
  return low() > slack_ns || high() < -slack_ns;
}

std::int64_t ClockBounds::estimate() const noexcept {
  if (!apart()) return 0;
  // With only a bound above, no more than what is needed.
  if (at_least == kNone) return at_most;
  return measured ? std::clamp(*measured, low(), high()) : low() + (high() - low()) / 2;
}

ClockSpan::ClockSpan(const Span& span) noexcept
    : start_ns(span.start_ns),
      end_ns(span.end_ns),
      kind(span.kind),
      failed(span.status == SpanStatus::error) {
  if (kind != SpanKind::client) return;
  const Value* offset = find(span.attributes, kClockOffsetAttribute);
  const auto* nanoseconds = offset != nullptr ? std::get_if<std::int64_t>(&offset->data) : nullptr;
  if (nanoseconds != nullptr) measured = *nanoseconds;
}

ClockBounds clock_bounds(const ClockSpan& parent, const ClockSpan& child) noexcept {
  ClockBounds bounds;
  const std::int64_t at_most = child.start_ns - parent.start_ns;
  const std::int64_t at_least = child.end_ns - parent.end_ns;
  if (!in_reach(at_most) || !in_reach(at_least)) return bounds;
  bounds.at_most = at_most;
  const bool waited = parent.kind == SpanKind::client && child.kind == SpanKind::server;
  if (!waited || parent.failed || at_least > at_most) return bounds;
  bounds.at_least = at_least;
  bounds.measured = parent.measured;
  bounds.doubt = at_most - at_least;
  return bounds;
}

void Clocks::add(std::uint32_t parent_process, const ClockSpan& parent, std::uint32_t child_process,
                 const ClockSpan& child) {
  if (parent_process == child_process) return;
  const std::pair pair(parent_process, child_process);
  const auto known = pairs_.find(pair);
  if (known != pairs_.end()) {
    known->second.narrow(clock_bounds(parent, child));
  } else if (pairs_.size() < kClockPairsMax) {
    pairs_.emplace(pair, clock_bounds(parent, child));
  }
}

void Clocks::add_one_clock(std::uint32_t parent_process, std::uint32_t child_process) {
  if (parent_process == child_process || pairs_.size() >= kClockPairsMax) return;
  ClockBounds same;
  same.at_least = same.at_most = 0;
  pairs_.insert_or_assign(std::pair(parent_process, child_process), same);
}

std::vector<std::int64_t> Clocks::shifts() const {
  std::uint32_t processes = 0;
  bool apart = false;
  for (const auto& [pair, bounds] : pairs_) {
    processes = std::max({processes, pair.first + 1, pair.second + 1});
    apart = apart || bounds.apart();
  }
  if (!apart) return {};
  Settling settling(processes);
  std::vector<bool> called(processes);
  for (const auto& [pair, bounds] : pairs_) {
    settling.add(pair.first, pair.second, bounds);
    called[pair.second] = true;
  }
  for (const bool others : {false, true}) {
    for (std::uint32_t i = 0; i < processes; ++i) {
      if (called[i] == others) settling.settle_from(i);
    }
  }
  return settling.shifts();
}

}  // namespace spanwire::inspect
