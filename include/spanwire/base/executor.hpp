// Executor: one thread's loop, seen by tasks.  Jobs, turns, the time of a turn, timers.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/timer_wheel.hpp"

namespace spanwire {

namespace detail {
class PromiseBase;
}

class CancelScope;
class Suspension;

// A piece of work, a member or base of whatever it works on: posting allocates nothing.  A job is
// in one list at a time and belongs to the executor from post() until `run` is called; `run` may
// free it.
struct Job {
  using Run = void (*)(Job*) noexcept;

  Job() noexcept = default;
  explicit Job(Run function) noexcept : run(function) {}

  Run run = nullptr;
  Job* next = nullptr;
};

// First in, first out.  One thread at a time.
class JobList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  void push(Job& job) noexcept {
    job.next = nullptr;
    *last_ = &job;
    last_ = &job.next;
  }
  // The oldest job, or null.
  Job* pop() noexcept {
    Job* job = first_;
    if (job == nullptr) return nullptr;
    first_ = job->next;
    if (first_ == nullptr) last_ = &first_;
    return job;
  }

  JobList() noexcept = default;
  JobList(const JobList&) = delete;
  JobList& operator=(const JobList&) = delete;

 private:
  Job* first_ = nullptr;
  Job** last_ = &first_;
};

// Jobs from any thread to one thread.  push() is safe from any thread, the rest for the owner.
class JobQueue {
 public:
  // True if the queue was empty, so that its owner may have to be woken.
  bool push(Job& job) noexcept {
    Job* first = first_.load(std::memory_order_relaxed);
    do {
      job.next = first;
    } while (!first_.compare_exchange_weak(first, &job, std::memory_order_release,
                                           std::memory_order_relaxed));
    return first == nullptr;
  }
  bool empty() const noexcept { return first_.load(std::memory_order_acquire) == nullptr; }
  // Moves everything to the end of `list`, oldest first.
  void take_all(JobList& list) noexcept;

 private:
  std::atomic<Job*> first_{nullptr};
};

// An executor runs jobs one after another on one thread, in turns.  Implementations open a Turn
// around every batch of work; what a turn produces is flushed by its turn-end jobs.  It must
// outlive every task, timer and job that knows it.  Only post() is safe from any thread; everything
// else is for the executor's own thread, inside a turn.
class Executor {
 public:
  static constexpr std::uint32_t kResumeDepthMax = 32;

  class Turn;

  explicit Executor(const Clock& clock) noexcept;
  virtual ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs `job` once in a later step of the loop.  Safe from any thread.
  virtual void post(Job& job) noexcept = 0;

  // The executor whose turn the calling thread is in, or null.
  static Executor* current() noexcept { return current_; }
  bool runs_here() const noexcept { return current_ == this; }

  // Runs `job` once when the current turn ends; jobs added meanwhile run before the turn is over.
  void at_turn_end(Job& job) noexcept { turn_end_.push(job); }

  TimerWheel& timers() noexcept { return timers_; }
  const Clock& clock() const noexcept { return *clock_; }

  // The time at which the turn began (or at which refresh_time() was called last).
  MonotonicTime now() const noexcept { return now_; }
  // The same of the wall clock; read at the turn's first call.
  WallTime wall_now() noexcept {
    if (!wall_known_) read_wall();
    return wall_;
  }
  // Reads the clock again, for implementations whose turn is long.
  void refresh_time() noexcept;

  // Names what runs from here to the next label or the turn's end, for reports of what held the
  // thread too long; empty for nothing in particular.  `text` must stay valid as long.
  void label(std::string_view text) noexcept {
    if (text.data() != label_.data()) relabel(text);
  }
  std::string_view current_label() const noexcept { return label_; }

  // True if code may be resumed from where we are; false means: post.
  bool may_resume_here() const noexcept { return runs_here() && depth_ < kResumeDepthMax; }

 protected:
  // Before another label takes over.
  virtual void end_labelled() noexcept {}
  void clear_label() noexcept { label_ = {}; }

 private:
  friend class detail::PromiseBase;
  friend class CancelScope;
  friend class Suspension;

  void relabel(std::string_view text) noexcept;
  void read_wall() noexcept;
  void run_turn_end() noexcept;

  // Resumes a coroutine and then whoever waited for its end, and so on: a loop instead of
  // transfers, so that the stack stays flat at every optimisation level.
  void resume_chain(std::coroutine_handle<> handle) noexcept {
    ++depth_;
    do {
      next_ = nullptr;
      handle.resume();
      handle = next_;
    } while (handle);
    --depth_;
  }

  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local Executor* current_ =
      nullptr;

  std::coroutine_handle<> next_;  // set by a task that ended: who is resumed next
  std::uint32_t depth_ = 0;
  bool wall_known_ = false;
  std::string_view label_;
  MonotonicTime now_;
  WallTime wall_;
  const Clock* clock_;
  JobList turn_end_;
  TimerWheel timers_;
};

// Makes `executor` the current one, with a fresh time, and runs the turn-end jobs when it goes.  A
// turn inside a turn of the same executor is part of it.  For implementations of Executor.
class Executor::Turn {
 public:
  explicit Turn(Executor& executor) noexcept : executor_(executor), previous_(current_) {
    if (previous_ == &executor_) return;
    current_ = &executor_;
    executor_.refresh_time();
  }
  ~Turn() {
    if (previous_ == &executor_) return;
    if (!executor_.turn_end_.empty()) executor_.run_turn_end();
    current_ = previous_;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Executor& executor_;
  Executor* previous_;
};

}  // namespace spanwire
