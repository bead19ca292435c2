// spanwire jaeger up and down: one Jaeger for one run, in the run's folder.
#include "spanwire/inspect/jaeger.hpp"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "tools/child.hpp"
#include "tools/command.hpp"
#include "tools/run_query.hpp"

namespace spanwire::tools {
namespace {

constexpr std::chrono::milliseconds kLook{50};
constexpr std::string_view kPidFile = "jaeger/pid";
constexpr std::string_view kLogFile = "logs/jaeger.log";

struct JaegerArguments {
  QueryArguments query;  // of it: the run's folder
  inspect::JaegerPorts ports;
  std::string program = "jaeger";
  std::string timeout = "20s";
  bool memory = false;
};

// Ports that nobody else is given while it lives: each is bound, and never listened on.  Who sets
// SO_REUSEADDR, as Jaeger does, binds and listens beside it all the same.
class HeldPorts {
 public:
  HeldPorts() = default;
  HeldPorts(const HeldPorts&) = delete;
  HeldPorts& operator=(const HeldPorts&) = delete;
  ~HeldPorts() {
    for (const int socket : sockets_) ::close(socket);
  }

  // False when somebody listens on it; 0 becomes one on which nobody does.
  bool hold(unsigned& port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return false;
    sockets_.push_back(socket);
    const int reuse = 1;  // also for what waits for its time to pass: that is free
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    socklen_t length = sizeof address;
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
    port = ntohs(address.sin_port);
    return true;
  }

 private:
  std::vector<int> sockets_;
};

// The first that is taken; nullptr when all are held.  Those that are named come first, so that no
// other is chosen to be one of them.
const unsigned* hold_all(inspect::JaegerPorts& ports, HeldPorts& held) {
  const std::array<unsigned*, 5> all = {&ports.query, &ports.query_grpc, &ports.otlp_grpc,
                                        &ports.otlp_http, &ports.health};
  const unsigned* taken = nullptr;
  for (const bool named : {true, false}) {
    for (unsigned* port : all) {
      if ((*port != 0) == named && !held.hold(*port) && taken == nullptr) taken = port;
    }
  }
  return taken;
}

// The process of that number still runs this run's configuration: numbers are given again.
bool is_ours(pid_t pid, const inspect::RunFolder& run) {
  const Result<std::string> words = read_whole_file("/proc/" + std::to_string(pid) + "/cmdline");
  return words && words->find(run.of(inspect::kJaegerConfigFile)) != std::string::npos;
}

// True when it is ready; false, with the cause told, when it ended or the time is up.
bool wait_until_ready(pid_t child, const JaegerArguments& arguments,
                      const inspect::RunFolder& run) {
  const auto deadline =
      std::chrono::steady_clock::now() + parse_duration(arguments.timeout).value();
  const std::string health =
      "http://127.0.0.1:" + std::to_string(arguments.ports.health) + "/status";
  while (std::chrono::steady_clock::now() < deadline) {
    if (::waitpid(child, nullptr, WNOHANG) == child) {
      complain("jaeger ended at once: " + run.of(kLogFile) + " says why");
      return false;
    }
    const Result<std::string> page = inspect::get_page(health, std::chrono::seconds(2));
    if (page && page->find("StatusOK") != std::string::npos) return true;
    std::this_thread::sleep_for(kLook);
  }
  complain("jaeger is not ready after " + arguments.timeout + ": " + run.of(kLogFile));
  ::kill(child, SIGTERM);
  wait_for_child(child);
  return false;
}

// For `down`, and for those who fetch without an address.
Result<void> note(pid_t child, const JaegerArguments& arguments, const inspect::RunFolder& run) {
  SPANWIRE_TRY_VOID(inspect::write_whole_file(run.of(kPidFile), std::to_string(child) + '\n'));
  return note_source(arguments.query, run,
                     "http://127.0.0.1:" + std::to_string(arguments.ports.query));
}

int start(const JaegerArguments& arguments, const inspect::RunFolder& run) {
  ChildOptions options;
  options.command = {arguments.program, "--config", run.of(inspect::kJaegerConfigFile)};
  options.environment = environment_with({});
  options.output = run.of(kLogFile);
  options.session = true;
  const Result<pid_t> child = start_child(options);
  if (!child) {
    complain(child.error().message() +
             " (https://www.jaegertracing.io/download/, or --jaeger PATH)");
    return kExitUnreachable;
  }
  if (!wait_until_ready(*child, arguments, run)) return kExitUnreachable;
  const Result<void> noted = note(*child, arguments, run);
  if (!noted) {
    ::kill(*child, SIGTERM);
    wait_for_child(*child);
    return complain_of(noted.error());
  }
  print("ready: UI http://localhost:" + std::to_string(arguments.ports.query) +
        ", OTLP gRPC 127.0.0.1:" + std::to_string(arguments.ports.otlp_grpc) +
        ", OTLP HTTP 127.0.0.1:" + std::to_string(arguments.ports.otlp_http) + '\n');
  return kExitOk;
}

int up(JaegerArguments arguments) {
  Result<std::string> path = run_path_of(arguments.query);
  if (!path) return complain_of(path.error());
  *path = std::filesystem::absolute(*path).lexically_normal().string();
  HeldPorts held;  // until it listens on them itself
  const unsigned* taken = hold_all(arguments.ports, held);
  const std::string badger = arguments.memory ? std::string() : *path + "/jaeger/badger";
  const std::string config = inspect::jaeger_config(arguments.ports, badger);
  if (only_validate()) {
    print(config);
    return kExitOk;
  }
  const Result<inspect::RunFolder> run = inspect::RunFolder::create(*path);
  if (!run) {
    complain(run.error().message());
    return kExitFailed;
  }
  if (const auto pid = read_whole_file(run->of(kPidFile));
      pid && is_ours(std::atoi(pid->c_str()), *run)) {
    complain("already up in this folder, process " + *pid);
    return kExitFailed;
  }
  // Another Jaeger on the health's port would answer that it is well, for one that ends at once.
  if (taken != nullptr) {
    complain("port " + std::to_string(*taken) +
             " is taken: another Jaeger? (spanwire jaeger down, or other ports: up --help)");
    return kExitFailed;
  }
  const Result<void> written =
      inspect::write_whole_file(run->of(inspect::kJaegerConfigFile), config);
  if (!written) return complain_of(written.error());
  return start(arguments, *run);
}

int down(const JaegerArguments& arguments) {
  const Result<std::string> path = run_path_of(arguments.query);
  if (!path) return complain_of(path.error());
  const Result<inspect::RunFolder> run =
      inspect::RunFolder::open(std::filesystem::absolute(*path).lexically_normal().string());
  if (!run) return complain_of(run.error());
  const Result<std::string> text = read_whole_file(run->of(kPidFile));
  const pid_t pid = text ? std::atoi(text->c_str()) : 0;
  if (pid <= 0 || !is_ours(pid, *run)) {
    complain("no Jaeger is up in this folder");
    return kExitFailed;
  }
  ::kill(pid, SIGTERM);
  const auto deadline =
      std::chrono::steady_clock::now() + parse_duration(arguments.timeout).value();
  // It writes its store out: what would end it sooner would lose spans.
  while (is_ours(pid, *run)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      complain("process " + std::to_string(pid) + " has not ended after " + arguments.timeout);
      return kExitUnreachable;
    }
    std::this_thread::sleep_for(kLook);
  }
  std::error_code ignored;
  std::filesystem::remove(run->of(kPidFile), ignored);
  return kExitOk;
}

void add_common(CLI::App& command, JaegerArguments& to) {
  command.add_option("--run", to.query.run, "The run's folder")->type_name("DIR");
  command.add_option("--run-id", to.query.run_id, "The run below HOST_TELEMETRY_ROOT")
      ->type_name("ID");
  command.add_option("--timeout", to.timeout, "Until it is ready, or has ended")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
}

void add_ports(CLI::App& command, inspect::JaegerPorts& to) {
  const auto add = [&](const char* name, unsigned& port, const char* variable, const char* what) {
    command.add_option(name, port, what)
        ->type_name("PORT")
        ->envname(variable)
        ->capture_default_str()
        ->check(CLI::Range(0, 65'535));
  };
  add("--ui-port", to.query, "JAEGER_UI_PORT", "API and UI; 0 is any free one, here and below");
  add("--query-grpc-port", to.query_grpc, "JAEGER_QUERY_GRPC_PORT", "The same over gRPC");
  add("--grpc-port", to.otlp_grpc, "JAEGER_OTLP_GRPC_PORT", "OTLP over gRPC");
  add("--http-port", to.otlp_http, "JAEGER_OTLP_HTTP_PORT", "OTLP over HTTP");
  add("--health-port", to.health, "JAEGER_HEALTH_PORT", "Its health");
}

}  // namespace

void add_jaeger(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<JaegerArguments>();
  CLI::App* command = app.add_subcommand("jaeger", "One Jaeger v2 for one run");
  command->require_subcommand(1);
  CLI::App* start_it = command->add_subcommand("up", "Start it, its store in the run's folder");
  add_common(*start_it, *arguments);
  add_ports(*start_it, arguments->ports);
  start_it->add_option("--jaeger", arguments->program, "The program")
      ->type_name("PATH")
      ->capture_default_str();
  start_it->add_flag("--memory", arguments->memory, "Keep nothing: the store is memory");
  CLI::App* stop_it = command->add_subcommand("down", "Stop it; what it has stays in the folder");
  add_common(*stop_it, *arguments);
  command->footer(
      "Examples:\n"
      "  spanwire jaeger up --run runs/7\n"
      "  spanwire jaeger up --run runs/8 --ui-port 0 --query-grpc-port 0 --grpc-port 0 \\\n"
      "      --http-port 0 --health-port 0\n"
      "  spanwire jaeger down --run runs/7\n"
      "\n"
      "All ports are on loopback.  configs/jaeger.yaml is what it runs with, logs/jaeger.log what\n"
      "it says; `spanwire fetch --run` of the same folder asks this one.  VALIDATE_ONLY=1 prints\n"
      "the configuration and does nothing.");
  start_it->callback([arguments, &exit_code] { exit_code = up(*arguments); });
  stop_it->callback([arguments, &exit_code] { exit_code = down(*arguments); });
}

}  // namespace spanwire::tools
