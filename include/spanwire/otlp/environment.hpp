// Tracing set up from the environment, by OpenTelemetry's variables and SPANWIRE_TRACES_FILE.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/trace/propagators.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::otlp {

// A variable's value, nothing when it is not set.  An empty value counts as not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// The process's own.
Environment process_environment();

// What an environment says.  A bad value is never fatal: the warning names the variable, the value
// and what is used instead.
struct Configuration {
  // False: no provider is to be started.  Contexts are passed on all the same.
  bool enabled = true;
  trace::ProviderOptions options;
  // Set by start() whether tracing is enabled or not.
  trace::Propagators propagators = trace::Propagators::w3c();
  // Where start() serves metrics and health, as admin::ListenerOptions::address; empty: nowhere.
  std::string metrics_listen;
  // The prefixes of root names that have samplers of their own, in their order.
  std::vector<std::string> sampled_paths;
  std::vector<std::string> warnings;
  // What tracing is going to do, for people; at most five lines.
  std::vector<std::string> summary;
};

// Reads OpenTelemetry's variables, OTEL_EXPORTER_OTLP_* among them, and SPANWIRE_TRACES_FILE, the
// path of the file exporter (%p: the process's number); docs/options.md lists them.  The meaning
// and the defaults are OpenTelemetry's, but for three: OTEL_BSP_MAX_QUEUE_SIZE bounds the queue
// only when it is set; where no protocol is named and the endpoint's port is 4317, gRPC is meant;
// without any exporter named, anything of OTLP and a file, nothing is started.
Configuration read_environment(const Environment& environment = process_environment());

// Logs warnings and summary, sets the propagators, starts the provider.  Null if there is nothing
// to start; the active provider, unchanged, if there is one already.
trace::Provider* start(Configuration configuration);

// Reads the environment and starts what it says.
trace::Provider* init_from_env();

}  // namespace spanwire::otlp
