#include "spanwire/transport/loop.hpp"

#include <time.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <utility>

#include "lib/transport/loop_impl.hpp"
#include "lib/transport/read_block.hpp"
#include "spanwire/base/assert.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::transport {
namespace {

// A handler's path may be as long as it likes.
constexpr std::size_t kShownLabelBytesMax = 256;
// So that jobs which post each other for ever cannot keep a loop from its end.
constexpr int kLastTurnsMax = 1'024;

constinit NamedCounter slow_segments("spanwire.transport.slow_segments");

// The address of a thread-local names the thread for the price of an addition.
const void* this_thread_mark() noexcept {
  [[gnu::tls_model("initial-exec")]] static constinit thread_local char mark = 0;
  return &mark;
}

}  // namespace

// Each handler keeps the Impl, in which its own memory lies, until it has run.
struct Loop::Impl::RunOutsideJobs {
  using allocator_type = HandlerAllocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(impl->outside_memory); }

  void operator()() const {
    Loop* loop = impl->owner;
    if (loop == nullptr) return;
    const Step step(*loop);
    ++loop->stats_.wakes;
    JobList jobs;
    loop->from_outside_.take_all(jobs);
    loop->run_jobs(jobs);
  }

  std::shared_ptr<Impl> impl;
};

struct Loop::Impl::RunInsideJobs {
  using allocator_type = HandlerAllocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(impl->inside_memory); }

  void operator()() const {
    Loop* loop = impl->owner;
    if (loop == nullptr) return;
    const Step step(*loop);
    // What these jobs post runs in a later step: nothing can keep the loop from its sockets.
    loop->inside_scheduled_ = false;
    JobList jobs;
    while (Job* job = loop->from_inside_.pop()) jobs.push(*job);
    loop->run_jobs(jobs);
  }

  std::shared_ptr<Impl> impl;
};

struct Loop::Impl::TimerFired {
  using allocator_type = HandlerAllocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(impl->timer_memory); }

  void operator()(const std::error_code& error) const {
    Loop* loop = impl->owner;
    if (loop == nullptr || error) return;
    loop->timer_at_ = MonotonicTime::max();
    const Step step(*loop);
    loop->timers().advance(loop->now());
  }

  std::shared_ptr<Impl> impl;
};

Loop::Loop(const Clock& clock)
    : Executor(clock),
      impl_(std::make_shared<Impl>(*this)),
      coarse_clock_(&clock == &Clock::system()) {}

Loop::Loop(asio::io_context& adopted, const Clock& clock)
    : Executor(clock),
      impl_(std::make_shared<Impl>(*this, adopted)),
      coarse_clock_(&clock == &Clock::system()) {}

Loop::~Loop() {
  impl_->owner = nullptr;
  impl_->timer.reset();
  // Operations in our own context keep the Impl that holds the context: let go of them first.
  impl_->own.reset();
  ReadBlock::of_thread().drop();
}

asio::io_context& Loop::context() noexcept { return impl_->context; }

void Loop::post(Job& job) noexcept {
  if (!runs_here()) {
    if (from_outside_.push(job)) asio::post(impl_->context, Impl::RunOutsideJobs{impl_});
    return;
  }
  from_inside_.push(job);
  if (std::exchange(inside_scheduled_, true)) return;
  asio::post(impl_->context, Impl::RunInsideJobs{impl_});
}

void Loop::run() {
  SPANWIRE_ASSERT(impl_->own.has_value());
  asio::io_context& context = impl_->context;
  const asio::executor_work_guard<IoExecutor> work(context.get_executor());
  runner_.store(nullptr, std::memory_order_relaxed);
  // The flag remembers a stop() that came before run().
  while (!stop_requested_.exchange(false)) {
    context.restart();
    if (stop_requested_.load()) continue;
    context.run();
  }
  // Each job may hold what nobody else gives back.
  for (int turn = 0; turn < kLastTurnsMax && has_jobs(); ++turn) {
    context.restart();
    if (context.poll_one() == 0) break;
  }
}

bool Loop::run_one(std::chrono::nanoseconds at_most) {
  asio::io_context& context = impl_->context;
  const asio::executor_work_guard<IoExecutor> work(context.get_executor());
  context.restart();
  return (at_most.count() > 0 ? context.run_one_for(at_most) : context.poll_one()) != 0;
}

void Loop::stop() noexcept {
  stop_requested_.store(true);
  impl_->context.stop();
}

bool Loop::has_jobs() const noexcept { return !from_inside_.empty() || !from_outside_.empty(); }

void Loop::run_jobs(JobList& jobs) noexcept {
  while (Job* job = jobs.pop()) job->run(job);
}

void Loop::keep(std::shared_ptr<void> object) {
  if (std::find(kept_.begin(), kept_.end(), object) == kept_.end()) {
    kept_.push_back(std::move(object));
  }
}

void Loop::on_slow_segment(SlowSegment report, void* context) noexcept {
  report_ = report;
  report_context_ = context;
}

// The coarse clock steps by a few milliseconds and costs a quarter of a reading: good enough to
// tell ten from none.
std::int64_t Loop::segment_clock() const noexcept {
  if (!coarse_clock_) return clock().monotonic().time_since_epoch().count();
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void Loop::end_labelled() noexcept { end_segment(segment_clock()); }

void Loop::end_segment(std::int64_t now_ns) noexcept {
  const std::chrono::nanoseconds took(now_ns - std::exchange(segment_start_ns_, now_ns));
  if (took <= kSlowSegment) [[likely]] {
    return;
  }
  ++stats_.slow_segments;
  slow_segments.add();
  const std::string_view label = current_label();
  if (report_ != nullptr) return report_(report_context_, label, took);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  log_warn("something held a loop that must not block",
           {{"what", label.empty() ? "unnamed" : wire::clip_utf8(label, kShownLabelBytesMax)},
            {"ms", ms}});
}

Loop::Step::Tail::Tail(Loop& owner) noexcept : loop(owner), outermost(!owner.runs_here()) {
  if (outermost) loop.begin_step();
}

Loop::Step::Tail::~Tail() {
  if (outermost) loop.end_step();
}

Loop::Step::Step(Loop& loop) noexcept : tail_(loop), turn_(loop) {
  // Under load a due timer need not wait for the system's, and a manual clock has no other way.
  if (tail_.outermost && loop.now() >= loop.timer_at_) [[unlikely]] {
    loop.timer_at_ = MonotonicTime::max();
    loop.timers().advance(loop.now());
  }
}

bool Loop::on_its_thread() const noexcept {
  return runner_.load(std::memory_order_relaxed) == this_thread_mark();
}

void Loop::begin_step() noexcept {
  const void* const mark = this_thread_mark();
  const void* const runner = runner_.load(std::memory_order_relaxed);
  SPANWIRE_ASSERT(runner == nullptr || runner == mark);
  if (runner == nullptr) runner_.store(mark, std::memory_order_relaxed);
  ++stats_.turns;
  clear_label();
  segment_start_ns_ = segment_clock();
}

void Loop::end_step() noexcept {
  end_segment(segment_clock());
  arm_timer();
}

// Arms earlier only: a timer that fires too soon looks again, and deadlines of calls, which move on
// all the time, cost no system call.
void Loop::arm_timer() noexcept {
  const MonotonicTime next = timers().next_expiry();
  if (next >= timer_at_) return;
  timer_at_ = next;
  impl_->timer->expires_after(next - clock().monotonic());
  impl_->timer->async_wait(Impl::TimerFired{impl_});
}

}  // namespace spanwire::transport
