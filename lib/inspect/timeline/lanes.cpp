#include "lib/inspect/timeline/lanes.hpp"

namespace spanwire::inspect {
namespace {

// Requests whose lane is remembered; all are forgotten when there are more.
constexpr std::size_t kRequestsMax = 16'384;
// Perfetto's importer drops what lies deeper than 512.
constexpr std::size_t kDepthMax = 500;

}  // namespace

void Lanes::free_ended(std::int64_t now_ns) {
  while (!ends_.empty() && ends_.top().end_ns <= now_ns) {
    const std::uint32_t lane = ends_.top().lane;
    lanes_[lane].clear();
    free_.insert(lane);
    ends_.pop();
  }
}

bool Lanes::fits(Lane& lane, const Slice& slice) const {
  while (!lane.empty() && lane.back().end_ns <= slice.start_ns) lane.pop_back();
  return !lane.empty() && lane.size() < kDepthMax && slice.end_ns <= lane.back().end_ns;
}

std::uint32_t Lanes::occupy(std::uint32_t lane, const Slice& slice) {
  free_.erase(lane);
  lanes_[lane].push_back({slice.number, slice.end_ns});
  ends_.push({slice.end_ns, lane});
  return lane;
}

std::uint32_t Lanes::place(const Slice& slice, std::uint32_t parent_lane) {
  free_ended(slice.start_ns);
  if (slice.parent != 0 && fits(lanes_[parent_lane], slice) &&
      lanes_[parent_lane].back().number == slice.parent) {
    lanes_[parent_lane].push_back({slice.number, slice.end_ns});
    return parent_lane;
  }
  if (used_.size() >= kRequestsMax) used_.clear();
  const auto [used, fresh] = used_.try_emplace(slice.request, 0);
  if (fresh || !free_.contains(used->second)) {
    if (free_.empty()) {
      free_.insert(static_cast<std::uint32_t>(lanes_.size()));
      lanes_.emplace_back();
    }
    used->second = *free_.begin();
  }
  return occupy(used->second, slice);
}

std::uint32_t Lanes::place_by_time(const Slice& slice) {
  free_ended(slice.start_ns);
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (free_.contains(lane)) return occupy(lane, slice);
    if (fits(lanes_[lane], slice)) {
      lanes_[lane].push_back({slice.number, slice.end_ns});
      return lane;
    }
  }
  lanes_.emplace_back();
  return occupy(static_cast<std::uint32_t>(lanes_.size() - 1), slice);
}

}  // namespace spanwire::inspect
