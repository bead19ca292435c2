#include <array>

#include "lib/base/ascii.hpp"
#include "lib/journey/vllm_log.hpp"
#include "lib/journey/vllm_settings.hpp"
#include "spanwire/journey/vllm.hpp"

namespace spanwire::journey {
namespace {

constexpr std::string_view kSampled = "1";
constexpr std::size_t kAttributesMax = 10;

// The attributes of one event of the scheduler.
class EventAttributes {
 public:
  explicit EventAttributes(const VllmMark& mark) noexcept
      : attributes_{{{"event.type", type_of(mark.event)},
                     {"ts.monotonic", monotonic_seconds(mark.at)},
                     {"scheduler.step", mark.step},
                     {"phase", name(mark.progress.phase)},
                     {"prefill.done_tokens", mark.progress.prefill_done},
                     {"prefill.total_tokens", mark.progress.prefill_total},
                     {"decode.done_tokens", mark.progress.decode_done},
                     {"decode.max_tokens", mark.progress.decode_max},
                     {"num_preemptions", mark.progress.preemptions},
                     {"", ""}}} {
    if (mark.event == VllmEvent::scheduled) {
      attributes_[kAttributesMax - 1] = {"schedule.kind", name(mark.schedule)};
    } else if (mark.event == VllmEvent::finished) {
      attributes_[kAttributesMax - 1] = {"finish.status", name(mark.finish)};
    } else {
      --used_;
    }
  }
  operator std::span<const trace::Attribute>() const noexcept {  // NOLINT: that is what it is
    return {attributes_.data(), used_};
  }

 private:
  std::array<trace::Attribute, kAttributesMax> attributes_;
  std::size_t used_ = kAttributesMax;
};

Outcome outcome_of(VllmFinish status) noexcept {
  switch (status) {
    case VllmFinish::stopped:
      return Outcome::stop;
    case VllmFinish::length:
      return Outcome::length;
    case VllmFinish::aborted:
    case VllmFinish::ignored:
      return Outcome::abort;
    case VllmFinish::error:
      break;
  }
  return Outcome::error;
}

}  // namespace

bool VllmCore::is_sampled_header(std::string_view name) noexcept {
  return equal_without_case(name, kVllmSampledHeader);
}

VllmCore VllmCore::start(const trace::Context& from_api, std::string_view sampled,
                         std::string_view request_id, const VllmStart& start) {
  VllmCore core(from_api);
  if (sampled.empty() && start.numbers == nullptr) return core;
  const MonotonicTime at = given_or_now(start.at);
  trace::Span span;
  const bool wanted = sampled == kSampled;
  if (wanted) {
    vllm_log::creating(VllmSpan::core, request_id, from_api);
    trace::SpanOptions options;
    options.start = at;
    span = tracer_of(VllmScope::scheduler).start(from_api, name(VllmSpan::core), options);
    core.sampled_ = span.recording();
    core.context_ = from_api.with_span(span.context());
  }
  const trace::SpanContext made = core.span();
  RequestNumbers numbers;
  if (start.numbers != nullptr) numbers = {*start.numbers, made, at, Part::engine};
  core.journey_.begin(std::move(span), numbers);
  if (!wanted && !sampled.empty()) core.journey_.misused(Errc::journey_header_invalid, sampled);
  if (wanted && !from_api.span().valid()) {
    core.journey_.misused(Errc::journey_context_missing, request_id);
  }
  core.set(GenAi::request_id, request_id);
  if (core.sampled_) vllm_log::created(VllmSpan::core, request_id, from_api, made);
  return core;
}

VllmCore::~VllmCore() {
  if (journey_.open()) journey_.give_up();
}

Errc VllmCore::event(VllmMark mark, const VllmStep& step) noexcept {
  mark.at = step.at;
  mark.step = step.step;
  mark.progress = step.progress;
  if (preemptions_ > kVllmPreemptionsListedMax &&
      (mark.event == VllmEvent::preempted || mark.event == VllmEvent::scheduled)) {
    return journey_.take_unlisted(mark);
  }
  return journey_.take(mark, EventAttributes(mark));
}

namespace {

VllmStep timed(const VllmStep& step) noexcept {
  VllmStep now = step;
  now.at = given_or_now(step.at);
  return now;
}

void keep_first(MonotonicTime& stamp, MonotonicTime at) noexcept {
  if (stamp == MonotonicTime{}) stamp = at;
}

}  // namespace

Errc VllmCore::queued(const VllmStep& step) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const VllmStep now = timed(step);
  keep_first(queued_, now.at);
  journey_.numbers().queued(queued_);
  return event({.event = VllmEvent::queued}, now);
}

Errc VllmCore::scheduled(VllmSchedule kind, const VllmStep& step) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const VllmStep now = timed(step);
  keep_first(scheduled_, now.at);
  journey_.numbers().scheduled(now.at);
  return event({.event = VllmEvent::scheduled, .schedule = kind}, now);
}

Errc VllmCore::first_token(const VllmStep& step) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const VllmStep now = timed(step);
  if (first_token_ == MonotonicTime{}) journey_.numbers().tokens(1, now.at);
  keep_first(first_token_, now.at);
  return event({.event = VllmEvent::first_token}, now);
}

Errc VllmCore::preempted(const VllmStep& step) noexcept {
  if (!journey_.watched()) return Errc::ok;
  ++preemptions_;
  journey_.numbers().retracted();
  return event({.event = VllmEvent::preempted}, timed(step));
}

Errc VllmCore::finished(VllmFinish status, const VllmStep& step) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const VllmStep now = timed(step);
  const Errc wrong = event({.event = VllmEvent::finished, .finish = status}, now);
  if (!journey_.open()) return wrong;
  finished_ = now.at;
  if (status == VllmFinish::error && wrong == Errc::ok) {
    journey_.span().set_status(trace::StatusCode::error, name(status));
  }
  set_times();
  if (preemptions_ > kVllmPreemptionsListedMax) {
    journey_.span().set("spanwire.preemptions_unlisted", preemptions_ - kVllmPreemptionsListedMax);
  }
  journey_.numbers().finished(outcome_of(status), now.at);
  journey_.end(now.at);
  return wrong;
}

void VllmCore::set_times() noexcept {
  constexpr MonotonicTime kNever{};
  if (scheduled_ == kNever) return;
  if (queued_ != kNever) set(GenAi::time_in_queue, seconds_between(queued_, scheduled_));
  set(GenAi::time_in_inference, seconds_between(scheduled_, finished_));
  if (first_token_ == kNever) return;
  set(GenAi::time_in_prefill, seconds_between(scheduled_, first_token_));
  set(GenAi::time_in_decode, seconds_between(first_token_, finished_));
}

}  // namespace spanwire::journey
