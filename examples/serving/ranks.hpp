// Ranks: the threads that stand for the devices of a tensor-parallel group.  All of them work on
// every step of the engine, each on its share of the model.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/journey/request.hpp"

namespace serving {

// A step, as one rank has it: its handles of the requests, whose slices it tells.
struct RankShare {
  std::vector<spanwire::journey::Request> prefill;
  std::vector<spanwire::journey::Request> decode;
};

// One thread at a time.
class Ranks {
 public:
  explicit Ranks(std::size_t count);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  std::size_t count() const noexcept { return threads_.size(); }
  // Works for so long; returns when the last rank is done.  One share for each rank.
  void work(std::vector<RankShare>& shares, std::uint64_t step, std::chrono::microseconds cost);
  // Cuts short what is under way and all that comes.  From any thread.
  void stop();

 private:
  void run(std::size_t rank);
  void tell(RankShare& share, spanwire::MonotonicTime begin) const;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<RankShare>* shares_ = nullptr;
  std::uint64_t step_ = 0;
  std::uint64_t started_ = 0;  // steps, so far
  std::size_t working_ = 0;
  std::chrono::microseconds cost_{0};
  bool stopping_ = false;
  bool ended_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace serving
