// Router: which decode worker gets a request: the one that knows the longest beginning of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "spanwire/base/clock.hpp"

namespace serving {

// What a worker knows is what it was given, as far back as its memory reaches: nobody reports.
// Safe from any thread.
class Router {
 public:
  struct Choice {
    std::size_t worker = 0;
    std::size_t matched_blocks = 0;
  };

  explicit Router(const spanwire::Clock& clock = spanwire::Clock::system()) : clock_(clock) {}

  // A further worker, with memory for so many blocks.
  void add_worker(std::size_t blocks);
  // The longest known prefix wins, then the fewest requests, then who waited longest for one.
  // Passed over, while there are others: a worker that just failed, and one that has more than
  // twice as many requests as another and 8 on top.  Counts the request until finished().
  Choice pick(std::span<const std::uint64_t> hashes);
  // The worker ended a request, whose blocks it knows now.
  void finished(std::size_t worker, std::span<const std::uint64_t> hashes);
  // The worker cannot be reached: it knows nothing any more and is left alone for a second.
  void failed(std::size_t worker);

 private:
  struct Worker {
    std::size_t blocks = 0;
    std::size_t in_flight = 0;
    std::uint64_t picked = 0;  // when, in picks
    spanwire::MonotonicTime failed_until{};
    std::list<std::uint64_t> recent;  // the latest first
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> known;
  };
  static std::size_t match(const Worker& worker, std::span<const std::uint64_t> hashes);
  static void remember(Worker& worker, std::span<const std::uint64_t> hashes);
  bool eligible(const Worker& worker, std::size_t least, spanwire::MonotonicTime now) const;

  const spanwire::Clock& clock_;
  std::mutex mutex_;
  std::vector<Worker> workers_;
  std::uint64_t picks_ = 0;
};

}  // namespace serving
