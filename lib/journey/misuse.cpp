#include "spanwire/journey/misuse.hpp"

#include <array>
#include <atomic>
#include <string>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::journey {
namespace {

constinit std::atomic<bool> strict_mode{false};

struct Kind {
  Errc code;
  NamedCounter counter;
};

// Every kind that there is.
constinit std::array<Kind, 31> kinds{{
    {Errc::unknown_request, NamedCounter("spanwire.journey.misuse.unknown_request")},
    {Errc::thread_unregistered, NamedCounter("spanwire.journey.misuse.thread_unregistered")},
    {Errc::request_restarted, NamedCounter("spanwire.journey.misuse.request_restarted")},
    {Errc::finish_of_copy, NamedCounter("spanwire.journey.misuse.finish_of_copy")},
    {Errc::root_of_copy, NamedCounter("spanwire.journey.misuse.root_of_copy")},
    {Errc::slices_left_open, NamedCounter("spanwire.journey.misuse.slices_left_open")},
    {Errc::no_open_slice, NamedCounter("spanwire.journey.misuse.no_open_slice")},
    {Errc::slice_name_mismatch, NamedCounter("spanwire.journey.misuse.slice_name_mismatch")},
    {Errc::slice_level_mismatch, NamedCounter("spanwire.journey.misuse.slice_level_mismatch")},
    {Errc::anonymous_nested, NamedCounter("spanwire.journey.misuse.anonymous_nested")},
    {Errc::event_without_slice, NamedCounter("spanwire.journey.misuse.event_without_slice")},
    {Errc::thread_left_open, NamedCounter("spanwire.journey.misuse.thread_left_open")},
    {Errc::no_thread_context, NamedCounter("spanwire.journey.misuse.no_thread_context")},
    {Errc::slices_too_deep, NamedCounter("spanwire.journey.misuse.slices_too_deep")},
    {Errc::slice_ends_before_start,
     NamedCounter("spanwire.journey.misuse.slice_ends_before_start")},
    {Errc::bad_propagate_context, NamedCounter("spanwire.journey.misuse.bad_propagate_context")},
    {Errc::not_traced, NamedCounter("spanwire.journey.misuse.not_traced")},
    {Errc::too_many_requests, NamedCounter("spanwire.journey.misuse.too_many_requests")},
    {Errc::journey_event_out_of_order,
     NamedCounter("spanwire.journey.misuse.journey_event_out_of_order")},
    {Errc::journey_event_repeated, NamedCounter("spanwire.journey.misuse.journey_event_repeated")},
    {Errc::journey_event_missing, NamedCounter("spanwire.journey.misuse.journey_event_missing")},
    {Errc::journey_event_after_end,
     NamedCounter("spanwire.journey.misuse.journey_event_after_end")},
    {Errc::journey_event_misplaced,
     NamedCounter("spanwire.journey.misuse.journey_event_misplaced")},
    {Errc::journey_time_backwards, NamedCounter("spanwire.journey.misuse.journey_time_backwards")},
    {Errc::journey_step_backwards, NamedCounter("spanwire.journey.misuse.journey_step_backwards")},
    {Errc::journey_progress_lost, NamedCounter("spanwire.journey.misuse.journey_progress_lost")},
    {Errc::journey_schedule_kind, NamedCounter("spanwire.journey.misuse.journey_schedule_kind")},
    {Errc::journey_left_open, NamedCounter("spanwire.journey.misuse.journey_left_open")},
    {Errc::journey_request_repeated,
     NamedCounter("spanwire.journey.misuse.journey_request_repeated")},
    {Errc::journey_context_missing,
     NamedCounter("spanwire.journey.misuse.journey_context_missing")},
    {Errc::journey_header_invalid, NamedCounter("spanwire.journey.misuse.journey_header_invalid")},
}};

Kind* kind_of(Errc code) noexcept {
  for (Kind& kind : kinds) {
    if (kind.code == code) return &kind;
  }
  return nullptr;
}

}  // namespace

void set_strict(bool strict) noexcept { strict_mode.store(strict, std::memory_order_relaxed); }
bool strict() noexcept { return strict_mode.load(std::memory_order_relaxed); }

Errc count_misuse(Errc code, std::string_view what) noexcept {
  const char* place = "tracing of a request was misused";
  if (Kind* kind = kind_of(code)) {
    kind->counter.add();
    // A flood of one kind does not hide the others.
    place = kind->counter.name().data();
  }
  log_made(LogLevel::warn, place, "tracing of a request was misused",
           {{"kind", code}, {"what", what}});
  return strict() ? code : Errc::ok;
}

std::int64_t misuse_count(Errc code) {
  const Kind* kind = kind_of(code);
  return kind != nullptr ? kind->counter.value() : 0;
}

}  // namespace spanwire::journey
