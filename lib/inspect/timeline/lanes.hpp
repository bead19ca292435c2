// Lanes: rows of slices in which each lies inside the one below it or beside it, never across.
// Internal to inspect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <queue>
#include <set>
#include <unordered_map>
#include <vector>

#include "spanwire/trace/ids.hpp"

namespace spanwire::inspect {

// Lanes of one track.  Slices come by start, the longer first where they are equal.  A slice is
// placed on its parent where it fits, else on a lane that is free: the one that its request used
// before, or the lowest.  So slices of different requests never nest.  One thread at a time.
class Lanes {
 public:
  struct Slice {
    std::uint64_t number;  // not 0; unique
    std::uint64_t parent;  // the number of the slice that it belongs on; 0 for none
    trace::TraceId request;
    std::int64_t start_ns;
    std::int64_t end_ns;  // exclusive: at this time the lane may have another
  };

  // `parent_lane` is what place() said for the parent; meaningless without one.
  std::uint32_t place(const Slice& slice, std::uint32_t parent_lane);
  // For slices that know no parent, like those of a profile: on whichever lane they fit.
  std::uint32_t place_by_time(const Slice& slice);

  std::size_t count() const noexcept { return lanes_.size(); }

 private:
  struct Open {
    std::uint64_t number;
    std::int64_t end_ns;
  };
  using Lane = std::vector<Open>;  // the outermost first
  struct End {
    std::int64_t end_ns;
    std::uint32_t lane;
    bool operator>(const End& other) const noexcept {
      return end_ns != other.end_ns ? end_ns > other.end_ns : lane > other.lane;
    }
  };

  void free_ended(std::int64_t now_ns);
  bool fits(Lane& lane, const Slice& slice) const;
  std::uint32_t occupy(std::uint32_t lane, const Slice& slice);

  std::vector<Lane> lanes_;
  std::set<std::uint32_t> free_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;  // of the outermost slices
  std::unordered_map<trace::TraceId, std::uint32_t> used_;           // a request's last lane
};

}  // namespace spanwire::inspect
