#include "spanwire/journey/numbers.hpp"

#include "lib/journey/number_names.hpp"

namespace spanwire::journey {
namespace {

constinit NamedCounter negative_intervals("spanwire.journey.negative_intervals");

constexpr MonotonicTime kNever{};

Exemplar exemplar_of(const trace::SpanContext& span, MonotonicTime at) noexcept {
  return {span.trace_id().bytes(), span.span_id().bytes(), at};
}

}  // namespace

std::optional<Profile> profile_named(std::string_view name) noexcept {
  if (name == "sglang") return Profile::sglang;
  if (name == "vllm") return Profile::vllm;
  if (name == "genai") return Profile::genai;
  return std::nullopt;
}

RouteNumbers route_numbers(std::string_view route, const NumbersOptions& options) {
  RouteNumbers numbers;
  for (std::size_t i = 0; i < kIntervals; ++i) {
    numbers.intervals_[i] =
        &interval_series(options.profile, static_cast<Interval>(i), options.model, route);
  }
  for (std::size_t i = 0; i < kAmounts; ++i) {
    numbers.amounts_[i] =
        &amount_series(options.profile, static_cast<Amount>(i), options.model, route);
  }
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    numbers.outcomes_[i] =
        &outcome_series(options.profile, static_cast<Outcome>(i), options.model, route);
  }
  for (std::size_t i = 0; i < kStages; ++i) {
    numbers.stages_[i] = stage_series(options.profile, static_cast<Stage>(i), options.model, route);
  }
  numbers.retractions_ = retractions_series(options.profile, options.model, route);
  return numbers;
}

namespace {

void observe_in(BoundedHistogram* histogram, std::chrono::nanoseconds took,
                const trace::SpanContext& span, MonotonicTime at, std::uint32_t times) noexcept {
  if (histogram == nullptr) return;
  if (took.count() < 0) return negative_intervals.add();
  const auto value = static_cast<std::uint64_t>(took.count());
  if (span.sampled()) {
    histogram->observe(value, exemplar_of(span, at), times);
  } else {
    histogram->observe(value, times);
  }
}

}  // namespace

void RouteNumbers::observe(Interval interval, std::chrono::nanoseconds took,
                           const trace::SpanContext& span, MonotonicTime at,
                           std::uint32_t times) const noexcept {
  observe_in(intervals_[static_cast<std::size_t>(interval)], took, span, at, times);
}

void RouteNumbers::observe(Stage stage, std::chrono::nanoseconds took,
                           const trace::SpanContext& span, MonotonicTime at) const noexcept {
  observe_in(stages_[static_cast<std::size_t>(stage)], took, span, at, 1);
}

void RouteNumbers::add(Amount amount, std::uint64_t by) const noexcept {
  NamedCounter* const counter = amounts_[static_cast<std::size_t>(amount)];
  if (counter != nullptr && by != 0) counter->add(static_cast<std::int64_t>(by));
}

void RouteNumbers::count(Outcome outcome) const noexcept {
  NamedCounter* const counter = outcomes_[static_cast<std::size_t>(outcome)];
  if (counter != nullptr) counter->add();
}

void RouteNumbers::observe_retractions(std::uint64_t retractions) const noexcept {
  if (retractions_ != nullptr) retractions_->observe(retractions);
}

void RequestNumbers::observe(Interval interval, MonotonicTime from, MonotonicTime to,
                             std::uint32_t times) const noexcept {
  if (from == kNever || to == kNever) return;
  route_->observe(interval, (to - from) / times, span_, to, times);
}

void RequestNumbers::stage(Stage stage, MonotonicTime from, MonotonicTime to) const noexcept {
  if (has(Part::engine)) route_->observe(stage, to - from, span_, to);
}

void RequestNumbers::scheduled(MonotonicTime at) noexcept {
  if (scheduled_ != kNever) return;
  scheduled_ = at;
  if (has(Part::engine)) observe(Interval::queue, queued_, at);
}

void RequestNumbers::retracted() noexcept {
  ++retractions_;
  if (has(Part::engine)) route_->add(Amount::retractions, 1);
}

void RequestNumbers::tokens(std::uint32_t count, MonotonicTime at) noexcept {
  if (count == 0) return;
  if (first_token_ == kNever) {
    first_token_ = at;
    if (has(Part::frontend)) observe(Interval::first_token, arrived_, at);
    if (has(Part::engine)) observe(Interval::prefill, scheduled_, at);
  } else if (has(Part::engine)) {
    observe(Interval::inter_token, last_token_, at, count);
  }
  last_token_ = at;
  tokens_ += count;
}

void RequestNumbers::finished(Outcome outcome, MonotonicTime at, const Usage& usage) noexcept {
  if (has(Part::engine)) route_->observe_retractions(retractions_);
  if (has(Part::engine) && tokens_ > 1) {
    observe(Interval::decode, first_token_, last_token_);
    route_->observe(Interval::per_output_token,
                    (last_token_ - first_token_) / static_cast<std::int64_t>(tokens_ - 1), span_,
                    at);
  }
  if (has(Part::frontend)) {
    observe(Interval::whole, arrived_, at);
    route_->add(Amount::prompt_tokens, usage.prompt);
    route_->add(Amount::generation_tokens, usage.generated);
    route_->add(Amount::cached_tokens, usage.cached);
    route_->count(outcome);
  }
  route_ = nullptr;
}

}  // namespace spanwire::journey
