#include "examples/serving/jobs.hpp"

#include <array>
#include <utility>

#include "examples/serving/chat.hpp"

namespace serving {

namespace journey = spanwire::journey;
namespace rpc = spanwire::rpc;
using spanwire::MonotonicTime;

namespace {

// SGLang's names.
constexpr spanwire::trace::Key kPrefillQueue = "prefill_waiting";
constexpr spanwire::trace::Key kDecodeQueue = "decode_waiting";
constexpr spanwire::trace::Key kStateQueue = "decode_transferred";

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

}  // namespace

journey::PropagateContext handed_over(const rpc::Call& call) {
  journey::PropagateContext context;
  if (const auto text = call.header(journey::kPropagateHeader)) {
    static_cast<void>(journey::read_text(*text, context));
  }
  context.request = call.context();
  return context;
}

TracedJob::TracedJob(const GenerateRequest& request, journey::PropagateContext from,
                     spanwire::trace::Key queue, const journey::RouteNumbers& route)
    : from_(std::move(from)),
      queue_(queue),
      arrived_(now()),
      numbers_(route, from_.request.span(), arrived_, journey::Part::engine) {
  id = request.id;
  tokens = request.tokens;
  prompt_tokens = request.tokens.size();
  tokens_max = request.tokens_max;
  sampling = request.sampling;
  expects_state = request.expects_state;
}

// On the scheduler's thread, whose part of the request begins with the wait for it.
void TracedJob::on_queued() {
  if (from_) journey = journey::attach_request(from_, id, "request", arrived_);
  numbers_.queued(arrived_);
  start_waiting(queue_, arrived_);
}

void TracedJob::start_waiting(spanwire::trace::Key name, MonotonicTime at) {
  waiting_ = name;
  journey.slice_start(name, journey::kImportant, at);
}

void TracedJob::end_waiting(MonotonicTime at) {
  if (waiting_.empty()) return;
  journey.slice_end(waiting_, journey::kImportant, at);
  waiting_ = {};
}

void TracedJob::on_admitted() {
  const MonotonicTime at = now();
  const std::array attributes = {spanwire::trace::Attribute{"kv.blocks", blocks.size()},
                                 spanwire::trace::Attribute{"kv.cached_tokens", cached},
                                 spanwire::trace::Attribute{"serving.preemptions", preemptions}};
  journey.set_slice(attributes);
  end_waiting(at);
  numbers_.scheduled(at);
  journey.event("schedule", journey::kEverything, at, attributes);
  if (expects_state) start_waiting(kStateQueue, at);
}

void TracedJob::on_state() {
  if (phase == Phase::running) end_waiting(now());
}

void TracedJob::on_preempted() {
  const MonotonicTime at = now();
  const std::array attributes = {spanwire::trace::Attribute{"serving.generated", generated()}};
  journey.event("retract", journey::kImportant, at, attributes);
  numbers_.retracted();
  end_waiting(at);
  start_waiting(queue_, at);
}

void TracedJob::on_step(const StepFacts& step) {
  ++steps_;
  step_end_ = step.end;
}

void TracedJob::count_token() { numbers_.tokens(1, now()); }

void TracedJob::end_journey(Finish how) {
  const MonotonicTime at = now();
  end_waiting(at);
  numbers_.finished(outcome_of(how), at);
  // Each of these was the last of its thread.
  for (journey::Request& rank : rank_journeys) rank.abort(step_end_);
  journey.abort(at);
}

GenerateJob::GenerateJob(const GenerateRequest& request, const rpc::Call& call,
                         std::shared_ptr<Answer> answer)
    : TracedJob(request, handed_over(call), request.expects_state ? kDecodeQueue : kPrefillQueue,
                numbers_of_generate()),
      answer_(std::move(answer)) {}

void GenerateJob::on_token(Token token) {
  count_token();
  unsent_.push_back(token);
  // Now, not at the next step: a reader sees each token as soon as it is there.
  flush();
}

bool GenerateJob::flush() {
  const bool last = ending.has_value() && !ended_;
  if (unsent_.empty() && !last) return true;
  TokenBatch batch;
  batch.tokens = unsent_;
  if (!begun_) batch.journey = journey::to_text(journey.propagate()).view();
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
  end_journey(how);
  if (ended_) return;
  answer_->stopped.store(how == Finish::stopped);
  answer_->text.cancel();
}

PrefillJob::PrefillJob(const GenerateRequest& request, const rpc::Call& call,
                       std::shared_ptr<PrefillOutcomes> done)
    : TracedJob(request, handed_over(call), kPrefillQueue, numbers_of_prefill()),
      done_(std::move(done)) {
  tokens_max = 0;
  expects_state = false;
}

void PrefillJob::on_finished(Finish how) {
  if (how == Finish::prefilled) count_token();
  end_journey(how);
  PrefillOutcome outcome;
  outcome.how = how;
  outcome.opening = opening;
  outcome.cached = cached;
  // The only item: there is room, and a handler that has gone away does not mind.
  static_cast<void>(done_->try_push(std::move(outcome)));
}

}  // namespace serving
