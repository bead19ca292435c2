// A gate that handlers wait at, on threads of their own.
#pragma once

#include <condition_variable>
#include <mutex>

#include "spanwire/rpc/server.hpp"

namespace spanwire::rpc {

class Gate {
 public:
  Gate() = default;
  // A handler that nobody waits for any more may still be on its way through.
  ~Gate() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ == passed_; });
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    ++passed_;
    changed_.notify_all();
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_waiting(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;  // and those that have passed
  int passed_ = 0;
  bool open_ = false;
};

// A handler, for threads of a pool, that waits there.
inline auto waits_at(Gate& gate) {
  return [&gate](Call& /*call*/) {
    gate.pass();
    return Status::ok();
  };
}

}  // namespace spanwire::rpc
