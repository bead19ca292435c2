#include "examples/serving/engine.hpp"

#include <gtest/gtest.h>

#include <future>

namespace serving {
namespace {

using std::chrono::microseconds;

std::shared_ptr<const LanguageModel> model() {
  static const std::vector<std::string> corpus = {
      "A scheduler decides which request runs in the next step of the engine.",
      "Deadlines travel with every call and expire on both sides of it."};
  static const auto made = std::make_shared<const LanguageModel>(corpus);
  return made;
}

// What became of a job, told to the test's thread.
struct Outcome {
  Finish how = Finish::stopped;
  std::vector<Token> tokens;
  std::vector<Token> opening;
  std::uint32_t preemptions = 0;
  int admissions = 0;
};

struct Control {
  std::promise<Outcome> done;
  std::promise<void> full;  // the reader has been slow once
  std::atomic<bool> cancelled{false};
  std::atomic<bool> slow{false};
};

class TestJob final : public Job {
 public:
  TestJob(Control& control, std::string name, std::size_t prompt, std::size_t most)
      : control_(control) {
    id = std::move(name);
    for (std::size_t i = 0; i < prompt; ++i)
      tokens.push_back(kFirstWord + static_cast<Token>((i * 7 + prompt) % 12));
    prompt_tokens = prompt;
    tokens_max = most;
    sampling.temperature = 1;
  }

  bool cancelled() const override { return control_.cancelled; }
  void on_admitted() override { ++outcome_.admissions; }
  void on_step(const StepFacts& step) override {
    EXPECT_LE(step.begin, step.end);
    EXPECT_GT(step.sequences, 0u);
  }
  void on_token(Token token) override { unsent_.push_back(token); }
  bool flush() override {
    if (control_.slow && !unsent_.empty()) {
      if (!std::exchange(told_, true)) control_.full.set_value();
      return false;
    }
    outcome_.tokens.insert(outcome_.tokens.end(), unsent_.begin(), unsent_.end());
    unsent_.clear();
    return true;
  }
  void on_finished(Finish how) override {
    outcome_.how = how;
    outcome_.opening = opening;
    outcome_.preemptions = preemptions;
    control_.done.set_value(outcome_);
  }

 private:
  Control& control_;
  std::vector<Token> unsent_;
  bool told_ = false;
  Outcome outcome_;
};

EngineOptions fast(std::size_t blocks = 64) {
  EngineOptions options;
  options.scheduler.blocks = blocks;
  options.prefill_per_token = microseconds(0);
  options.decode_step = microseconds(0);
  return options;
}

// One job alone: what the model says without disturbance.
Outcome alone(std::size_t prompt, std::size_t most) {
  Engine engine(model(), fast());
  Control control;
  engine.submit(std::make_unique<TestJob>(control, "alone", prompt, most));
  return control.done.get_future().get();
}

TEST(Engine, GeneratesUntilTheEndOrTheLimit) {
  const Outcome outcome = alone(10, 5);
  EXPECT_EQ(outcome.how, Finish::length);
  EXPECT_EQ(outcome.tokens.size(), 5u);
  const Outcome longer = alone(10, 4000);
  EXPECT_EQ(longer.how, longer.tokens.size() < 4000 ? Finish::stop : Finish::length);
}

TEST(Engine, SaysTheSameInABatchAsAlone) {
  Engine engine(model(), fast());
  std::vector<Control> controls(40);
  for (std::size_t i = 0; i < controls.size(); ++i)
    engine.submit(std::make_unique<TestJob>(controls[i], std::to_string(i), 5 + i % 7, 30));
  for (std::size_t i = 0; i < controls.size(); ++i)
    EXPECT_EQ(controls[i].done.get_future().get().tokens, alone(5 + i % 7, 30).tokens) << i;
}

TEST(Engine, SaysTheSameAfterItWasPreempted) {
  Engine engine(model(), fast(6));
  std::vector<Control> controls(8);
  for (std::size_t i = 0; i < controls.size(); ++i)
    engine.submit(std::make_unique<TestJob>(controls[i], std::to_string(i), 14, 60));
  for (Control& control : controls)
    EXPECT_EQ(control.done.get_future().get().tokens, alone(14, 60).tokens);
}

TEST(Engine, EndsAtTheEndOfItsMemory) {
  Engine engine(model(), fast(1));
  EXPECT_FALSE(engine.fits(17));
  Control control;
  engine.submit(std::make_unique<TestJob>(control, "a", 10, 4000));
  const Outcome outcome = control.done.get_future().get();
  EXPECT_LE(outcome.tokens.size(), 6u);
}

TEST(Engine, ComputesAPromptOnly) {
  const Outcome outcome = alone(20, 0);
  EXPECT_EQ(outcome.how, Finish::prefilled);
  EXPECT_FALSE(outcome.opening.empty());
  EXPECT_TRUE(outcome.tokens.empty());
}

TEST(Engine, BeginsWithTheStateThatItIsGiven) {
  const Outcome prompt = alone(20, 0);
  for (const bool state_first : {false, true}) {
    Engine engine(model(), fast());
    Control control;
    auto job = std::make_unique<TestJob>(control, "a", 20, 30);
    job->expects_state = true;
    if (state_first) engine.deliver("a", prompt.opening);
    engine.submit(std::move(job));
    if (!state_first) engine.deliver("a", prompt.opening);
    EXPECT_EQ(control.done.get_future().get().tokens, alone(20, 30).tokens);
  }
}

TEST(Engine, DropsWhatIsCancelledWhileItWaits) {
  Engine engine(model(), fast());
  Control control;
  auto job = std::make_unique<TestJob>(control, "a", 20, 30);
  job->expects_state = true;  // which never comes
  engine.submit(std::move(job));
  control.cancelled = true;
  EXPECT_EQ(control.done.get_future().get().how, Finish::cancelled);
}

TEST(Engine, LetsASlowReaderCatchUp) {
  Engine engine(model(), fast());
  Control slow;
  slow.slow = true;
  engine.submit(std::make_unique<TestJob>(slow, "slow", 10, 20));
  slow.full.get_future().get();
  Control other;
  engine.submit(std::make_unique<TestJob>(other, "other", 10, 20));
  EXPECT_EQ(other.done.get_future().get().tokens, alone(10, 20).tokens);
  slow.slow = false;
  EXPECT_EQ(slow.done.get_future().get().tokens, alone(10, 20).tokens);
}

TEST(Engine, FinishesWhatIsLeftWhenItStops) {
  Control running;
  Control waiting;
  {
    EngineOptions options = fast();
    options.decode_step = std::chrono::hours(1);
    Engine engine(model(), options);
    engine.submit(std::make_unique<TestJob>(running, "a", 10, 20));
    auto job = std::make_unique<TestJob>(waiting, "b", 20, 30);
    job->expects_state = true;
    engine.submit(std::move(job));
  }
  EXPECT_EQ(running.done.get_future().get().how, Finish::stopped);
  EXPECT_EQ(waiting.done.get_future().get().how, Finish::stopped);
}

}  // namespace
}  // namespace serving
