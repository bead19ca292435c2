// ThreadPool: the threads of a route whose handler may block.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "spanwire/base/executor.hpp"

namespace spanwire::rpc {

// Runs jobs in the order given.  Safe from any thread.
class ThreadPool {
 public:
  ThreadPool(unsigned threads, std::string_view name);
  // Runs what is queued, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void post(Job& job);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  JobList jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace spanwire::rpc
