// spanwire doctor: why no traces arrive, said before anybody has to look for them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "lib/otlp/environment_reader.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/inspect/jaeger.hpp"
#include "spanwire/otlp/environment.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tools/command.hpp"
#include "tools/doctor/endpoint_check.hpp"
#include "tools/doctor/findings.hpp"
#include "tools/doctor/settings.hpp"

namespace spanwire::tools {
namespace {

constexpr int kTrialTraces = 1'000;
constexpr std::chrono::milliseconds kLook{50};
// A port is asked for in three protocols; what is there answers at once.
constexpr std::chrono::milliseconds kKnockMax{1'000};

struct DoctorArguments {
  std::string query;
  std::string timeout = "5s";
  std::string query_timeout;  // empty: as the other
  std::string clock_max = "10s";
  std::uint64_t load = 0;
};

std::chrono::milliseconds milliseconds_of(const std::string& text) {
  return std::chrono::ceil<std::chrono::milliseconds>(parse_duration(text).value());
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

void print_settings(const otlp::Environment& environment, const otlp::Configuration& found) {
  const std::vector<Setting> settings = settings_of(environment, found.warnings);
  std::size_t name = 0;
  std::size_t value = 0;
  for (const Setting& setting : settings) {
    name = std::max(name, setting.name.size());
    value = std::max(value, std::min<std::size_t>(setting.value.size(), 56));
  }
  print("configuration\n");
  for (const Setting& setting : settings) {
    print("  " + padded(setting.name, name) + "  " + padded(setting.value, value) + "  " +
          setting.from + '\n');
  }
  print("in effect\n");
  for (const std::string& line : found.summary) print("  " + line + '\n');
}

void check_switches(const otlp::Environment& environment, const otlp::Configuration& found,
                    Findings& findings) {
  for (const std::string& warning : found.warnings) {
    findings.wrong("environment.bad_value", warning, "correct it");
  }
  if (!found.enabled) {
    findings.wrong("tracing.off", found.summary.empty() ? "" : found.summary.front(),
                   environment("OTEL_SDK_DISABLED") ? "unset OTEL_SDK_DISABLED"
                                                    : "set OTEL_EXPORTER_OTLP_ENDPOINT");
  } else if (found.options.exporters.empty()) {
    findings.wrong("exporter.none", "OTEL_TRACES_EXPORTER sends spans nowhere",
                   "set it to otlp, or unset it");
  }
}

void check_service(const trace::Resource& resource, Findings& findings) {
  const std::string* name = resource.text("service.name");
  if (name != nullptr && !name->starts_with("unknown_service")) {
    return findings.good("service", *name);
  }
  findings.wrong("service.unnamed", "spans would be those of " + (name ? *name : "nobody"),
                 "set OTEL_SERVICE_NAME");
}

// Of so many new traces, as a frontend starts them.
int sampled_of(const trace::Sampler& sampler, std::string_view name) {
  int sampled = 0;
  for (int i = 0; i < kTrialTraces; ++i) {
    const trace::Context none;
    const trace::TraceId id = trace::TraceId::generate(Random::of_thread());
    const auto decision = sampler.sample({none, id, name}).decision;
    if (decision == trace::Decision::record_and_sample) ++sampled;
  }
  return sampled;
}

void check_sampler(const otlp::Configuration& found, Findings& findings) {
  const trace::SamplerPtr& sampler = found.options.sampler;
  if (sampler == nullptr) return findings.good("sampler", "every new trace is recorded");
  int most = sampled_of(*sampler, "spanwire doctor");
  std::string text =
      std::to_string(most) + " of " + std::to_string(kTrialTraces) + " new traces are recorded";
  for (const std::string& path : found.sampled_paths) {
    const int sampled = sampled_of(*sampler, path);
    text += ", " + std::to_string(sampled) + " of those of " + path;
    most = std::max(most, sampled);
  }
  text += " (" + sampler->describe() + ')';
  if (most > 0) return findings.good("sampler", text);
  findings.wrong("sampler.off", text,
                 "set OTEL_TRACES_SAMPLER=parentbased_always_on, or a larger ratio");
}

// False when it cannot be written.
bool check_file(const otlp::Environment& environment, Findings& findings) {
  const std::optional<std::string> pattern = environment("SPANWIRE_TRACES_FILE");
  if (!pattern || pattern->empty()) return true;
  const std::string path = otlp::expand_path(*pattern);
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file >= 0) {
    ::close(file);
    findings.good("file", path);
    return true;
  }
  findings.wrong("file.not_writable", path + ": " + std::strerror(errno),
                 "choose another SPANWIRE_TRACES_FILE, or make its folder");
  return false;
}

struct Canary {
  std::string trace_id;
  bool delivered = false;
  std::chrono::nanoseconds took{0};
  trace::TraceStats stats;
  std::vector<trace::ExporterStats> exporters;
};

Canary send_canary(trace::ProviderOptions options, std::chrono::milliseconds timeout) {
  Canary canary;
  options.sampler = nullptr;
  options.schedule_delay = timeout;
  trace::Provider& provider = trace::init(std::move(options));
  trace::Span span = trace::tracer("spanwire.doctor").start({}, "spanwire doctor");
  canary.trace_id = span.context().trace_id().hex().str();
  span.end();
  const MonotonicTime begin = Clock::system().monotonic();
  canary.delivered = provider.force_flush(timeout).complete();
  canary.took = Clock::system().monotonic() - begin;
  canary.stats = provider.stats();
  canary.exporters = provider.exporter_stats();
  provider.shutdown(std::chrono::seconds(1));
  return canary;
}

void print_counters(const Canary& canary) {
  print("counters\n  spans started " + std::to_string(canary.stats.started) + ", recorded " +
        std::to_string(canary.stats.recorded) + ", exported " +
        std::to_string(canary.stats.exported) + ", lost " +
        std::to_string(canary.stats.lost.total()) + ", queued " +
        std::to_string(canary.stats.queued) + '\n');
  for (const trace::ExporterStats& exporter : canary.exporters) {
    print("  " + exporter.name + ": exported " + std::to_string(exporter.exported) + ", lost " +
          std::to_string(exporter.lost.total()) + ", last error: " +
          (exporter.cause == Error() ? "none" : exporter.cause.message()) + '\n');
  }
}

void check_canary(const Canary& canary, Findings& findings) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(canary.took).count();
  if (canary.delivered) {
    return findings.good(
        "canary", "trace " + canary.trace_id + " delivered in " + std::to_string(ms) + " ms");
  }
  std::string why = "not delivered in " + std::to_string(ms) + " ms";
  for (const trace::ExporterStats& exporter : canary.exporters) {
    if (exporter.cause != Error()) why += "; " + exporter.name + ": " + exporter.cause.message();
  }
  findings.wrong("canary.not_delivered", why, "the last error says why");
}

// While one batch is on its way the queue has to hold what ends meanwhile.
void check_queue(std::size_t queue, std::size_t batch, const Canary& canary, std::uint64_t load,
                 Findings& findings) {
  if (load == 0 || queue == 0) return;
  const double seconds = std::chrono::duration<double>(canary.took).count();
  const auto needed = static_cast<std::uint64_t>(static_cast<double>(load) * seconds) + batch;
  const std::string text = "at " + std::to_string(load) + " spans/s, with an export that takes " +
                           std::to_string(canary.took.count() / 1000) + " us, " +
                           std::to_string(needed) + " spans wait; OTEL_BSP_MAX_QUEUE_SIZE is " +
                           std::to_string(queue);
  if (needed <= queue) return findings.good("queue", text);
  findings.wrong("queue.too_small", text, "raise it, or unset it: the rings bound it then");
}

void read_back(const std::string& query, const std::string& trace_id,
               std::chrono::milliseconds timeout, Findings& findings) {
  const std::string url = query + (query.ends_with('/') ? "" : "/") + "api/v3/traces/" + trace_id;
  const MonotonicTime begin = Clock::system().monotonic();
  Error last;
  while (Clock::system().monotonic() - begin < timeout) {
    const Result<std::string> page = inspect::get_page(url, timeout);
    if (page && page->find(trace_id) != std::string::npos) {
      const auto took = Clock::system().monotonic() - begin;
      return findings.good(
          "read_back",
          "found after " +
              std::to_string(std::chrono::ceil<std::chrono::milliseconds>(took).count()) + " ms");
    }
    if (!page) last = page.error();
    std::this_thread::sleep_for(kLook);
  }
  findings.wrong("canary.not_found",
                 url + ": " + (last == Error() ? "an answer without it" : last.message()),
                 "does the query address belong to the backend that the spans go to?");
}

void print_findings(const Findings& findings) {
  print("findings\n");
  std::size_t width = 0;
  for (const Diagnosis& one : findings.all()) width = std::max(width, one.name.size());
  for (const Diagnosis& one : findings.all()) {
    print((one.health == Health::good ? "  ok     " : "  WRONG  ") + padded(one.name, width) +
          "  " + one.text + '\n');
    if (!one.cure.empty()) print(padded("", width + 11) + "-> " + one.cure + '\n');
  }
}

// Leaves out those that are known to fail, and the terminal.
void keep_promising(std::vector<std::unique_ptr<trace::Exporter>>& exporters, bool file,
                    bool otlp) {
  std::erase_if(exporters, [&](const std::unique_ptr<trace::Exporter>& exporter) {
    const std::string_view name = exporter->name();
    return name == "console" || (name == "file" && !file) || (name == "otlp" && !otlp);
  });
}

int doctor(const DoctorArguments& arguments) {
  set_log_level(LogLevel::off);
  const otlp::Environment environment = otlp::process_environment();
  otlp::Configuration found = otlp::read_environment(environment);
  trace::ProviderOptions& options = found.options;
  const std::chrono::milliseconds timeout = milliseconds_of(arguments.timeout);
  print_settings(environment, found);
  Findings findings;
  check_switches(environment, found, findings);
  if (found.enabled) {
    check_service(options.resource, findings);
    check_sampler(found, findings);
  }
  const auto has = [&options](std::string_view name) {
    return std::any_of(options.exporters.begin(), options.exporters.end(),
                       [name](const auto& exporter) { return exporter->name() == name; });
  };
  const bool file = has("file") && check_file(environment, findings);
  std::vector<std::string> ignored;
  otlp::EnvironmentReader reader(environment, ignored);
  const auto clock_max =
      std::chrono::ceil<std::chrono::seconds>(milliseconds_of(arguments.clock_max));
  const bool otlp =
      has("otlp") && check_endpoint(otlp::read_otlp(reader).options, std::min(timeout, kKnockMax),
                                    clock_max, findings);
  keep_promising(options.exporters, file, otlp);
  if (found.enabled && !options.exporters.empty()) {
    const std::size_t queue = options.queue_spans_max;
    const std::size_t batch = options.batch_spans_max;
    const Canary canary = send_canary(std::move(options), timeout);
    check_canary(canary, findings);
    check_queue(queue, batch, canary, arguments.load, findings);
    if (!arguments.query.empty()) {
      const std::string& wait = arguments.query_timeout;
      read_back(arguments.query, canary.trace_id, wait.empty() ? timeout : milliseconds_of(wait),
                findings);
    }
    print_counters(canary);
  }
  print_findings(findings);
  return findings.wrong_count() == 0 ? kExitOk : kExitFailed;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  const auto to = std::make_shared<DoctorArguments>();
  CLI::App* command =
      app.add_subcommand("doctor", "Say what tracing would do here, and what keeps it from it");
  command->add_option("--query", to->query, "Read the canary back from this Jaeger")
      ->type_name("URL");
  command->add_option("--timeout", to->timeout, "For each step")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command
      ->add_option("--query-timeout", to->query_timeout,
                   "For reading the canary back; as --timeout unless it is given")
      ->type_name("T")
      ->check(duration_check());
  command->add_option("--load", to->load, "Spans a second that the queue has to stand")
      ->type_name("N");
  command->add_option("--clock-max", to->clock_max, "How far clocks may differ")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command->footer(
      "Examples:\n"
      "  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 OTEL_SERVICE_NAME=shop spanwire doctor\n"
      "  spanwire doctor --query http://localhost:16686 --load 20000\n"
      "\n"
      "Run it in the environment of the program that is to be traced: the same pod, the same\n"
      "variables.  It sends one span, named 'spanwire doctor', to each place that spans go to.\n"
      "The exit code is 1 when something is wrong; docs/how-to/doctor.md lists the names.");
  command->callback([to, &exit_code] { exit_code = doctor(*to); });
}

}  // namespace spanwire::tools
