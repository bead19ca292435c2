#include "spanwire/journey/stages.hpp"

#include <array>
#include <utility>

#include "lib/journey/state.hpp"
#include "spanwire/journey/genai.hpp"

namespace spanwire::journey {
namespace {

constexpr MonotonicTime kNever{};

bool is_prefill_queue(Stage stage) noexcept {
  return stage == Stage::prefill_waiting || stage == Stage::prefill_queue_idle ||
         stage == Stage::prefill_budget_wait;
}
bool is_queue(Stage stage) noexcept {
  return is_prefill_queue(stage) || stage == Stage::decode_waiting;
}

std::string_view reason_of(Outcome outcome) noexcept {
  constexpr std::array<std::string_view, kOutcomes> kReasons = {"stop", "length", "abort", "error"};
  return kReasons[static_cast<std::size_t>(outcome)];
}

void keep_first(Errc& first, Errc error) noexcept {
  if (first == Errc::ok) first = error;
}

template <std::size_t... I>
std::array<trace::Attribute, sizeof...(I)> blanks(std::index_sequence<I...>) noexcept {
  return {{(static_cast<void>(I), trace::Attribute{{}, 0})...}};
}

// GenAI attributes, each under its key or keys.
class GenAiList {
 public:
  void add(GenAi attribute, const trace::AttributeValue& value) noexcept {
    const trace::Key legacy = key_of(attribute, false);
    const trace::Key latest = key_of(attribute, true);
    const bool same = legacy.view() == latest.view();
    if (same || words_ != Vocabulary::latest) list_[count_++] = {legacy, value};
    if (!same && words_ != Vocabulary::legacy) list_[count_++] = {latest, value};
  }
  // Nothing if one of the two has not been.
  void add_time(GenAi attribute, MonotonicTime from, MonotonicTime to) noexcept {
    if (from == kNever || to == kNever) return;
    add(attribute, std::chrono::duration<double>(to - from).count());
  }
  Attributes all() const noexcept { return {list_.data(), count_}; }

 private:
  const Vocabulary words_ = vocabulary();
  std::size_t count_ = 0;
  std::array<trace::Attribute, 2 * kGenAiAttributes> list_ =
      blanks(std::make_index_sequence<2 * kGenAiAttributes>());
};

}  // namespace

Errc RequestStages::enter(Stage next, MonotonicTime at, Attributes attributes) {
  Errc first = Errc::ok;
  if (stage_ != Stage::none) {
    const SliceEnd end{.level = level_of(stage_), .at = at, .attributes = attributes};
    first = journey_.slice_end(name(stage_), end);
    numbers_.stage(stage_, entered_, at);
  }
  // From one part of the queue to the other it still waits.
  if (is_queue(stage_) && !is_queue(next)) {
    numbers_.scheduled(at);
    const trace::Attribute queue[] = {{"queue", name(stage_).view()}};
    keep_first(first, journey_.event("schedule", kEverything, at, queue));
  }
  if (is_queue(next)) {
    queue_ = is_prefill_queue(next) ? Stage::prefill_waiting : next;
    if (queued_ == kNever) {
      queued_ = at;
      numbers_.queued(at);
    }
  }
  if (next != Stage::none) {
    keep_first(first, journey_.slice_start(name(next), level_of(next), at));
  }
  stage_ = next;
  entered_ = at;
  return first;
}

Errc RequestStages::retracted(MonotonicTime at, Attributes attributes) {
  numbers_.retracted();
  // Never without attributes: SGLang's converter does not read such events.
  const trace::Attribute queue[] = {{"queue", name(queue_).view()}};
  Errc first = journey_.event("retract", kImportant, at,
                              attributes.empty() ? Attributes(queue) : attributes);
  keep_first(first, enter(queue_, at));
  return first;
}

Errc RequestStages::finished(Outcome outcome, MonotonicTime at, const Usage& usage) {
  Errc first = Errc::ok;
  // Not by enter(): what ends in a queue was never scheduled.
  if (stage_ != Stage::none) {
    first = journey_.slice_end(name(stage_), level_of(stage_), at);
    if (!is_queue(stage_)) numbers_.stage(stage_, entered_, at);
    stage_ = Stage::none;
  }
  const RequestState* state = RequestState::state_of(journey_);
  keep_first(first, state != nullptr && !state->copy() ? finish_root(outcome, at, usage)
                                                       : journey_.abort(at));
  numbers_.finished(outcome, at, usage);
  journey_ = Request();
  return first;
}

Errc RequestStages::finish_root(Outcome outcome, MonotonicTime at, const Usage& usage) {
  if (!journey_.recording()) return journey_.finish(at);
  GenAiList list;
  list.add(GenAi::prompt_tokens, usage.prompt);
  list.add(GenAi::completion_tokens, usage.generated);
  list.add(GenAi::cached_tokens, usage.cached);
  const std::array<std::string_view, 1> reasons = {reason_of(outcome)};
  list.add(GenAi::finish_reasons, std::span<const std::string_view>(reasons));
  list.add_time(GenAi::time_to_first_token, numbers_.arrived_at(), numbers_.first_token_at());
  list.add_time(GenAi::time_end_to_end, numbers_.arrived_at(), at);
  list.add_time(GenAi::time_in_queue, queued_, numbers_.scheduled_at());
  list.add_time(GenAi::time_in_prefill, numbers_.scheduled_at(), numbers_.first_token_at());
  const MonotonicTime computing =
      numbers_.scheduled_at() == kNever ? kNever : numbers_.first_token_at();
  list.add_time(GenAi::time_in_decode, computing, at);
  list.add_time(GenAi::time_in_inference, numbers_.scheduled_at(), at);
  return journey_.finish(at, list.all());
}

}  // namespace spanwire::journey
