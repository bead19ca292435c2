// What the parts of vLLM's model share: options in force, tracers.
#pragma once

#include "spanwire/journey/vllm.hpp"

namespace spanwire::journey {

// Of the clock of the options.
MonotonicTime vllm_now() noexcept;
inline MonotonicTime given_or_now(MonotonicTime at) noexcept {
  return at == MonotonicTime{} ? vllm_now() : at;
}
// One throw of the dice for a request.
bool sample_journey() noexcept;
const trace::Tracer& tracer_of(VllmScope scope) noexcept;

// As Python's time.monotonic().
inline double monotonic_seconds(MonotonicTime at) noexcept {
  return static_cast<double>(at.time_since_epoch().count()) / 1e9;
}
inline double seconds_between(MonotonicTime from, MonotonicTime to) noexcept {
  return static_cast<double>((to - from).count()) / 1e9;
}

}  // namespace spanwire::journey
