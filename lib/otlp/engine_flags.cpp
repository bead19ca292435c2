#include "spanwire/otlp/engine_flags.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::array<std::string_view, 4> kDetails = {"model", "worker", "scheduler", "all"};
constexpr unsigned kHttpPort = 4318;

// One flag after the other.
class Arguments {
 public:
  explicit Arguments(std::span<const char* const> all) noexcept : all_(all) {}

  // False at the end.
  bool next() noexcept {
    if (at_ == all_.size()) return false;
    const std::string_view text = all_[at_++];
    const std::size_t equals = text.find('=');
    inline_value_ = equals != std::string_view::npos;
    name_ = text.substr(0, equals);
    value_ = inline_value_ ? text.substr(equals + 1) : std::string_view();
    return true;
  }
  std::string_view name() const noexcept { return name_; }
  // The value of the flag at hand; empty if there is none.
  std::string_view value() noexcept {
    if (inline_value_ || at_ == all_.size()) return value_;
    const std::string_view following = all_[at_];
    if (following.starts_with("--")) return {};
    ++at_;
    return following;
  }

 private:
  std::span<const char* const> all_;
  std::size_t at_ = 0;
  std::string_view name_;
  std::string_view value_;
  bool inline_value_ = false;
};

// As engines read their variables: more than OpenTelemetry's "true".
bool is_true(const std::optional<std::string>& value) {
  if (!value) return false;
  const std::string lower = lower_case(stripped(*value));
  return lower == "true" || lower == "1" || lower == "yes" || lower == "on";
}

void read_details(std::string_view value, EngineFlags& flags, std::vector<std::string>& warnings) {
  for (const std::string_view part : split_list(value)) {
    if (std::find(kDetails.begin(), kDetails.end(), part) != kDetails.end()) {
      flags.detailed.emplace_back(part);
    } else {
      warnings.push_back("--collect-detailed-traces='" + std::string(part) +
                         "': not one of model, worker, scheduler, all: left out");
    }
  }
}

void read_rate(std::string_view value, EngineFlags& flags, std::vector<std::string>& warnings) {
  double rate = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, rate);
  if (error == std::errc() && stop == end && rate >= 0.0 && rate <= 1.0) {
    flags.journey_sample_rate = rate;
  } else {
    warnings.push_back("--journey-tracing-sample-rate='" + std::string(value) +
                       "': not from 0 to 1: left out");
  }
}

bool means_http(const std::string& endpoint) {
  const Result<Endpoint> parsed = parse_endpoint(endpoint, Protocol::http_protobuf);
  return parsed &&
         (parsed->port == kHttpPort || parsed->url.find(kTracesPath) != std::string::npos);
}

// The environment as it would be if somebody had said the same in variables.
Environment with_flags(const Environment& environment, const EngineFlags& flags) {
  if (!flags.any()) return environment;
  const bool has_endpoint = environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").has_value() ||
                            environment("OTEL_EXPORTER_OTLP_ENDPOINT").has_value();
  const bool has_protocol = environment("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").has_value() ||
                            environment("OTEL_EXPORTER_OTLP_PROTOCOL").has_value();
  std::string endpoint = flags.endpoint;
  if (endpoint.empty() && !has_endpoint) endpoint = "http://localhost:4317";
  const bool bare = !endpoint.starts_with("unix:") && endpoint.find("://") == std::string::npos;
  if (!endpoint.empty() && bare) endpoint.insert(0, "http://");
  const bool grpc = !has_protocol && !endpoint.empty() && !means_http(endpoint);
  return [environment, endpoint, grpc,
          service = flags.service_name](std::string_view name) -> std::optional<std::string> {
    if (name == "OTEL_SERVICE_NAME" && !service.empty()) return service;
    if (name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" && !endpoint.empty()) return endpoint;
    if (name == "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" && grpc) return std::string("grpc");
    return environment(name);
  };
}

}  // namespace

bool EngineFlags::detail(std::string_view what) const noexcept {
  return std::any_of(detailed.begin(), detailed.end(),
                     [&](const std::string& one) { return one == what || one == "all"; });
}

EngineFlags read_engine_flags(std::span<const char* const> arguments,
                              const Environment& environment, std::vector<std::string>& warnings) {
  EngineFlags flags;
  flags.enable_trace =
      is_true(environment("ENABLE_TRACE")) || is_true(environment("SGLANG_ENABLE_TRACE"));
  for (Arguments all(arguments); all.next();) {
    const std::string_view name = all.name();
    if (name == "--enable-trace") flags.enable_trace = true;
    if (name == "--enable-journey-tracing") flags.enable_journey_tracing = true;
    if (name == "--collect-detailed-traces") read_details(all.value(), flags, warnings);
    if (name == "--trace-modules") flags.trace_modules = all.value();
    if (name == "--otlp-service-name") flags.service_name = all.value();
    if (name == "--journey-tracing-sample-rate") read_rate(all.value(), flags, warnings);
    if (name != "--otlp-traces-endpoint" && name != "--oltp-traces-endpoint") continue;
    flags.endpoint = all.value();
    if (flags.endpoint.empty()) {
      warnings.push_back(std::string(name) + " without a value: left out");
    }
  }
  return flags;
}

Configuration from_args(std::span<const char* const> arguments, const Environment& environment) {
  std::vector<std::string> warnings;
  const EngineFlags flags = read_engine_flags(arguments, environment, warnings);
  Configuration configuration = read_environment(with_flags(environment, flags));
  configuration.warnings.insert(configuration.warnings.begin(), warnings.begin(), warnings.end());
  return configuration;
}

trace::Provider* init_from_args(int count, const char* const* arguments) {
  const auto size = static_cast<std::size_t>(std::max(count, 1));
  return start(from_args({arguments + 1, size - 1}));
}

}  // namespace spanwire::otlp
