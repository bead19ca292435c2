#include "examples/serving/router.hpp"

#include <algorithm>
#include <tuple>

#include "spanwire/base/assert.hpp"

namespace serving {
namespace {

constexpr std::chrono::seconds kLeaveAlone{1};
constexpr std::size_t kLoadMargin = 8;

}  // namespace

void Router::add_worker(std::size_t blocks) {
  const std::lock_guard lock(mutex_);
  workers_.emplace_back().blocks = blocks;
}

bool Router::eligible(const Worker& worker, std::size_t least, spanwire::MonotonicTime now) const {
  return worker.failed_until <= now && worker.in_flight <= 2 * least + kLoadMargin;
}

Router::Choice Router::pick(std::span<const std::uint64_t> hashes) {
  const std::lock_guard lock(mutex_);
  SPANWIRE_ASSERT(!workers_.empty());
  const spanwire::MonotonicTime now = clock_.monotonic();
  std::size_t least = SIZE_MAX;
  for (const Worker& worker : workers_) {
    if (worker.failed_until <= now) least = std::min(least, worker.in_flight);
  }
  const bool all_failed = least == SIZE_MAX;
  Choice choice;
  Worker* best = nullptr;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (!all_failed && !eligible(worker, least, now)) continue;
    const std::size_t matched = match(worker, hashes);
    const auto rank = [](std::size_t blocks, const Worker& w) {
      return std::tuple(~blocks, w.in_flight, w.picked);
    };
    if (best != nullptr && rank(matched, worker) >= rank(choice.matched_blocks, *best)) continue;
    best = &worker;
    choice = {i, matched};
  }
  best->picked = ++picks_;
  ++best->in_flight;
  remember(*best, hashes);
  return choice;
}

void Router::finished(std::size_t worker, std::span<const std::uint64_t> hashes) {
  const std::lock_guard lock(mutex_);
  --workers_[worker].in_flight;
  remember(workers_[worker], hashes);
}

void Router::failed(std::size_t index) {
  const std::lock_guard lock(mutex_);
  Worker& worker = workers_[index];
  --worker.in_flight;
  worker.known.clear();
  worker.recent.clear();
  worker.failed_until = clock_.monotonic() + kLeaveAlone;
}

std::size_t Router::match(const Worker& worker, std::span<const std::uint64_t> hashes) {
  const auto unknown = std::find_if(hashes.begin(), hashes.end(), [&](std::uint64_t hash) {
    return worker.known.count(hash) == 0;
  });
  return static_cast<std::size_t>(unknown - hashes.begin());
}

void Router::remember(Worker& worker, std::span<const std::uint64_t> hashes) {
  // From the back: the beginning is forgotten last.
  for (auto hash = hashes.rbegin(); hash != hashes.rend(); ++hash) {
    if (const auto found = worker.known.find(*hash); found != worker.known.end()) {
      worker.recent.splice(worker.recent.begin(), worker.recent, found->second);
      continue;
    }
    worker.recent.push_front(*hash);
    worker.known[*hash] = worker.recent.begin();
    if (worker.recent.size() > worker.blocks) {
      worker.known.erase(worker.recent.back());
      worker.recent.pop_back();
    }
  }
}

}  // namespace serving
