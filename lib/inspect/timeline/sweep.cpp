#include "lib/inspect/timeline/sweep.hpp"

#include <algorithm>

namespace spanwire::inspect {
namespace {

// Ended slices whose place is remembered.
constexpr std::size_t kEndedMax = 16'384;

std::string numbered(const std::string& name, std::uint32_t lane) {
  return lane == 0 ? name : name + " #" + std::to_string(lane + 1);
}

}  // namespace

std::uint32_t Sweep::free_number(std::uint32_t wanted) {
  if (wanted != 0 && numbers_.insert(wanted).second) return wanted;
  return next_number_++;
}

Sweep::ProcessState& Sweep::process_state(std::uint32_t process) {
  const auto [item, fresh] = processes_.try_emplace(process);
  ProcessState& state = item->second;
  if (fresh) {
    const Places::Process& place = places_.process(process);
    const std::uint32_t pid = free_number(place.pid);
    state.track = {TrackKind::process, next_uuid_++, 0, pid, pid, next_rank_++, place.name};
    writer_.track(state.track, out_);
    state.counts.resize(options_.counters.size() + 1);
    state.counters.resize(options_.counters.size() + 1);
  }
  return state;
}

Sweep::Group& Sweep::request_group(const SliceHead& slice) {
  std::unique_ptr<Group>& group = requests_[slice.trace];
  if (group) return *group;
  group = std::make_unique<Group>();
  const std::uint32_t pid = free_number(0);
  group->track = {TrackKind::request,
                  next_uuid_++,
                  0,
                  pid,
                  pid,
                  next_rank_++,
                  "trace " + slice.trace.hex().str()};
  writer_.track(group->track, out_);
  return *group;
}

Sweep::Group& Sweep::group_of(const SliceHead& slice, std::uint32_t thread) {
  if (options_.track_per_request && !slice.by_time) return request_group(slice);
  std::unique_ptr<Group>& group = groups_[{slice.process, thread}];
  if (group) return *group;
  group = std::make_unique<Group>();
  ProcessState& process = process_state(slice.process);
  if (thread == kNoThread) {
    group->track = process.track;
    return *group;
  }
  const Places::Thread& place = places_.thread(thread);
  group->track = {TrackKind::thread,      next_uuid_++,       process.track.uuid, process.track.pid,
                  free_number(place.tid), process.children++, place.name};
  writer_.track(group->track, out_);
  return *group;
}

// A thread's first lane is its own track; whatever else has lanes has all of them below it.
const Track& Sweep::lane_track(Group& group, std::uint32_t lane) {
  while (group.lane_tracks.size() <= lane) {
    const auto next = static_cast<std::uint32_t>(group.lane_tracks.size());
    Track track = group.track;
    const bool of_thread = group.track.kind == TrackKind::thread;
    if (!of_thread || next > 0) {
      track.kind = TrackKind::lane;
      track.uuid = next_uuid_++;
      track.parent = group.track.uuid;
      track.tid = free_number(0);
      track.rank = next;
      track.name = numbered(of_thread ? group.track.name : "spans", next);
      writer_.track(track, out_);
    }
    group.lane_tracks.push_back(std::make_unique<Track>(std::move(track)));
  }
  return *group.lane_tracks[lane];
}

void Sweep::count(std::uint32_t process, std::uint32_t counters, std::int64_t change,
                  std::int64_t time_ns) {
  ProcessState* const state = counters == 0 ? nullptr : &process_state(process);
  for (std::size_t bit = 0; counters != 0; ++bit, counters >>= 1) {
    if ((counters & 1) == 0) continue;
    Track& track = state->counters[bit];
    if (track.uuid == 0) {
      const std::string name = bit == 0 ? "calls in progress" : options_.counters[bit - 1];
      track = {TrackKind::counter,
               next_uuid_++,
               state->track.uuid,
               state->track.pid,
               state->track.pid,
               state->children++,
               bit == 0 ? name : name + " depth"};
      writer_.track(track, out_);
    }
    state->counts[bit] += change;
    writer_.counter(track, time_ns, state->counts[bit], out_);
  }
}

void Sweep::write_end(const Pending& item) {
  writer_.end(*item.track, item.time_ns, out_);
  count(item.process, item.counters, -1, item.time_ns);
  --open_;
  const auto placed = placed_.find(item.key);
  if (placed != placed_.end() && placed->second.number == item.number) {
    placed->second.open = false;
    ended_.emplace_back(item.key, item.number);
    forget_old();
  }
  if (--item.group->open == 0 && item.group->track.kind == TrackKind::request) {
    requests_.erase(item.key.trace);
  }
}

void Sweep::forget_old() {
  while (ended_.size() > kEndedMax) {
    const auto placed = placed_.find(ended_.front().first);
    if (placed != placed_.end() && placed->second.number == ended_.front().second) {
      placed_.erase(placed);
    }
    ended_.pop_front();
  }
}

void Sweep::release(std::int64_t until_ns) {
  while (!pending_.empty() && pending_.front().time_ns <= until_ns) {
    std::pop_heap(pending_.begin(), pending_.end(), std::greater<>());
    const Pending item = std::move(pending_.back());
    pending_.pop_back();
    if (item.is_end) {
      write_end(item);
    } else {
      writer_.instant(*item.track, item.time_ns, item.body, out_);
    }
  }
}

void Sweep::schedule(const Slice& slice, const Track& track, Group& group) {
  const auto push = [this](Pending item) {
    pending_.push_back(std::move(item));
    std::push_heap(pending_.begin(), pending_.end(), std::greater<>());
  };
  const std::int64_t shift_ns = places_.process(slice.head.process).shift_ns;
  std::string_view events = slice.events;
  for (SliceEvent event; take_event(events, event);) {
    Pending item;
    item.time_ns = std::clamp(event.time_ns + shift_ns, slice.head.start_ns, slice.head.end_ns);
    item.order = ++order_;
    item.track = &track;
    item.body = event.body;
    push(std::move(item));
  }
  Pending end;
  end.time_ns = slice.head.end_ns;
  end.is_end = true;
  end.order = ++order_;
  end.track = &track;
  end.key = {slice.head.trace, slice.head.id};
  end.number = slice.head.number;
  end.group = &group;
  end.process = slice.head.process;
  end.counters = slice.head.counters;
  push(std::move(end));
}

void Sweep::add(const Slice& slice, std::span<const Flow> flows) {
  const SliceHead& head = slice.head;
  if (!started_) writer_.start(head.start_ns, out_);
  started_ = true;
  release(head.start_ns);
  if (open_ >= kOpenSlicesMax) {
    ++report_.too_many_open;
    return;
  }
  const auto parent = placed_.find({head.trace, head.parent});
  const bool known = parent != placed_.end() && parent->second.process == head.process;
  std::uint32_t thread = head.thread;
  if (thread == kNoThread && known) thread = parent->second.thread;

  Group& group = group_of(head, thread);
  Lanes::Slice wanted{head.number, 0, head.trace, head.start_ns, head.end_ns};
  const bool on_parent =
      parent != placed_.end() && parent->second.open && parent->second.group == &group;
  if (on_parent) wanted.parent = parent->second.number;
  const std::uint32_t lane = head.by_time
                                 ? group.lanes.place_by_time(wanted)
                                 : group.lanes.place(wanted, on_parent ? parent->second.lane : 0);
  const Track& track = lane_track(group, lane);
  writer_.begin(track, head, slice.body, flows, out_);
  count(head.process, head.counters, 1, head.start_ns);
  ++open_;
  ++group.open;
  ++report_.slices;
  if (!head.by_time) {
    placed_.insert_or_assign({head.trace, head.id},
                             Placed{head.number, &group, lane, head.process, thread});
  }
  schedule(slice, track, group);
}

void Sweep::finish() {
  release(std::numeric_limits<std::int64_t>::max());
  writer_.finish(out_);
}

}  // namespace spanwire::inspect
