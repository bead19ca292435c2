// Engine: the scheduler's thread and those of the ranks, which work on sequences step by step, as
// GPUs would: the time that a step takes is a model's, the tokens are the language model's.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "examples/serving/language_model.hpp"
#include "examples/serving/ranks.hpp"
#include "examples/serving/scheduler.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/journey/stages.hpp"

namespace serving {

// Threads that work on each step together.
inline constexpr std::size_t kRanks = 2;

struct EngineOptions {
  SchedulerOptions scheduler;
  std::chrono::microseconds prefill_per_token{100};
  std::chrono::microseconds decode_step{15'000};
};

// What was done in one step and when.
struct StepFacts {
  std::uint64_t number = 0;
  spanwire::MonotonicTime begin{};
  spanwire::MonotonicTime end{};
  std::size_t sequences = 0;
  std::size_t prefill_tokens = 0;
  std::size_t blocks_in_use = 0;
  std::size_t waiting = 0;
};

enum class Finish : std::uint8_t {
  stop,       // the text ended
  length,     // tokens_max were generated
  prefilled,  // nothing was to be generated: `opening` is there
  cancelled,
  stopped,  // the engine was
};

// One request at the engine.  Made by any thread and given to submit(); from then on, everything in
// it belongs to the engine's thread, which calls the functions below.
class Job : public Sequence {
 public:
  virtual ~Job() = default;

  // Nobody waits for it any more.  Asked before each step.
  virtual bool cancelled() const = 0;
  // The engine has it: the first call.
  virtual void on_queued() {}
  // It runs: for the first time, or again after it was preempted.
  virtual void on_admitted() {}
  virtual void on_state() {}
  virtual void on_preempted() {}
  // It took part in a step.
  virtual void on_step(const StepFacts& step) = 0;
  virtual void on_token(Token token) = 0;
  // Sends what could not be sent before.  False while the reader is slow: no tokens are made for it
  // until then.
  virtual bool flush() = 0;
  // The last call.
  virtual void on_finished(Finish finish) = 0;

  std::string id;
  Sampling sampling;
  std::size_t tokens_max = 0;    // to generate; 0: the prompt only
  std::vector<Token> opening;    // how the answer begins; empty until the prompt is computed
  std::optional<Finish> ending;  // all tokens are made; not all have been sent
  // Its life as the scheduler and the ranks see it.
  spanwire::journey::RequestStages stages;
  std::array<spanwire::journey::Request, kRanks> rank_journeys;
};

struct EngineStats {
  std::atomic<std::uint64_t> waiting{0};
  std::atomic<std::uint64_t> running{0};
  std::atomic<std::uint64_t> blocks_in_use{0};
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::uint64_t> finished{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> preempted{0};
};

// submit() and deliver() from any thread.
class Engine {
 public:
  Engine(std::shared_ptr<const LanguageModel> model, const EngineOptions& options);
  // Finishes what is left as `stopped`.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  bool fits(std::size_t tokens) const noexcept {
    return blocks_for(tokens) <= options_.scheduler.blocks;
  }
  void submit(std::unique_ptr<Job> job);
  // The state of a prompt that another worker computed, for the job of that id, which may come
  // later than its state.
  void deliver(std::string id, std::vector<Token> opening);

  const EngineOptions& options() const noexcept { return options_; }
  const LanguageModel& model() const noexcept { return *model_; }
  const EngineStats& stats() const noexcept { return stats_; }

 private:
  using Jobs = std::unordered_map<Sequence*, std::unique_ptr<Job>>;
  struct State {
    std::string id;
    std::vector<Token> opening;
  };

  void run();
  bool take_inbox(bool may_wait);
  void take_state(State state);
  void drop_cancelled();
  bool step();
  void flush_all();
  void tell_changes(const Step& step);
  StepFacts spend(const Step& step);
  void advance(Job& job);
  void end(Job& job, Finish how);
  void finish(Job& job, Finish how);
  void publish();

  std::shared_ptr<const LanguageModel> model_;
  const EngineOptions options_;
  EngineStats stats_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Job>> submitted_;
  std::vector<State> delivered_;
  bool stopping_ = false;

  Ranks ranks_{kRanks};

  // The engine's thread's own.
  Scheduler scheduler_;
  Jobs jobs_;
  std::deque<State> early_;  // states whose job has not come yet
  std::uint64_t step_number_ = 0;

  std::thread thread_;
};

}  // namespace serving
