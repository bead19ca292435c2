#include "tests/support/thread_executor.hpp"

namespace spanwire::testing {

ThreadExecutor::ThreadExecutor() : Executor(Clock::system()), thread_([this] { loop(); }) {}

ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ThreadExecutor::post(Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  posted_.push(job);
  wake_.notify_one();
}

void ThreadExecutor::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !posted_.empty()) {
    if (posted_.empty()) {
      const MonotonicTime next = timers().next_expiry();
      if (next == MonotonicTime::max()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, next);
      }
    }
    Job* job = posted_.pop();
    lock.unlock();
    {
      const Turn turn(*this);
      timers().advance(now());
      if (job != nullptr) job->run(job);
    }
    lock.lock();
  }
}

}  // namespace spanwire::testing
