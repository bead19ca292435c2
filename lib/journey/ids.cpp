#include "lib/journey/ids.hpp"

#include <algorithm>

#include "spanwire/base/counters.hpp"
#include "spanwire/journey/by_id.hpp"

namespace spanwire::journey {
namespace {

constinit NamedCounter rooms_dropped("spanwire.journey.rooms_dropped");

}  // namespace

RequestRef RequestIds::find(std::string_view rid) const {
  const Shard& shard = shard_of(rid);
  const std::scoped_lock lock(shard.mutex);
  const auto found = shard.requests.find(rid);
  return found != shard.requests.end() ? found->second : RequestRef();
}

RequestRef RequestIds::put(std::string_view rid, RequestRef request) {
  Shard& shard = shard_of(rid);
  const std::scoped_lock lock(shard.mutex);
  const auto [at, added] = shard.requests.try_emplace(std::string(rid), request);
  return added ? RequestRef() : std::exchange(at->second, request);
}

bool RequestIds::put_new(std::string_view rid, RequestRef request) {
  Shard& shard = shard_of(rid);
  const std::scoped_lock lock(shard.mutex);
  return shard.requests.try_emplace(std::string(rid), request).second;
}

void RequestIds::remove(std::string_view rid, const RequestState& request) {
  Shard& shard = shard_of(rid);
  const std::scoped_lock lock(shard.mutex);
  const auto found = shard.requests.find(rid);
  if (found != shard.requests.end() && found->second.request == &request) {
    shard.requests.erase(found);
  }
}

void Rooms::put(std::string_view room, const PropagateContext& context, std::int64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  if (rooms_.find(room) != rooms_.end()) return;
  if (rooms_.size() >= by_id::kRoomsMax) make_room();
  rooms_.emplace(std::string(room), Entry{context, next_++, now_ns});
}

// The older half goes at once, so that a full table does not search for the oldest each time.
void Rooms::make_room() {
  const std::uint64_t keep = next_ - by_id::kRoomsMax / 2;
  const std::size_t before = rooms_.size();
  std::erase_if(rooms_, [keep](const auto& item) { return item.second.number < keep; });
  rooms_dropped.add(static_cast<std::int64_t>(before - rooms_.size()));
}

void Rooms::forget_older_than(std::int64_t ns) {
  const std::scoped_lock lock(mutex_);
  const std::size_t gone = std::erase_if(
      rooms_, [ns](const auto& item) { return !item.second.used && item.second.came_ns <= ns; });
  if (gone != 0) rooms_dropped.add(static_cast<std::int64_t>(gone));
}

std::optional<PropagateContext> Rooms::use(std::string_view room) {
  const std::scoped_lock lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return std::nullopt;
  found->second.used = true;
  return found->second.context;
}

void Rooms::remove(std::string_view room) {
  const std::scoped_lock lock(mutex_);
  const auto found = rooms_.find(room);
  if (found != rooms_.end()) rooms_.erase(found);
}

}  // namespace spanwire::journey
