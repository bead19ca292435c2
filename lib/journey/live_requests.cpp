#include "lib/journey/live_requests.hpp"

#include <functional>

#include "spanwire/base/fork.hpp"

namespace spanwire::journey {

void LiveRequests::forget_parents() noexcept {
  std::uint32_t known = generation_.load(std::memory_order_relaxed);
  const std::uint32_t now = fork_generation();
  if (known == now) [[likely]]
    return;
  // A thread that adds meanwhile may lose its key: then a repetition goes unseen, no more.
  if (!generation_.compare_exchange_strong(known, now, std::memory_order_relaxed)) return;
  for (auto& key : keys_) key.store(0, std::memory_order_relaxed);
}

LiveRequests::Result LiveRequests::add(std::string_view id) noexcept {
  forget_parents();
  const std::uint64_t key = std::hash<std::string_view>()(id) | 1;
  const std::size_t first = (key >> 1) % kLiveRequestsMax;
  for (std::size_t i = 0; i < kReach; ++i) {
    auto& place = keys_[(first + i) % kLiveRequestsMax];
    std::uint64_t there = place.load(std::memory_order_relaxed);
    if (there == 0 && place.compare_exchange_strong(there, key, std::memory_order_relaxed)) {
      return {is_behind(first, i, key) ? Added::already_there : Added::yes, key};
    }
    if (there == key) return {Added::already_there, 0};
  }
  return {Added::no_room, 0};
}

// Whether `key` also lies farther from its place than `at`: a nearer place was given back since.
bool LiveRequests::is_behind(std::size_t first, std::size_t at, std::uint64_t key) noexcept {
  for (std::size_t i = at + 1; i < kReach; ++i) {
    if (keys_[(first + i) % kLiveRequestsMax].load(std::memory_order_relaxed) == key) return true;
  }
  return false;
}

void LiveRequests::remove(std::uint64_t key) noexcept {
  const std::size_t first = (key >> 1) % kLiveRequestsMax;
  for (std::size_t i = 0; key != 0 && i < kReach; ++i) {
    std::uint64_t there = key;
    auto& place = keys_[(first + i) % kLiveRequestsMax];
    if (place.compare_exchange_strong(there, 0, std::memory_order_relaxed)) return;
  }
}

}  // namespace spanwire::journey
