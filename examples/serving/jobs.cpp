#include "examples/serving/jobs.hpp"

#include <array>
#include <utility>

#include "examples/serving/chat.hpp"

namespace serving {

namespace journey = spanwire::journey;
namespace rpc = spanwire::rpc;
using spanwire::MonotonicTime;

namespace {

MonotonicTime now() { return spanwire::Clock::system().monotonic(); }

const journey::RouteNumbers& numbers_of_generate() {
  static const journey::RouteNumbers numbers =
      journey::route_numbers(kGeneratePath, {.model = kModelName});
  return numbers;
}
const journey::RouteNumbers& numbers_of_prefill() {
  static const journey::RouteNumbers numbers =
      journey::route_numbers(kPrefillPath, {.model = kModelName});
  return numbers;
}

journey::Outcome outcome_of(Finish how) {
  if (how == Finish::cancelled || how == Finish::stopped) return journey::Outcome::abort;
  return how == Finish::length ? journey::Outcome::length : journey::Outcome::stop;
}

// A request as a worker takes it over: the call's span above all, and the caller's latest slice as
// the one before; none where the header is bad, which is counted.
journey::PropagateContext handed_over(const rpc::Call& call) {
  journey::PropagateContext context;
  if (const auto text = call.header(journey::kPropagateHeader)) {
    static_cast<void>(journey::read_text(*text, context));
  }
  context.request = call.context();
  return context;
}

}  // namespace

TracedJob::TracedJob(const GenerateRequest& request, journey::PropagateContext from,
                     journey::Stage queue, const journey::RouteNumbers& route)
    : from_(std::move(from)), queue_(queue), route_(route), arrived_(now()) {
  id = request.id;
  tokens = request.tokens;
  prompt_tokens = request.tokens.size();
  tokens_max = request.tokens_max;
  sampling = request.sampling;
  expects_state = request.expects_state;
}

// On the scheduler's thread, whose part of the request begins with the wait for it.
void TracedJob::on_queued() {
  journey::Request part;
  if (from_) part = journey::attach_request(from_, id, "request", arrived_);
  const journey::RequestNumbers numbers(route_, from_.request.span(), arrived_,
                                        journey::Part::engine);
  stages = journey::RequestStages(part, numbers);
  stages.enter(queue_, arrived_);
}

void TracedJob::on_admitted() {
  const std::array attributes = {spanwire::trace::Attribute{"kv.blocks", blocks.size()},
                                 spanwire::trace::Attribute{"kv.cached_tokens", cached},
                                 spanwire::trace::Attribute{"serving.preemptions", preemptions}};
  // What follows are steps, told for the whole batch.
  stages.enter(expects_state ? journey::Stage::decode_transferred : journey::Stage::none, now(),
               attributes);
}

void TracedJob::on_state() {
  if (phase == Phase::running) stages.leave(now());
}

void TracedJob::on_preempted() {
  const std::array attributes = {spanwire::trace::Attribute{"serving.generated", generated()}};
  stages.retracted(now(), attributes);
}

void TracedJob::on_step(const StepFacts& step) {
  ++steps_;
  step_end_ = step.end;
}

void TracedJob::end_stages(Finish how) {
  for (journey::Request& rank : rank_journeys) rank.abort(step_end_);
  stages.finished(outcome_of(how), now());
}

GenerateJob::GenerateJob(const GenerateRequest& request, const rpc::Call& call,
                         std::shared_ptr<Answer> answer)
    : TracedJob(
          request, handed_over(call),
          request.expects_state ? journey::Stage::decode_waiting : journey::Stage::prefill_waiting,
          numbers_of_generate()),
      answer_(std::move(answer)) {}

void GenerateJob::on_token(Token token) {
  stages.tokens(1, now());
  unsent_.push_back(token);
  // Now, not at the next step: a reader sees each token as soon as it is there.
  flush();
}

bool GenerateJob::flush() {
  const bool last = ending.has_value() && !ended_;
  if (unsent_.empty() && !last) return true;
  TokenBatch batch;
  batch.tokens = unsent_;
  if (!begun_) batch.journey = journey::to_text(stages.journey().propagate()).view();
  if (last) batch.end = summary();
  spanwire::Result<spanwire::Slice> message = rpc::Codec<TokenBatch>::encode(batch);
  if (!message) return true;
  if (answer_->text.try_write(*message) == rpc::TryWrite::full) return false;
  begun_ = true;
  ended_ = last;
  unsent_.clear();
  return true;
}

GenerateAnswer GenerateJob::summary() const {
  GenerateAnswer answer;
  answer.finish_reason = ending == Finish::stop ? "stop" : "length";
  answer.cached_tokens = cached;
  answer.output_tokens = generated();
  answer.steps = steps();
  answer.preemptions = preemptions;
  return answer;
}

void GenerateJob::on_finished(Finish how) {
  end_stages(how);
  if (ended_) return;
  answer_->stopped.store(how == Finish::stopped);
  answer_->text.cancel();
}

PrefillJob::PrefillJob(const GenerateRequest& request, const rpc::Call& call,
                       std::shared_ptr<PrefillOutcomes> done)
    : TracedJob(request, handed_over(call), journey::Stage::prefill_waiting, numbers_of_prefill()),
      done_(std::move(done)) {
  tokens_max = 0;
  expects_state = false;
}

void PrefillJob::on_finished(Finish how) {
  if (how == Finish::prefilled) stages.tokens(1, now());
  end_stages(how);
  PrefillOutcome outcome;
  outcome.how = how;
  outcome.opening = opening;
  outcome.cached = cached;
  // The only item: there is room, and a handler that has gone away does not mind.
  static_cast<void>(done_->try_push(std::move(outcome)));
}

}  // namespace serving
