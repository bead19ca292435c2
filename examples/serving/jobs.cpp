#include "examples/serving/jobs.hpp"

#include <utility>

#include "examples/serving/process.hpp"

namespace serving {

namespace rpc = spanwire::rpc;
namespace trace = spanwire::trace;

TracedJob::TracedJob(const GenerateRequest& request, trace::Context context)
    : context_(std::move(context)) {
  id = request.id;
  tokens = request.tokens;
  prompt_tokens = request.tokens.size();
  tokens_max = request.tokens_max;
  sampling = request.sampling;
  expects_state = request.expects_state;
  start_waiting(false);
}

void TracedJob::start_waiting(bool again) {
  waiting_ = tracer().start(context_, "queue");
  if (again) waiting_.set("serving.requeued", true);
}

void TracedJob::on_admitted() {
  waiting_.set({{"kv.blocks", blocks.size()}, {"kv.cached_tokens", cached}});
  waiting_.end();
  if (preemptions > 0) call_span().add_event("resumed", {{"serving.preemptions", preemptions}});
  if (expects_state) waiting_ = tracer().start(context_, "wait_for_state");
}

void TracedJob::on_state() {
  call_span().add_event("state received", {{"kv.tokens", prompt_tokens}});
  if (phase == Phase::running) waiting_.end();
}

void TracedJob::on_preempted() {
  call_span().add_event("preempted", {{"serving.generated", generated()}});
  waiting_.end();
  start_waiting(true);
}

void TracedJob::on_step(const StepFacts& step, std::size_t step_tokens, bool was_prefill) {
  ++steps_;
  trace::SpanOptions options;
  options.start = step.begin;
  trace::Span span = was_prefill ? tracer().start(context_, "prefill", options)
                                 : tracer().start(context_, "decode step", options);
  step_span = span.recording() ? span.context() : trace::SpanContext();
  if (!span.recording()) return;
  span.set({{"thread.id", step.thread},
            {"thread.name", "engine"},
            {"batch.size", step.sequences},
            {"batch.step", step.number},
            {"batch.waiting", step.waiting},
            {"step.tokens", step_tokens},
            {"kv.blocks", blocks.size()},
            {"kv.blocks_in_use", step.blocks_in_use}});
  span.end(step.end);
}

void TracedJob::sum_up() {
  if (waiting_.recording()) waiting_.end();
  call_span().set({{"gen_ai.usage.input_tokens", prompt_tokens},
                   {"gen_ai.usage.output_tokens", generated()},
                   {"kv.cached_tokens", cached},
                   {"serving.preemptions", preemptions},
                   {"serving.steps", steps_}});
}

GenerateJob::GenerateJob(const GenerateRequest& request, rpc::Call call)
    : TracedJob(request, call.context()), call_(std::move(call)) {}

void GenerateJob::on_token(Token token) {
  if (generated() == 1) call_.span().add_event("first token");
  unsent_.push_back(token);
  // Now, not at the next step: a reader sees each token as soon as it is there.
  flush();
}

bool GenerateJob::flush() {
  if (unsent_.empty()) return true;
  TokenBatch batch;
  batch.tokens = unsent_;
  spanwire::Result<spanwire::Slice> message = rpc::Codec<TokenBatch>::encode(batch);
  if (!message) return true;
  if (call_.try_write(*message) == rpc::TryWrite::full) return false;
  unsent_.clear();
  return true;
}

void GenerateJob::on_finished(Finish how) {
  sum_up();
  if (how == Finish::cancelled) {
    call_.span().add_event("cancelled", {{"serving.generated", generated()}});
    return call_.finish(rpc::Status(rpc::StatusCode::cancelled));
  }
  if (how == Finish::stopped) {
    return call_.finish(rpc::Status(rpc::StatusCode::unavailable, "the engine stops"));
  }
  GenerateAnswer answer;
  answer.finish_reason = how == Finish::stop ? "stop" : "length";
  answer.cached_tokens = cached;
  answer.preemptions = preemptions;
  spanwire::Result<spanwire::Slice> payload = rpc::Codec<GenerateAnswer>::encode(answer);
  call_.finish(rpc::Status::ok(), payload ? std::move(*payload) : spanwire::Slice());
}

PrefillJob::PrefillJob(const GenerateRequest& request, const trace::Context& context,
                       std::shared_ptr<PrefillOutcomes> done)
    : TracedJob(request, context), done_(std::move(done)) {
  tokens_max = 0;
  expects_state = false;
}

void PrefillJob::on_finished(Finish how) {
  sum_up();
  PrefillOutcome outcome;
  outcome.how = how;
  outcome.opening = opening;
  outcome.cached = cached;
  // The only item: there is room, and a handler that has gone away does not mind.
  static_cast<void>(done_->try_push(std::move(outcome)));
}

}  // namespace serving
