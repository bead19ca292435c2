#include "tools/doctor/settings.hpp"

#include <optional>
#include <string_view>

namespace spanwire::tools {
namespace {

struct Variable {
  const char* name;
  const char* fallback;  // what holds when it is not set
};

constexpr Variable kVariables[] = {
    {"OTEL_SDK_DISABLED", "false"},
    {"OTEL_TRACES_EXPORTER", "otlp if anything of it is set"},
    {"SPANWIRE_TRACES_FILE", "none"},
    {"OTEL_SERVICE_NAME", "unknown_service and the program"},
    {"OTEL_RESOURCE_ATTRIBUTES", "none"},
    {"OTEL_PROPAGATORS", "tracecontext,baggage"},
    {"OTEL_TRACES_SAMPLER", "parentbased_always_on"},
    {"OTEL_TRACES_SAMPLER_ARG", "1"},
    {"SPANWIRE_TRACES_PATHS", "none"},
    {"SPANWIRE_TRACES_FILTER", "default"},
    {"SPANWIRE_TRACES_KEEP", "none"},
    {"SPANWIRE_METRICS_LISTEN", "nowhere"},
    {"OTEL_BSP_SCHEDULE_DELAY", "5000"},
    {"OTEL_BSP_EXPORT_TIMEOUT", "30000"},
    {"OTEL_BSP_MAX_QUEUE_SIZE", "no bound but the rings'"},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"},
};

// Each has a form for traces, which goes before the general one.
constexpr Variable kOfOtlp[] = {
    {"ENDPOINT", "http://localhost:4318, for gRPC http://localhost:4317"},
    {"PROTOCOL", "http/protobuf; grpc on port 4317"},
    {"HEADERS", "none"},
    {"TIMEOUT", "10000"},
    {"COMPRESSION", "none"},
    {"CERTIFICATE", "the system's"},
    {"CLIENT_CERTIFICATE", "none"},
    {"CLIENT_KEY", "none"},
    {"INSECURE", "false"},
};

constexpr std::string_view kBlanks = " \t\r\n";

std::optional<std::string> text_of(const otlp::Environment& environment, const std::string& name) {
  std::optional<std::string> value = environment(name);
  if (!value || value->find_first_not_of(kBlanks) == std::string::npos) return std::nullopt;
  return value;
}

// A token is no business of a terminal's.
std::string without_secrets(const std::string& name, const std::string& value) {
  if (name.ends_with("_HEADERS")) {
    std::string names;
    for (std::size_t at = 0; at < value.size();) {
      const std::size_t end = std::min(value.find(',', at), value.size());
      const std::string pair = value.substr(at, end - at);
      names += (names.empty() ? "" : ",") + pair.substr(0, pair.find('=')) + "=...";
      at = end + 1;
    }
    return names;
  }
  const std::size_t at_sign = value.find('@');
  const std::size_t host = value.find("://");
  if (at_sign == std::string::npos || host == std::string::npos || at_sign < host) return value;
  return value.substr(0, host + 3) + "..." + value.substr(at_sign);
}

std::string source_of(const std::string& name, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    if (warning.starts_with(name + "=")) return "environment, not used as it stands";
  }
  return "environment";
}

}  // namespace

std::vector<Setting> settings_of(const otlp::Environment& environment,
                                 const std::vector<std::string>& warnings) {
  std::vector<Setting> all;
  const auto add = [&](const std::string& name, const std::string& value, std::string from) {
    all.push_back({name, value, std::move(from)});
  };
  for (const Variable& variable : kVariables) {
    const auto value = text_of(environment, variable.name);
    value ? add(variable.name, without_secrets(variable.name, *value),
                source_of(variable.name, warnings))
          : add(variable.name, variable.fallback, "default");
  }
  for (const Variable& variable : kOfOtlp) {
    const std::string general = std::string("OTEL_EXPORTER_OTLP_") + variable.name;
    const std::string special = std::string("OTEL_EXPORTER_OTLP_TRACES_") + variable.name;
    const auto of_traces = text_of(environment, special);
    const auto of_all = text_of(environment, general);
    if (of_traces) add(special, without_secrets(special, *of_traces), source_of(special, warnings));
    if (of_all) {
      add(general, without_secrets(general, *of_all),
          of_traces ? "environment, overruled by " + special : source_of(general, warnings));
    }
    if (!of_traces && !of_all) add(general, variable.fallback, "default");
  }
  return all;
}

}  // namespace spanwire::tools
