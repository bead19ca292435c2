#include "examples/serving/ranks.hpp"

#include <pthread.h>

#include <array>
#include <string>

#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/thread_info.hpp"

namespace serving {

namespace journey = spanwire::journey;

Ranks::Ranks(std::size_t count) {
  for (std::size_t rank = 0; rank < count; ++rank) {
    threads_.emplace_back([this, rank] { run(rank); });
    ::pthread_setname_np(threads_.back().native_handle(), ("tp" + std::to_string(rank)).c_str());
  }
}

Ranks::~Ranks() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = ended_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Ranks::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

void Ranks::work(std::vector<RankShare>& shares, std::uint64_t step,
                 std::chrono::microseconds cost) {
  std::unique_lock lock(mutex_);
  shares_ = &shares;
  step_ = step;
  cost_ = cost;
  working_ = threads_.size();
  ++started_;
  wake_.notify_all();
  done_.wait(lock, [this] { return working_ == 0; });
}

void Ranks::run(std::size_t rank) {
  journey::set_thread_info("tp_worker", {.tp = static_cast<int>(rank)});
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return ended_ || started_ != seen; });
    if (started_ == seen) return;
    seen = started_;
    const spanwire::MonotonicTime begin = spanwire::Clock::system().monotonic();
    // Here a device would compute; only the end of the engine cuts it short.
    if (cost_.count() > 0) {
      wake_.wait_until(lock, std::chrono::steady_clock::now() + cost_,
                       [this] { return stopping_; });
    }
    lock.unlock();
    tell((*shares_)[rank], begin);
    lock.lock();
    if (--working_ == 0) done_.notify_one();
  }
}

void Ranks::tell(RankShare& share, spanwire::MonotonicTime begin) const {
  const std::array attributes = {spanwire::trace::Attribute{"batch.step", step_}};
  const spanwire::MonotonicTime end = spanwire::Clock::system().monotonic();
  const auto tell_as = [&](std::vector<journey::Request>& requests, spanwire::trace::Key name,
                           journey::Level level) {
    const std::array slices = {journey::Slice{
        .name = name, .level = level, .start = begin, .end = end, .attributes = attributes}};
    journey::slice_batch(requests, slices);
  };
  tell_as(share.prefill, "prefill_forward", journey::kUsual);
  tell_as(share.decode, "decode_forward", journey::kEverything);
}

}  // namespace serving
