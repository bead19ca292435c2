#include "examples/serving/engine.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "examples/serving/step_slices.hpp"
#include "spanwire/journey/thread_info.hpp"

namespace serving {

namespace {

// How long an engine with nothing to do but unfinished jobs sleeps before it looks for cancelled
// ones and for slow readers that have caught up.
constexpr std::chrono::milliseconds kLookAgain{5};
constexpr std::size_t kEarlyStatesMax = 1024;

}  // namespace

Engine::Engine(std::shared_ptr<const LanguageModel> model, const EngineOptions& options)
    : model_(std::move(model)), options_(options), scheduler_(options.scheduler) {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "scheduler");
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  ranks_.stop();
  thread_.join();
}

void Engine::submit(std::unique_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  submitted_.push_back(std::move(job));
  wake_.notify_one();
}

void Engine::deliver(std::string id, std::vector<Token> opening) {
  const std::lock_guard lock(mutex_);
  delivered_.push_back({std::move(id), std::move(opening)});
  wake_.notify_one();
}

void Engine::run() {
  spanwire::journey::set_thread_info("scheduler");
  bool worked = true;
  while (take_inbox(!worked)) {
    drop_cancelled();
    worked = step();
    publish();
  }
  while (!jobs_.empty()) finish(*jobs_.begin()->second, Finish::stopped);
  publish();
}

// False once the engine is to stop.
bool Engine::take_inbox(bool may_wait) {
  std::vector<std::unique_ptr<Job>> submitted;
  std::vector<State> delivered;
  {
    std::unique_lock lock(mutex_);
    const auto news = [this] { return stopping_ || !submitted_.empty() || !delivered_.empty(); };
    if (may_wait && jobs_.empty()) {
      wake_.wait(lock, news);
    } else if (may_wait) {
      wake_.wait_for(lock, kLookAgain, news);
    }
    submitted.swap(submitted_);
    delivered.swap(delivered_);
    if (stopping_) {
      for (std::unique_ptr<Job>& job : submitted) job->on_finished(Finish::stopped);
      return false;
    }
  }
  for (std::unique_ptr<Job>& job : submitted) {
    scheduler_.add(*job);
    job->on_queued();
    Sequence* const key = job.get();
    jobs_.emplace(key, std::move(job));
  }
  for (State& state : early_) delivered.push_back(std::move(state));
  early_.clear();
  for (State& state : delivered) take_state(std::move(state));
  return true;
}

void Engine::take_state(State state) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    return item.second->expects_state && item.second->id == state.id;
  });
  if (found != jobs_.end()) {
    Job& job = *found->second;
    job.opening = std::move(state.opening);
    scheduler_.transferred(job);
    job.on_state();
    return;
  }
  // The oldest is of a job that was given up before it came.
  if (early_.size() == kEarlyStatesMax) early_.pop_front();
  early_.push_back(std::move(state));
}

void Engine::drop_cancelled() {
  std::vector<Job*> gone;
  for (const auto& [key, job] : jobs_) {
    if (job->cancelled()) gone.push_back(job.get());
  }
  for (Job* job : gone) finish(*job, Finish::cancelled);
}

// False if there was nothing to do.
bool Engine::step() {
  flush_all();
  const Step step = scheduler_.plan();
  tell_changes(step);
  if (!step.work.empty()) {
    const StepFacts facts = spend(step);
    scheduler_.done(step);
    for (const Step::Work& work : step.work) static_cast<Job*>(work.sequence)->on_step(facts);
    tell_step(step, facts);
  }
  std::vector<Job*> ready;
  for (Sequence* sequence : scheduler_.running()) {
    if (sequence->complete() && !sequence->stalled) ready.push_back(static_cast<Job*>(sequence));
  }
  for (Job* job : ready) advance(*job);
  return !step.work.empty() || !ready.empty();
}

void Engine::flush_all() {
  std::vector<Job*> ended;
  for (const auto& [key, job] : jobs_) {
    job->stalled = !job->flush();
    if (job->ending && !job->stalled) ended.push_back(job.get());
  }
  for (Job* job : ended) finish(*job, *job->ending);
}

void Engine::tell_changes(const Step& step) {
  for (Sequence* sequence : step.preempted) {
    stats_.preempted.fetch_add(1, std::memory_order_relaxed);
    static_cast<Job*>(sequence)->on_preempted();
  }
  for (Sequence* sequence : step.admitted) static_cast<Job*>(sequence)->on_admitted();
}

// The ranks work for as long as the model of their time says.
StepFacts Engine::spend(const Step& step) {
  const spanwire::Clock& clock = spanwire::Clock::system();
  StepFacts facts;
  facts.number = ++step_number_;
  facts.sequences = step.work.size();
  facts.prefill_tokens = step.prefill_tokens;
  facts.blocks_in_use = scheduler_.pool().in_use();
  facts.waiting = scheduler_.waiting().size();
  std::chrono::microseconds cost = options_.prefill_per_token * step.prefill_tokens;
  if (step.decode_sequences > 0) cost += options_.decode_step;
  std::vector<RankShare> shares = shares_of(step, ranks_.count());
  facts.begin = clock.monotonic();
  ranks_.work(shares, facts.number, cost);
  facts.end = clock.monotonic();
  return facts;
}

void Engine::advance(Job& job) {
  if (job.opening.empty()) {
    job.opening =
        model_->opening(std::span<const Token>(job.tokens).first(job.prompt_tokens), job.sampling);
  }
  if (job.tokens_max == 0) return end(job, Finish::prefilled);
  const std::size_t at = job.generated();
  const Token token =
      at < job.opening.size() ? job.opening[at] : model_->next(job.tokens, job.sampling);
  if (token == kEndOfText && !job.sampling.ignore_eos) return end(job, Finish::stop);
  job.tokens.push_back(token);
  job.on_token(token);
  if (job.generated() == job.tokens_max || !fits(job.tokens.size() + 1)) end(job, Finish::length);
}

// A slow reader still gets all that was made for it: its job ends when it has caught up.
void Engine::end(Job& job, Finish how) {
  job.ending = how;
  job.stalled = !job.flush();
  if (!job.stalled) finish(job, how);
}

void Engine::finish(Job& job, Finish how) {
  auto& counter = how == Finish::cancelled ? stats_.cancelled : stats_.finished;
  counter.fetch_add(1, std::memory_order_relaxed);
  if (how != Finish::stopped) scheduler_.remove(job);
  job.on_finished(how);
  jobs_.erase(&job);
}

void Engine::publish() {
  stats_.waiting.store(scheduler_.waiting().size(), std::memory_order_relaxed);
  stats_.running.store(scheduler_.running().size(), std::memory_order_relaxed);
  stats_.blocks_in_use.store(scheduler_.pool().in_use(), std::memory_order_relaxed);
  stats_.steps.store(step_number_, std::memory_order_relaxed);
}

}  // namespace serving
