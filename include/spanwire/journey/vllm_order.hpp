// vLLM's journey of a request: the names of its spans and events, and the order that they come in.
// Pure: no clock, no span, no memory.
//
//   llm_request   api.ARRIVED, api.HANDOFF_TO_CORE, api.FIRST_RESPONSE_FROM_CORE, then
//   api.DEPARTED;
//                 or api.ABORTED at any time
//   llm_core      journey.QUEUED, journey.SCHEDULED (FIRST), journey.FIRST_TOKEN, journey.FINISHED;
//                 while it runs journey.PREEMPTED, always followed by journey.SCHEDULED (RESUME);
//                 journey.FINISHED as aborted, ignored or error at any time
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/errc.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::journey {

enum class VllmScope : std::uint8_t { api, scheduler };
// "vllm.api", "vllm.scheduler".
std::string_view name(VllmScope scope) noexcept;

enum class VllmSpan : std::uint8_t { request, core };
// "llm_request", "llm_core".
trace::Key name(VllmSpan span) noexcept;

enum class VllmEvent : std::uint8_t {
  arrived,
  handoff_to_core,
  first_response_from_core,
  departed,
  aborted,
  queued,
  scheduled,
  first_token,
  preempted,
  finished,
};
inline constexpr std::size_t kVllmEvents = 10;
// "api.ARRIVED", "journey.QUEUED".
trace::Key name(VllmEvent event) noexcept;
// Without what stands before the point: "ARRIVED".
std::string_view type_of(VllmEvent event) noexcept;
// Nothing for a name that is none of these.
std::optional<VllmEvent> event_named(std::string_view name) noexcept;
constexpr VllmSpan span_of(VllmEvent event) noexcept {
  return event < VllmEvent::queued ? VllmSpan::request : VllmSpan::core;
}

enum class VllmPhase : std::uint8_t { waiting, prefill, decode };
// "WAITING"
std::string_view name(VllmPhase phase) noexcept;

enum class VllmSchedule : std::uint8_t { first, resume };
// "FIRST"
std::string_view name(VllmSchedule schedule) noexcept;
std::optional<VllmSchedule> schedule_named(std::string_view name) noexcept;

enum class VllmFinish : std::uint8_t { stopped, length, aborted, ignored, error };
// "stopped"
std::string_view name(VllmFinish finish) noexcept;
std::optional<VllmFinish> finish_named(std::string_view name) noexcept;

// How far a request is.  Survives preemption: never smaller than before.
struct VllmProgress {
  VllmPhase phase = VllmPhase::waiting;
  std::int64_t prefill_done = 0;  // tokens of the prompt
  std::int64_t prefill_total = 0;
  std::int64_t decode_done = 0;  // tokens generated
  std::int64_t decode_max = 0;
  std::int64_t preemptions = 0;
};

// One event, as the order sees it.
struct VllmMark {
  VllmEvent event = VllmEvent::arrived;
  MonotonicTime at{};
  std::int64_t step = 0;                        // of journey.*: the scheduler's, never falling
  VllmSchedule schedule = VllmSchedule::first;  // of journey.SCHEDULED
  VllmFinish finish = VllmFinish::stopped;      // of journey.FINISHED
  VllmProgress progress{};                      // of journey.*
};

// Where one span is in its journey: a small value.  One thread at a time.
class VllmOrder {
 public:
  explicit VllmOrder(VllmSpan span) noexcept : span_(span) {}

  // What is wrong with `mark` as the next event, ok if nothing is; takes it in any case:
  // - journey_event_misplaced     it belongs to the other span
  // - journey_event_after_end     the journey was over
  // - journey_event_repeated      it has been there, and comes once
  // - journey_event_out_of_order  what must come before has not been there
  // - journey_event_missing       an end in good order without all that belongs to it
  // - journey_schedule_kind       FIRST after a preemption, RESUME without one
  // - journey_time_backwards, journey_step_backwards, journey_progress_lost
  Errc next(const VllmMark& mark) noexcept;
  // What is wrong if nothing comes any more: journey_left_open, or ok.
  Errc end() const noexcept { return over_ ? Errc::ok : Errc::journey_left_open; }

  bool over() const noexcept { return over_; }
  bool preempted() const noexcept { return preempted_; }
  bool has(VllmEvent event) const noexcept { return (seen_ & bit(event)) != 0; }

 private:
  static constexpr unsigned bit(VllmEvent event) noexcept {
    return 1u << static_cast<unsigned>(event);
  }
  Errc order(const VllmMark& mark) const noexcept;
  Errc order_of_request(const VllmMark& mark) const noexcept;
  Errc order_of_core(const VllmMark& mark) const noexcept;
  Errc order_of_schedule(const VllmMark& mark) const noexcept;
  Errc progress(const VllmMark& mark) const noexcept;
  void take(const VllmMark& mark) noexcept;

  VllmSpan span_;
  bool over_ = false;
  bool preempted_ = false;
  std::uint16_t seen_ = 0;
  MonotonicTime at_{};
  std::int64_t step_ = 0;
  std::int64_t prefill_done_ = 0;
  std::int64_t decode_done_ = 0;
  std::int64_t preemptions_ = 0;
};

}  // namespace spanwire::journey
