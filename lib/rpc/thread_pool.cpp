#include "lib/rpc/thread_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>

namespace spanwire::rpc {

ThreadPool::ThreadPool(unsigned threads, std::string_view name) {
  const std::string short_name = std::string(name.substr(name.rfind('/') + 1)).substr(0, 15);
  for (unsigned i = 0; i < std::max(1u, threads); ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), short_name.c_str());
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::post(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push(job);
  }
  wake_.notify_one();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    Job* job = jobs_.pop();
    if (job == nullptr) return;
    lock.unlock();
    job->run(job);
    lock.lock();
  }
}

}  // namespace spanwire::rpc
