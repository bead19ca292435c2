// Loop: the Executor over an Asio io_context.  What one readiness event brought is handled within
// one turn; what the turn sends leaves at its end.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "spanwire/base/executor.hpp"

namespace asio {
class io_context;
}

namespace spanwire::transport {

// A segment of a turn that holds the loop for longer is counted and reported.
inline constexpr std::chrono::nanoseconds kSlowSegment = std::chrono::milliseconds(10);

// Numbers of one loop since its start.  Read them on the loop.
struct LoopStats {
  std::uint64_t turns = 0;
  std::uint64_t wakes = 0;          // batches of jobs that came from other threads
  std::uint64_t slow_segments = 0;  // longer than kSlowSegment
};

// Safe from any thread: post(), stop().  Everything else on the loop's thread.
class Loop final : public Executor {
 public:
  // A loop with an io_context of its own, run by run().
  explicit Loop(const Clock& clock = Clock::system());
  // A loop in an io_context of yours, which exactly one thread runs (asserted turn by turn) and
  // which outlives the loop.  run() is not for it.
  explicit Loop(asio::io_context& adopted, const Clock& clock = Clock::system());
  // The loop no longer runs; jobs that were posted and not run are never run.
  ~Loop() override;

  void post(Job& job) noexcept override;

  // Runs until stop().  One thread at a time, again after a stop if you like.
  void run();
  // Runs at most one turn and waits no longer than `at_most` for it; true if there was one.  For
  // tests and for loops of yours.
  bool run_one(std::chrono::nanoseconds at_most);
  // run() returns after the turn that is under way and those of the jobs that were posted before.
  void stop() noexcept;

  // Called on the loop for each slow segment, from one label() or the turn's beginning to the next
  // label or the turn's end, with its label (empty if nobody set one) and duration,
  // in place of the line in the log.  Counted either way, also in spanwire.transport.slow_segments.
  using SlowSegment = void (*)(void* context, std::string_view label,
                               std::chrono::nanoseconds took) noexcept;
  void on_slow_segment(SlowSegment report, void* context) noexcept;

  // Holds `object` until the loop is destroyed, once however often it is given: what sockets of
  // this loop share with other loops.
  void keep(std::shared_ptr<void> object);

  // True on the thread that ran this loop's last turn.
  bool on_its_thread() const noexcept;
  const LoopStats& stats() const noexcept { return stats_; }
  asio::io_context& context() noexcept;

  // One turn; for whatever completes Asio operations on this loop.  Inside a turn it does nothing.
  class Step {
   public:
    explicit Step(Loop& loop) noexcept;

   private:
    // Made before the turn and gone after it.
    struct Tail {
      explicit Tail(Loop& owner) noexcept;
      ~Tail();
      Loop& loop;
      bool outermost;
    };
    Tail tail_;
    Turn turn_;
  };

 private:
  struct Impl;

  void begin_step() noexcept;
  void end_step() noexcept;
  void end_segment(std::int64_t now_ns) noexcept;
  void end_labelled() noexcept override;
  std::int64_t segment_clock() const noexcept;
  bool has_jobs() const noexcept;
  void run_jobs(JobList& jobs) noexcept;
  void arm_timer() noexcept;

  std::vector<std::shared_ptr<void>> kept_;
  std::shared_ptr<Impl> impl_;
  bool coarse_clock_;
  std::int64_t segment_start_ns_ = 0;
  SlowSegment report_ = nullptr;
  void* report_context_ = nullptr;
  LoopStats stats_;
  std::atomic<const void*> runner_{nullptr};  // identifies the thread
  MonotonicTime timer_at_ = MonotonicTime::max();
  JobQueue from_outside_;
  JobList from_inside_;
  bool inside_scheduled_ = false;
  std::atomic<bool> stop_requested_{false};
};

}  // namespace spanwire::transport
