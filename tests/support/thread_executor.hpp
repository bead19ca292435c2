// ThreadExecutor: a loop on a thread of its own, over the machine's clock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "spanwire/base/executor.hpp"

namespace spanwire::testing {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor();
  // Runs what is posted, then ends the thread; timers that have not fired stay unfired.
  ~ThreadExecutor() override;

  void post(Job& job) noexcept override;

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  JobList posted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace spanwire::testing
