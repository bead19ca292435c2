#include "spanwire/base/executor.hpp"

#include "spanwire/base/assert.hpp"

namespace spanwire {

void JobQueue::take_all(JobList& list) noexcept {
  Job* newest = first_.exchange(nullptr, std::memory_order_acquire);
  Job* oldest = nullptr;
  while (newest != nullptr) {
    Job* job = newest;
    newest = job->next;
    job->next = oldest;
    oldest = job;
  }
  while (oldest != nullptr) {
    Job* job = oldest;
    oldest = job->next;
    list.push(*job);
  }
}

Executor::Executor(const Clock& clock) noexcept
    : now_(clock.monotonic()), clock_(&clock), timers_(now_) {}

Executor::~Executor() { SPANWIRE_ASSERT(turn_end_.empty()); }

void Executor::refresh_time() noexcept {
  now_ = clock_->monotonic();
  wall_known_ = false;
}

void Executor::relabel(std::string_view text) noexcept {
  end_labelled();
  label_ = text;
}

void Executor::read_wall() noexcept {
  wall_ = clock_->wall();
  wall_known_ = true;
}

void Executor::run_turn_end() noexcept {
  while (Job* job = turn_end_.pop()) job->run(job);
}

}  // namespace spanwire
