// Jobs: requests at the engine, with the journey that tells their life there: SGLang's slices, and
// the numbers of the same stamps.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "examples/serving/engine.hpp"
#include "examples/serving/messages.hpp"
#include "spanwire/base/bounded_queue.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/rpc/stream.hpp"

namespace serving {

// What a job and its handler share.
struct Answer {
  spanwire::rpc::Stream text;         // to and from the detokenizer
  std::atomic<bool> given_up{false};  // the handler has ended: nobody reads any more
  std::atomic<bool> stopped{false};   // the engine has: there is nothing more to read
};

// Both kinds: their stages, told on the scheduler's thread.
class TracedJob : public Job {
 public:
  void on_queued() override;
  void on_admitted() override;
  void on_state() override;
  void on_preempted() override;
  void on_step(const StepFacts& step) override;

 protected:
  TracedJob(const GenerateRequest& request, spanwire::journey::PropagateContext from,
            spanwire::journey::Stage queue, const spanwire::journey::RouteNumbers& route);
  // The request's part in the engine is over.
  void end_stages(Finish how);

  std::uint64_t steps() const noexcept { return steps_; }
  bool given_up() const { return from_.request.cancelled(); }

 private:
  const spanwire::journey::PropagateContext from_;
  const spanwire::journey::Stage queue_;
  const spanwire::journey::RouteNumbers& route_;
  const spanwire::MonotonicTime arrived_;
  spanwire::MonotonicTime step_end_{};
  std::uint64_t steps_ = 0;
};

// Generates for a call of kGeneratePath: sends its tokens to the detokenizer.
class GenerateJob final : public TracedJob {
 public:
  GenerateJob(const GenerateRequest& request, const spanwire::rpc::Call& call,
              std::shared_ptr<Answer> answer);

  bool cancelled() const override { return given_up() || answer_->given_up.load(); }
  void on_token(Token token) override;
  bool flush() override;
  void on_finished(Finish how) override;

 private:
  GenerateAnswer summary() const;

  const std::shared_ptr<Answer> answer_;
  std::vector<Token> unsent_;
  bool begun_ = false;  // a message has been sent
  bool ended_ = false;  // and the last one
};

// How the pass over a prompt ended.
struct PrefillOutcome {
  Finish how = Finish::stopped;
  std::vector<Token> opening;
  std::size_t cached = 0;
};
using PrefillOutcomes = spanwire::BoundedQueue<PrefillOutcome>;

// Computes a prompt and tells the handler, which waits at `done`.
class PrefillJob final : public TracedJob {
 public:
  PrefillJob(const GenerateRequest& request, const spanwire::rpc::Call& call,
             std::shared_ptr<PrefillOutcomes> done);

  bool cancelled() const override { return given_up(); }
  void on_token(Token /*token*/) override {}
  bool flush() override { return true; }
  void on_finished(Finish how) override;

 private:
  const std::shared_ptr<PrefillOutcomes> done_;
};

}  // namespace serving
