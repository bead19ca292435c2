#include "spanwire/trace/context_counters.hpp"

#include "spanwire/base/counters.hpp"
#include "spanwire/trace/carrier.hpp"

namespace spanwire::trace {
namespace {

constexpr unsigned kFirst = static_cast<unsigned>(Errc::traceparent_malformed);

// In the order of the codes.
constinit NamedCounter counters_refused[] = {
    NamedCounter("spanwire.trace.refused.traceparent_malformed"),
    NamedCounter("spanwire.trace.refused.traceparent_version_invalid"),
    NamedCounter("spanwire.trace.refused.trace_id_zero"),
    NamedCounter("spanwire.trace.refused.span_id_zero"),
    NamedCounter("spanwire.trace.refused.traceparent_repeated"),
    NamedCounter("spanwire.trace.refused.tracestate_malformed"),
    NamedCounter("spanwire.trace.refused.tracestate_too_many_members"),
    NamedCounter("spanwire.trace.refused.tracestate_duplicate_key"),
    NamedCounter("spanwire.trace.refused.tracestate_too_long"),
    NamedCounter("spanwire.trace.refused.baggage_malformed"),
    NamedCounter("spanwire.trace.refused.baggage_too_long"),
    NamedCounter("spanwire.trace.refused.baggage_too_many_members"),
    NamedCounter("spanwire.trace.refused.request_id_invalid"),
    NamedCounter("spanwire.trace.refused.b3_malformed"),
    NamedCounter("spanwire.trace.refused.uber_trace_id_malformed"),
    NamedCounter("spanwire.trace.refused.propagators_disagree"),
};
static_assert(std::size(counters_refused) ==
              static_cast<unsigned>(Errc::propagators_disagree) - kFirst + 1);

// In the order of Field.
constinit NamedCounter counters_not_injected[] = {
    NamedCounter("spanwire.trace.not_injected.traceparent"),
    NamedCounter("spanwire.trace.not_injected.tracestate"),
    NamedCounter("spanwire.trace.not_injected.baggage"),
    NamedCounter("spanwire.trace.not_injected.x_request_id"),
    NamedCounter("spanwire.trace.not_injected.request_id"),
};
static_assert(std::size(counters_not_injected) == kFields);

NamedCounter* counter_of(Errc cause) noexcept {
  // Wraps around below the first code.
  const unsigned index = static_cast<unsigned>(cause) - kFirst;
  return index < std::size(counters_refused) ? &counters_refused[index] : nullptr;
}

}  // namespace

void count_refused(Errc cause) noexcept {
  if (NamedCounter* const counter = counter_of(cause)) counter->add();
}

std::uint64_t refused(Errc cause) noexcept {
  const NamedCounter* const counter = counter_of(cause);
  return counter != nullptr ? static_cast<std::uint64_t>(counter->value()) : 0;
}

void show_refused() noexcept {
  for (NamedCounter& counter : counters_refused) counter.add(0);
}

void count_not_injected(Field field) noexcept {
  counters_not_injected[static_cast<std::size_t>(field)].add();
}

std::uint64_t not_injected(Field field) noexcept {
  return static_cast<std::uint64_t>(counters_not_injected[static_cast<std::size_t>(field)].value());
}

}  // namespace spanwire::trace
