// spanwire exec: runs a server so that its run can be judged afterwards.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "spanwire/inspect/jaeger.hpp"
#include "tools/child.hpp"
#include "tools/command.hpp"
#include "tools/run_query.hpp"

namespace spanwire::tools {
namespace {

constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kMetricsTimeout{5};

struct ExecArguments {
  QueryArguments query;  // of it: the run's folder and id
  std::string service;
  std::string endpoint;
  std::string metrics;
  std::string interval = "10s";
  std::string log = "server.log";
  bool instance = false;
  std::vector<std::string> command;
};

static_assert(std::atomic<pid_t>::is_always_lock_free);
std::atomic<pid_t> running{0};
std::atomic<int> early{0};  // a signal that came before the server was there

// Whoever ends us means the server.
void pass_on(int signal) {
  if (const pid_t child = running.load(); child > 0) {
    ::kill(child, signal);
  } else {
    early.store(signal);
  }
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string run_id_of(const ExecArguments& arguments, const std::string& path) {
  if (!arguments.query.run_id.empty()) return arguments.query.run_id;
  return std::filesystem::absolute(path).lexically_normal().filename().string();
}

constexpr std::string_view kInstance = "service.instance.id=";

// Each of the others with a comma behind it: of a key that comes twice nobody knows which counts.
std::string without_instance(std::string_view attributes) {
  std::string kept;
  while (!attributes.empty()) {
    const std::string_view item = attributes.substr(0, attributes.find(','));
    attributes.remove_prefix(std::min(item.size() + 1, attributes.size()));
    const std::size_t begin = std::min(item.find_first_not_of(' '), item.size());
    if (begin == item.size() || item.substr(begin).starts_with(kInstance)) continue;
    kept.append(item).append(",");
  }
  return kept;
}

// What is set for the server; what the caller has set stays, but for what was asked for here.
std::vector<std::string> variables_of(const ExecArguments& arguments, const std::string& path) {
  std::vector<std::string> set;
  if (!arguments.service.empty()) set.push_back("OTEL_SERVICE_NAME=" + arguments.service);
  if (variable("OTEL_TRACES_SAMPLER").empty()) set.push_back("OTEL_TRACES_SAMPLER=always_on");
  if (!arguments.endpoint.empty()) {
    set.push_back("OTEL_EXPORTER_OTLP_ENDPOINT=" + arguments.endpoint);
  }
  if (arguments.instance) {
    const std::string others = without_instance(variable("OTEL_RESOURCE_ATTRIBUTES"));
    set.push_back("OTEL_RESOURCE_ATTRIBUTES=" + others + std::string(kInstance) +
                  run_id_of(arguments, path));
  }
  return set;
}

void keep_metrics(const std::string& url, const inspect::RunFolder& run, unsigned number) {
  const Result<std::string> page = inspect::get_page(url, kMetricsTimeout);
  char name[32];
  std::snprintf(name, sizeof name, "metrics/%06u.txt", number);
  const Result<void> written =
      page ? inspect::write_whole_file(run.of(name), *page) : Result<void>(fail(page.error()));
  if (!written) complain("metrics: " + written.error().message());
}

// Until the server ends; its exit code.
int attend(pid_t child, const ExecArguments& arguments, const inspect::RunFolder& run) {
  if (arguments.metrics.empty()) return wait_for_child(child);
  const std::chrono::nanoseconds interval =
      parse_duration(arguments.interval).value_or(std::chrono::seconds(10));
  auto next = std::chrono::steady_clock::now() + interval;
  for (unsigned number = 1;;) {
    siginfo_t info{};
    const auto id = static_cast<id_t>(child);
    if (::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child) {
      return wait_for_child(child);
    }
    if (std::chrono::steady_clock::now() >= next) {
      keep_metrics(arguments.metrics, run, number++);
      next += interval;
    }
    std::this_thread::sleep_for(kLook);
  }
}

int execute(const ExecArguments& arguments) {
  const Result<std::string> path = run_path_of(arguments.query);
  if (!path) return complain_of(path.error());
  const std::vector<std::string> variables = variables_of(arguments, *path);
  if (only_validate()) {
    for (const std::string& set : variables) print(set + '\n');
    print(CLI::detail::join(arguments.command, " ") + "\n  -> " + *path + "/logs/" + arguments.log +
          '\n');
    return kExitOk;
  }
  const Result<inspect::RunFolder> run = inspect::RunFolder::create(*path);
  if (!run) {
    complain(run.error().message());
    return kExitFailed;
  }
  ChildOptions options;
  options.command = arguments.command;
  options.environment = environment_with(variables);
  options.output = run->of("logs/" + arguments.log);
  struct sigaction action{};
  action.sa_handler = pass_on;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  const Result<pid_t> child = start_child(options);
  if (!child) {
    complain(child.error().message());
    return 127;
  }
  running.store(*child);
  if (const int signal = early.load(); signal != 0) ::kill(*child, signal);
  complain("process " + std::to_string(*child) + ", its output in " + options.output);
  const int code = attend(*child, arguments, *run);
  complain("ended with " + std::to_string(code));
  return code;
}

}  // namespace

void add_exec(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<ExecArguments>();
  CLI::App* command =
      app.add_subcommand("exec", "Run a server with tracing on, its output in the run's folder");
  command->add_option("COMMAND", arguments->command, "The server and its arguments, behind --")
      ->required();
  command->add_option("--run", arguments->query.run, "The run's folder")->type_name("DIR");
  command->add_option("--run-id", arguments->query.run_id, "Default: the folder's name")
      ->type_name("ID");
  command->add_option("--service", arguments->service, "OTEL_SERVICE_NAME")->type_name("NAME");
  command->add_option("--endpoint", arguments->endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT")
      ->type_name("URL");
  command->add_flag("--instance", arguments->instance, "service.instance.id is the run's id (G14)");
  command->add_option("--log", arguments->log, "The name of the log in logs/")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--metrics", arguments->metrics, "Keep this page in metrics/, every interval")
      ->type_name("URL");
  command->add_option("--interval", arguments->interval, "Of the metrics")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command->footer(
      "Examples:\n"
      "  spanwire exec --run runs/7 --service sglang --endpoint http://127.0.0.1:4317 \\\n"
      "      --instance -- python3 -m sglang.launch_server --enable-trace ...\n"
      "  spanwire exec --run runs/7 --metrics http://127.0.0.1:8000/metrics -- ./worker\n"
      "\n"
      "VALIDATE_ONLY=1 prints what would be set and started.\n"
      "OTEL_TRACES_SAMPLER is always_on unless it is set.  The exit code is the server's (128 and\n"
      "the signal when one ended it), 127 when it cannot be started, 1 when the folder cannot be\n"
      "written.  Afterwards:\n"
      "spanwire fetch --run runs/7; spanwire verify runs/7 --log runs/7/logs/server.log --run-id "
      "7.");
  command->callback([arguments, &exit_code] { exit_code = execute(*arguments); });
}

}  // namespace spanwire::tools
