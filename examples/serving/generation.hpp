// Generation: one answer on its way from the workers to an HTTP thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "examples/serving/messages.hpp"
#include "spanwire/base/cancellation.hpp"
#include "spanwire/base/result.hpp"

namespace serving {

// Filled by the runtime's threads, emptied by one other.  Safe from any thread.
class Generation {
 public:
  // What has come since the last take().
  struct News {
    std::size_t tokens = 0;
    std::string text;                                     // of them
    std::optional<spanwire::Result<GenerateAnswer>> end;  // nothing comes after it
  };

  Generation();
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Readable while there is news; -1 if the system gave none (then end() says so).
  int descriptor() const noexcept { return descriptor_; }
  News take();
  // Gives it up, on all workers.
  void cancel() const noexcept { cancellation_.cancel(); }
  const spanwire::Cancellation& cancellation() const noexcept { return cancellation_; }

  void add(const TextBatch& batch);
  // Only the first end counts.  An error also cancels what is still under way.
  void end(spanwire::Result<GenerateAnswer> how);

 private:
  void notify() noexcept;

  const int descriptor_;
  const spanwire::Cancellation cancellation_;
  std::mutex mutex_;
  News news_;
  bool ended_ = false;
};

}  // namespace serving
