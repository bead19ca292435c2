#include "spanwire/journey/vllm_order.hpp"

#include <algorithm>
#include <iterator>

namespace spanwire::journey {
namespace {

using trace::Key;

// Each in the order of its enum.
constexpr std::string_view kScopes[] = {"vllm.api", "vllm.scheduler"};
constexpr Key kSpans[] = {"llm_request", "llm_core"};
constexpr Key kEvents[] = {
    "api.ARRIVED",       "api.HANDOFF_TO_CORE", "api.FIRST_RESPONSE_FROM_CORE",
    "api.DEPARTED",      "api.ABORTED",         "journey.QUEUED",
    "journey.SCHEDULED", "journey.FIRST_TOKEN", "journey.PREEMPTED",
    "journey.FINISHED"};
static_assert(std::size(kEvents) == kVllmEvents);
constexpr std::string_view kPhases[] = {"WAITING", "PREFILL", "DECODE"};
constexpr std::string_view kSchedules[] = {"FIRST", "RESUME"};
constexpr std::string_view kFinishes[] = {"stopped", "length", "aborted", "ignored", "error"};

template <class Enum>
constexpr std::size_t at(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

template <class Enum, std::size_t Size>
std::optional<Enum> find(const std::string_view (&names)[Size], std::string_view name) noexcept {
  const auto* const found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) return std::nullopt;
  return static_cast<Enum>(found - std::begin(names));
}

bool in_good_order(VllmFinish finish) noexcept {
  return finish == VllmFinish::stopped || finish == VllmFinish::length;
}

}  // namespace

std::string_view name(VllmScope scope) noexcept { return kScopes[at(scope)]; }
trace::Key name(VllmSpan span) noexcept { return kSpans[at(span)]; }
trace::Key name(VllmEvent event) noexcept { return kEvents[at(event)]; }
std::string_view type_of(VllmEvent event) noexcept {
  const std::string_view whole = kEvents[at(event)].view();
  return whole.substr(whole.find('.') + 1);
}
std::string_view name(VllmPhase phase) noexcept { return kPhases[at(phase)]; }
std::string_view name(VllmSchedule schedule) noexcept { return kSchedules[at(schedule)]; }
std::string_view name(VllmFinish finish) noexcept { return kFinishes[at(finish)]; }

std::optional<VllmEvent> event_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kVllmEvents; ++i) {
    if (kEvents[i].view() == name) return static_cast<VllmEvent>(i);
  }
  return std::nullopt;
}
std::optional<VllmSchedule> schedule_named(std::string_view name) noexcept {
  return find<VllmSchedule>(kSchedules, name);
}
std::optional<VllmFinish> finish_named(std::string_view name) noexcept {
  return find<VllmFinish>(kFinishes, name);
}

Errc VllmOrder::next(const VllmMark& mark) noexcept {
  if (span_of(mark.event) != span_) return Errc::journey_event_misplaced;
  Errc wrong = over_ ? Errc::journey_event_after_end : order(mark);
  if (wrong == Errc::ok) wrong = progress(mark);
  take(mark);
  return wrong;
}

Errc VllmOrder::order(const VllmMark& mark) const noexcept {
  const bool comes_again = mark.event == VllmEvent::scheduled || mark.event == VllmEvent::preempted;
  if (has(mark.event) && !comes_again) return Errc::journey_event_repeated;
  return span_ == VllmSpan::request ? order_of_request(mark) : order_of_core(mark);
}

Errc VllmOrder::order_of_request(const VllmMark& mark) const noexcept {
  if (mark.event == VllmEvent::arrived) return Errc::ok;
  if (!has(VllmEvent::arrived)) return Errc::journey_event_out_of_order;
  switch (mark.event) {
    case VllmEvent::first_response_from_core:
      return has(VllmEvent::handoff_to_core) ? Errc::ok : Errc::journey_event_out_of_order;
    case VllmEvent::handoff_to_core:
      // The answer cannot come before the question.
      return has(VllmEvent::first_response_from_core) ? Errc::journey_event_out_of_order : Errc::ok;
    case VllmEvent::departed:
      return has(VllmEvent::first_response_from_core) ? Errc::ok : Errc::journey_event_missing;
    default:
      return Errc::ok;
  }
}

Errc VllmOrder::order_of_core(const VllmMark& mark) const noexcept {
  if (mark.event == VllmEvent::queued) return Errc::ok;
  if (!has(VllmEvent::queued)) return Errc::journey_event_out_of_order;
  if (mark.event == VllmEvent::scheduled) return order_of_schedule(mark);
  if (mark.event == VllmEvent::finished) {
    const bool complete = has(VllmEvent::first_token) && !preempted_;
    return complete || !in_good_order(mark.finish) ? Errc::ok : Errc::journey_event_missing;
  }
  // What is left, the first token and preemption, happens to a request that runs.
  if (!has(VllmEvent::scheduled)) return Errc::journey_event_out_of_order;
  if (!preempted_) return Errc::ok;
  return mark.event == VllmEvent::preempted ? Errc::journey_event_repeated
                                            : Errc::journey_event_out_of_order;
}

Errc VllmOrder::order_of_schedule(const VllmMark& mark) const noexcept {
  const bool resume = mark.schedule == VllmSchedule::resume;
  if (resume != preempted_) return Errc::journey_schedule_kind;
  return !resume && has(VllmEvent::scheduled) ? Errc::journey_event_repeated : Errc::ok;
}

Errc VllmOrder::progress(const VllmMark& mark) const noexcept {
  if (mark.at < at_) return Errc::journey_time_backwards;
  if (span_ == VllmSpan::request) return Errc::ok;
  if (mark.step < step_) return Errc::journey_step_backwards;
  const VllmProgress& now = mark.progress;
  const bool lost = now.prefill_done < prefill_done_ || now.decode_done < decode_done_ ||
                    now.preemptions < preemptions_;
  return lost ? Errc::journey_progress_lost : Errc::ok;
}

void VllmOrder::take(const VllmMark& mark) noexcept {
  seen_ = static_cast<std::uint16_t>(seen_ | bit(mark.event));
  if (mark.event == VllmEvent::preempted) preempted_ = true;
  if (mark.event == VllmEvent::scheduled) preempted_ = false;
  over_ = over_ || mark.event == VllmEvent::departed || mark.event == VllmEvent::aborted ||
          mark.event == VllmEvent::finished;
  // From the furthest point: one bad stamp is told once.
  at_ = std::max(at_, mark.at);
  step_ = std::max(step_, mark.step);
  prefill_done_ = std::max(prefill_done_, mark.progress.prefill_done);
  decode_done_ = std::max(decode_done_, mark.progress.decode_done);
  preemptions_ = std::max(preemptions_, mark.progress.preemptions);
}

}  // namespace spanwire::journey
