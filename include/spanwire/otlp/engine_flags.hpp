// Tracing set up from the flags that inference engines take, over the environment.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/otlp/environment.hpp"

namespace spanwire::otlp {

struct EngineFlags {
  bool enable_trace = false;            // --enable-trace; ENABLE_TRACE, SGLANG_ENABLE_TRACE
  bool enable_journey_tracing = false;  // --enable-journey-tracing
  // --otlp-traces-endpoint, also in its old spelling --oltp-traces-endpoint.
  std::string endpoint;
  // --collect-detailed-traces: model, worker, scheduler or all.
  std::vector<std::string> detailed;
  std::string service_name;  // --otlp-service-name
  // For others to apply.  --trace-modules, a list for journey::set_trace_modules(); unset: none
  // given.  --journey-tracing-sample-rate, 0 to 1, for journey::VllmOptions.
  std::optional<std::string> trace_modules;
  std::optional<double> journey_sample_rate;

  // Somebody asked for traces.
  bool any() const noexcept { return enable_trace || enable_journey_tracing || !endpoint.empty(); }
  bool detail(std::string_view what) const noexcept;
};

// Reads what it knows, as "--flag value" and "--flag=value", and passes over the rest.  A flag
// without its value, or with one that it does not take, is left out with a warning.
EngineFlags read_engine_flags(std::span<const char* const> arguments,
                              const Environment& environment, std::vector<std::string>& warnings);

// The environment's configuration, with the flags before it: an endpoint without a scheme is
// http://, and engines mean gRPC unless a protocol is named, the port is 4318 or the path says that
// it is HTTP.  Without an endpoint anywhere it is http://localhost:4317.
Configuration from_args(std::span<const char* const> arguments,
                        const Environment& environment = process_environment());

// As init_from_env(), from main()'s arguments.
trace::Provider* init_from_args(int count, const char* const* arguments);

}  // namespace spanwire::otlp
