// Slices in the order of their starts become tracks, begins and ends in the order of time.
// Internal to inspect.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/inspect/timeline/lanes.hpp"
#include "lib/inspect/timeline/places.hpp"
#include "lib/inspect/timeline/writer.hpp"
#include "spanwire/inspect/convert.hpp"

namespace spanwire::inspect {

// One thread at a time: add() by Slice::key(), then finish().  Memory: what is open, and the places
// of slices that ended not long ago, where a late child looks for its parent's.
class Sweep {
 public:
  Sweep(const ConvertOptions& options, Places& places, TimelineWriter& writer, std::string& out,
        ConvertReport& report)
      : options_(options), places_(places), writer_(writer), out_(out), report_(report) {}

  void add(const Slice& slice, std::span<const Flow> flows);
  void finish();

 private:
  // Slices that share lanes: of a process, a thread or a request.
  struct Group {
    Track track;
    Lanes lanes;
    std::vector<std::unique_ptr<Track>> lane_tracks;
    std::size_t open = 0;
  };
  struct SpanKey {
    trace::TraceId trace;
    trace::SpanId id;
    bool operator==(const SpanKey&) const noexcept = default;
  };
  struct SpanKeyHash {
    std::size_t operator()(const SpanKey& key) const noexcept {
      return key.trace.low_64() ^ key.id.low_64() * 3;
    }
  };
  struct Placed {
    std::uint64_t number = 0;
    Group* group = nullptr;  // not looked into once it has ended
    std::uint32_t lane = 0;
    std::uint32_t process = 0;
    std::uint32_t thread = kNoThread;
    bool open = true;
  };
  // Something that is written when its time has come.
  struct Pending {
    std::int64_t time_ns = 0;
    bool is_end = false;
    std::uint64_t order = 0;
    const Track* track = nullptr;
    std::string body;  // of an event
    SpanKey key;       // of an end, as the rest
    std::uint64_t number = 0;
    Group* group = nullptr;
    std::uint32_t process = 0;
    std::uint32_t counters = 0;

    // Events before ends, the innermost end first.
    bool operator>(const Pending& other) const noexcept {
      if (time_ns != other.time_ns) return time_ns > other.time_ns;
      if (is_end != other.is_end) return is_end;
      return is_end ? order < other.order : order > other.order;
    }
  };
  struct ProcessState {
    Track track;
    std::uint32_t children = 0;
    std::vector<std::int64_t> counts;
    std::vector<Track> counters;
  };

  void release(std::int64_t until_ns);
  void write_end(const Pending& item);
  void count(std::uint32_t process, std::uint32_t counters, std::int64_t change,
             std::int64_t time_ns);
  ProcessState& process_state(std::uint32_t process);
  Group& group_of(const SliceHead& slice, std::uint32_t thread);
  Group& request_group(const SliceHead& slice);
  const Track& lane_track(Group& group, std::uint32_t lane);
  void schedule(const Slice& slice, const Track& track, Group& group);
  std::uint32_t free_number(std::uint32_t wanted);
  void forget_old();

  const ConvertOptions& options_;
  Places& places_;
  TimelineWriter& writer_;
  std::string& out_;
  ConvertReport& report_;

  std::map<std::uint32_t, ProcessState> processes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::unique_ptr<Group>> groups_;
  std::unordered_map<trace::TraceId, std::unique_ptr<Group>> requests_;
  std::unordered_map<SpanKey, Placed, SpanKeyHash> placed_;
  std::deque<std::pair<SpanKey, std::uint64_t>> ended_;
  std::vector<Pending> pending_;  // a heap
  std::size_t open_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t next_uuid_ = 1;
  std::unordered_set<std::uint32_t> numbers_;  // pids and tids in use
  std::uint32_t next_number_ = 1'000'000'001;  // beyond what a system gives
  std::uint32_t next_rank_ = 0;
  bool started_ = false;
};

}  // namespace spanwire::inspect
