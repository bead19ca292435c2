#include "spanwire/otlp/environment.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/detect_resource.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "spanwire/admin/metrics_listener.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/trace/filter.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::string_view kDefaultSampler = "parentbased_always_on";
constexpr std::string_view kRateLimited = "rate_limited";
constexpr double kRateMax = 1e9;

std::chrono::milliseconds milliseconds(std::uint64_t count) noexcept {
  return std::chrono::milliseconds(static_cast<std::int64_t>(count));
}

void read_resource(EnvironmentReader& reader, trace::Resource& resource) {
  for (auto& [key, value] : reader.pairs("OTEL_RESOURCE_ATTRIBUTES")) {
    resource.set(key, std::move(value));
  }
  if (auto name = reader.text("OTEL_SERVICE_NAME")) resource.set("service.name", std::move(*name));
}

// rate_limited and parentbased_rate_limited, which are ours: the argument is spans per second.
std::string read_rate(EnvironmentReader& reader, const std::string& name,
                      const std::string& argument, trace::ProviderOptions& options) {
  double rate = 0;
  const char* const end = argument.data() + argument.size();
  const auto [stop, error] = std::from_chars(argument.data(), end, rate);
  if (error != std::errc() || stop != end || !(rate >= 0)) {
    reader.warn("OTEL_TRACES_SAMPLER_ARG", argument,
                "not a number of spans per second: using " + std::string(kDefaultSampler));
    return std::string(kDefaultSampler);
  }
  options.sampler = trace::rate_limited(rate);
  if (lower_case(name) != kRateLimited) options.sampler = trace::parent_based(options.sampler);
  return options.sampler->describe();
}

// "0.01" of the traces, or at most "5/s".  Null for anything else.
trace::SamplerPtr path_sampler(std::string_view text) {
  if (text.ends_with("/s")) {
    text.remove_suffix(2);
    double rate = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, rate);
    const bool good = error == std::errc() && stop == end && rate >= 0 && rate <= kRateMax;
    return good ? trace::rate_limited(rate) : nullptr;
  }
  if (text.empty()) return nullptr;
  return trace::make_sampler("traceidratio", text).value_or(nullptr);
}

// "llm/debug=1,llm/=0.01,admin/=5/s": roots by how their names begin; `sampler` decides on the
// others, and on all that has a parent.  Returns what all of it is called.
std::string read_paths(EnvironmentReader& reader, std::string sampler,
                       Configuration& configuration) {
  constexpr std::string_view kVariable = "SPANWIRE_TRACES_PATHS";
  const std::string list = reader.text("SPANWIRE_TRACES_PATHS").value_or("");
  std::vector<trace::PathSampler> entries;
  std::string names;
  for (const std::string_view part : split_list(list)) {
    const std::size_t equals = part.rfind('=');
    const std::string_view prefix = stripped(part.substr(0, equals));
    trace::SamplerPtr chosen;
    if (equals != std::string_view::npos) chosen = path_sampler(stripped(part.substr(equals + 1)));
    if (chosen != nullptr && !prefix.empty()) {
      configuration.sampled_paths.emplace_back(prefix);
      entries.push_back({std::string(prefix), std::move(chosen)});
      names.append(names.empty() ? " but " : ", ").append(part);
    } else {
      reader.warn(
          kVariable, list,
          std::string(part) + " is no PREFIX=RATIO (0 to 1) and no PREFIX=NUMBER/s: left out");
    }
  }
  if (entries.empty()) return sampler;
  trace::SamplerPtr& whole = configuration.options.sampler;
  const trace::SamplerPtr others =
      whole != nullptr ? whole : trace::parent_based(trace::always_on());
  whole = trace::parent_based(
      {trace::by_path(std::move(entries), others), others, others, others, others});
  return sampler + names;
}

// Noise is kept out unless the variable says otherwise.
void read_filter(EnvironmentReader& reader, trace::ProviderOptions& options) {
  constexpr std::string_view kVariable = "SPANWIRE_TRACES_FILTER";
  const std::string list = reader.text("SPANWIRE_TRACES_FILTER").value_or("default");
  std::vector<trace::FilterRule> rules;
  for (const std::string_view part : split_list(list)) {
    if (part == "none") continue;
    if (part == "default") {
      for (trace::FilterRule& rule : trace::default_noise()) rules.push_back(std::move(rule));
    } else if (Result<trace::FilterRule> rule = trace::parse_filter_rule(part)) {
      rules.push_back(std::move(*rule));
    } else {
      reader.warn(kVariable, list,
                  std::string(part) +
                      " is none of default, none, name=, path=, attribute.KEY= "
                      "(^= for a prefix): left out");
    }
  }
  if (rules.empty()) return;
  options.sampler = trace::filtered(std::move(rules), std::move(options.sampler));
}

// "errors,slow=500": milliseconds.
void read_keep(EnvironmentReader& reader, trace::ProviderOptions& options) {
  constexpr std::string_view kVariable = "SPANWIRE_TRACES_KEEP";
  constexpr std::string_view kSlow = "slow=";
  const std::string list = reader.text("SPANWIRE_TRACES_KEEP").value_or("");
  for (const std::string_view part : split_list(list)) {
    std::uint32_t slow = 0;
    const char* const end = part.data() + part.size();
    if (part == "errors") {
      options.keep_errors = true;
    } else if (const char* const from = part.data() + std::min(kSlow.size(), part.size());
               part.starts_with(kSlow) && from != end &&
               std::from_chars(from, end, slow).ptr == end && slow != 0) {
      options.keep_slower_than = milliseconds(slow);
    } else if (part != "none") {
      reader.warn(kVariable, list,
                  std::string(part) +
                      " is none of errors, slow=MILLISECONDS (1 to 4294967295), none: left out");
    }
  }
}

// Leaves the sampler null for the default, which costs nothing to ask.
std::string read_sampler(EnvironmentReader& reader, trace::ProviderOptions& options) {
  const std::string name(reader.text("OTEL_TRACES_SAMPLER").value_or(std::string(kDefaultSampler)));
  const std::string argument = reader.text("OTEL_TRACES_SAMPLER_ARG").value_or("");
  if (lower_case(name) == kDefaultSampler) return std::string(kDefaultSampler);
  if (lower_case(name).ends_with(kRateLimited)) return read_rate(reader, name, argument, options);
  Result<trace::SamplerPtr> sampler = trace::make_sampler(name, argument);
  if (!sampler && sampler.error().code() == Errc::invalid_argument) {
    reader.warn("OTEL_TRACES_SAMPLER_ARG", argument, "not a ratio from 0 to 1: using 1");
    sampler = trace::make_sampler(name, "");
  }
  if (!sampler) {
    reader.warn("OTEL_TRACES_SAMPLER", name, "not a known sampler: using parentbased_always_on");
    return std::string(kDefaultSampler);
  }
  options.sampler = *sampler;
  return options.sampler->describe();
}

void read_batching(EnvironmentReader& reader, trace::ProviderOptions& options) {
  if (const auto delay = reader.number("OTEL_BSP_SCHEDULE_DELAY", 0, "5000")) {
    options.schedule_delay = milliseconds(*delay);
  }
  if (const auto timeout = reader.number("OTEL_BSP_EXPORT_TIMEOUT", 0, "30000")) {
    options.export_timeout = milliseconds(*timeout);
  }
  if (const auto most = reader.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, "no bound but the rings'")) {
    options.queue_spans_max = *most;
  }
  if (const auto most = reader.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, "512")) {
    options.batch_spans_max = *most;
  }
  if (options.queue_spans_max != 0 && options.batch_spans_max > options.queue_spans_max) {
    reader.warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", std::to_string(options.batch_spans_max),
                "more than the queue holds: using " + std::to_string(options.queue_spans_max));
    options.batch_spans_max = options.queue_spans_max;
  }
}

void read_limit(EnvironmentReader& reader, std::string_view variable, std::size_t& limit) {
  const std::string used = limit == trace::kNoLimit ? "no limit" : std::to_string(limit);
  if (const auto value = reader.number(variable, 0, used)) limit = *value;
}

void read_limits(EnvironmentReader& reader, trace::SpanLimits& limits) {
  // The general form first: the one for spans wins.
  read_limit(reader, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.value_chars_max);
  read_limit(reader, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.value_chars_max);
  read_limit(reader, "OTEL_ATTRIBUTE_COUNT_LIMIT", limits.attributes_max);
  limits.event_attributes_max = limits.link_attributes_max = limits.attributes_max;
  read_limit(reader, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", limits.attributes_max);
  read_limit(reader, "OTEL_SPAN_EVENT_COUNT_LIMIT", limits.events_max);
  read_limit(reader, "OTEL_SPAN_LINK_COUNT_LIMIT", limits.links_max);
  read_limit(reader, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", limits.event_attributes_max);
  read_limit(reader, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", limits.link_attributes_max);
}

void warn_of_others(EnvironmentReader& reader) {
  if (const auto file = reader.text("OTEL_CONFIG_FILE")) {
    reader.warn("OTEL_CONFIG_FILE", *file,
                "configuration files are not supported: using the other variables");
  }
  // Read by the log itself, before there is anybody to complain to.
  if (const auto level = reader.text("OTEL_LOG_LEVEL"); level && !log_level_of(*level)) {
    reader.warn("OTEL_LOG_LEVEL", *level, "not a level: using info");
  }
  if (const auto format = reader.text("SPANWIRE_LOG_FORMAT");
      format && *format != "json" && *format != "text") {
    reader.warn("SPANWIRE_LOG_FORMAT", *format, "neither json nor text: using text");
  }
}

// Several "none" or none beside others are as if it were not there.
trace::Propagators read_propagators(EnvironmentReader& reader) {
  const std::optional<std::string> list = reader.text("OTEL_PROPAGATORS");
  if (!list) return trace::Propagators::w3c();
  trace::Propagators propagators;
  bool none = false;
  std::vector<std::string> unknown;
  for (const std::string_view part : split_list(*list)) {
    if (const auto propagator = trace::propagator_of(part)) {
      propagators.add(*propagator);
    } else if (lower_case(part) == "none") {
      none = true;
    } else {
      unknown.push_back(lower_case(part));
    }
  }
  // Contexts lost over a typing error would be the worst answer.
  if (propagators.size() == 0 && !none) propagators = trace::Propagators::w3c();
  for (const std::string& name : unknown) {
    reader.warn("OTEL_PROPAGATORS", *list, name + " is left out: using " + propagators.to_string());
  }
  return propagators;
}

// Without it the program does its work all the same.
void serve_metrics(const std::string& address) {
  admin::ListenerOptions options;
  options.address = address;
  const Result<std::string> bound = admin::listen_once(options);
  if (bound) {
    log_info("metrics are served", {{"at", "http://" + *bound + "/metrics"}});
  } else {
    log_warn("metrics are not served", {{"error", bound.error().message()}});
  }
}

std::string first_line(const Configuration& configuration, const std::string& sampler) {
  const trace::ProviderOptions& options = configuration.options;
  const std::string* service = options.resource.text("service.name");
  return "tracing as service " + (service != nullptr ? *service : "?") + ", sampler " + sampler +
         trace::keep_text(options) + ", every " + std::to_string(options.schedule_delay.count()) +
         " ms";
}

}  // namespace

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Configuration read_environment(const Environment& environment) {
  Configuration configuration;
  EnvironmentReader reader(environment, configuration.warnings);
  configuration.propagators = read_propagators(reader);
  if (reader.boolean("OTEL_SDK_DISABLED")) {
    configuration.enabled = false;
    configuration.summary.emplace_back(
        "tracing is off (OTEL_SDK_DISABLED): contexts are passed on");
    return configuration;
  }
  configuration.metrics_listen = reader.text("SPANWIRE_METRICS_LISTEN").value_or("");
  trace::ProviderOptions& options = configuration.options;
  options.resource = detect_resource(environment);
  read_resource(reader, options.resource);
  const std::string sampler = read_paths(reader, read_sampler(reader, options), configuration);
  read_filter(reader, options);
  read_keep(reader, options);
  read_batching(reader, options);
  read_limits(reader, options.limits);
  warn_of_others(reader);
  configuration.summary.push_back(first_line(configuration, sampler));
  if (read_exporters(reader, configuration)) return configuration;
  configuration.enabled = false;
  configuration.summary = {
      "tracing is off: set OTEL_EXPORTER_OTLP_ENDPOINT or SPANWIRE_TRACES_FILE; contexts are "
      "passed on"};
  return configuration;
}

trace::Provider* start(Configuration configuration) {
  if (!configuration.metrics_listen.empty()) serve_metrics(configuration.metrics_listen);
  if (trace::Provider* active = trace::provider()) {
    // Says which settings stay and which do not.
    if (configuration.enabled) return &trace::init(std::move(configuration.options));
    log_warn("tracing is already active; a configuration without it changes nothing");
    return active;
  }
  for (const std::string& warning : configuration.warnings) {
    log_warn("an environment variable is not used as it stands", {{"variable", warning}});
  }
  for (const std::string& line : configuration.summary) {
    log_info("tracing", {{"does", line}});
  }
  trace::set_propagators(configuration.propagators);
  if (configuration.propagators != trace::Propagators::w3c()) {
    log_info("tracing", {{"does", "contexts as " + configuration.propagators.to_string()}});
  }
  if (!configuration.enabled) return nullptr;
  return &trace::init(std::move(configuration.options));
}

trace::Provider* init_from_env() { return start(read_environment()); }

}  // namespace spanwire::otlp
