// Jobs: requests at the engine, with the spans that tell their life there.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "examples/serving/engine.hpp"
#include "examples/serving/messages.hpp"
#include "spanwire/base/bounded_queue.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/trace/span.hpp"

namespace serving {

// Both kinds: spans `queue`, `prefill` and `decode step` under the call's own.
class TracedJob : public Job {
 public:
  void on_admitted() override;
  void on_state() override;
  void on_preempted() override;
  void on_step(const StepFacts& step, std::size_t tokens, bool was_prefill) override;

 protected:
  TracedJob(const GenerateRequest& request, spanwire::trace::Context context);
  // The span of the call: of the engine's thread from submit() to on_finished().
  virtual spanwire::trace::Span& call_span() = 0;
  // Attributes of the whole; ends what is open.
  void sum_up();

  const spanwire::trace::Context context_;

 private:
  void start_waiting(bool again);

  spanwire::trace::Span waiting_;  // `queue`, then `wait_for_state`
  std::uint64_t steps_ = 0;
};

// Answers a call of kGeneratePath, token by token.
class GenerateJob final : public TracedJob {
 public:
  GenerateJob(const GenerateRequest& request, spanwire::rpc::Call call);

  bool cancelled() const override { return call_.cancelled(); }
  void on_token(Token token) override;
  bool flush() override;
  void on_finished(Finish how) override;

 private:
  spanwire::trace::Span& call_span() override { return call_.span(); }

  spanwire::rpc::Call call_;
  std::vector<Token> unsent_;
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
  PrefillJob(const GenerateRequest& request, const spanwire::trace::Context& context,
             std::shared_ptr<PrefillOutcomes> done);

  bool cancelled() const override { return context_.cancelled(); }
  void on_token(Token /*token*/) override {}
  bool flush() override { return true; }
  void on_finished(Finish how) override;

 private:
  spanwire::trace::Span& call_span() override { return span_; }

  spanwire::trace::Span span_;  // records nothing: the call's own belongs to its handler
  std::shared_ptr<PrefillOutcomes> done_;
};

}  // namespace serving
