// TurnOutput: the links of a thread that got output in this turn.  They write at the turn's end, or
// earlier when the turn gets long.
#pragma once

#include <chrono>
#include <cstdint>

#include "spanwire/base/executor.hpp"

namespace spanwire::transport {

// Output waits no longer than this for the turn's end (checked when something is sent).
inline constexpr std::chrono::nanoseconds kFlushAfter = std::chrono::microseconds(100);

// A member or base of a link's inside; must not be listed when it is destroyed.
class OutputItem {
 public:
  using Flush = void (*)(OutputItem*) noexcept;

  explicit OutputItem(Flush flush) noexcept : flush_(flush) {}
  OutputItem(const OutputItem&) = delete;
  OutputItem& operator=(const OutputItem&) = delete;
  bool listed() const noexcept { return listed_; }

 private:
  friend class TurnOutput;
  Flush flush_;
  OutputItem* previous_ = nullptr;
  OutputItem* next_ = nullptr;
  bool listed_ = false;
};

// One thread.
class TurnOutput {
 public:
  static TurnOutput& of_thread() noexcept { return instance_; }

  void list(Executor& executor, OutputItem& item) noexcept;
  void remove(OutputItem& item) noexcept;

  // Something was sent.  Reading the clock each time would cost more than the sending.
  void sent(Executor& executor) noexcept {
    if ((++sends_ & kClockEvery) == 0) flush_if_late(executor);
  }

 private:
  static constexpr std::uint32_t kClockEvery = 3;

  void flush_all() noexcept;
  void flush_if_late(Executor& executor) noexcept;
  static void at_turn_end(Job* job) noexcept;

  [[gnu::tls_model("initial-exec")]] static constinit thread_local TurnOutput instance_;

  OutputItem* first_ = nullptr;
  OutputItem* last_ = nullptr;
  std::uint32_t sends_ = 0;
  bool scheduled_ = false;
  MonotonicTime flushed_;
  Job turn_end_;
};

inline constinit thread_local TurnOutput TurnOutput::instance_;

}  // namespace spanwire::transport
