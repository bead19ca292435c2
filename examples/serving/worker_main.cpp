// serving_worker: an engine behind an RPC server.  Prints "ready ADDRESS" and serves until SIGINT
// or SIGTERM.
#include <CLI/CLI.hpp>
#include <string>

#include "examples/serving/breakage.hpp"
#include "examples/serving/detokenizer.hpp"
#include "examples/serving/engine_flags.hpp"
#include "examples/serving/process.hpp"
#include "examples/serving/worker.hpp"

namespace serving {
namespace {

constexpr std::chrono::seconds kDrainMax{5};

struct Arguments {
  std::string listen = "tcp://127.0.0.1:0";
  std::string detokenizer = "tcp://127.0.0.1:0";
  std::string corpus = ".";
  WorkerOptions worker;
  double step_ms = 15;
  double prefill_us_per_token = 400;
  std::string breakage;
};

void declare(CLI::App& app, Arguments& arguments) {
  SchedulerOptions& scheduler = arguments.worker.engine.scheduler;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--role", arguments.worker.role, "What it does")
      ->check(CLI::IsMember({"prefill", "decode", "both"}))
      ->capture_default_str();
  app.add_option("--listen", arguments.listen, "Port 0: any free one")->capture_default_str();
  app.add_option("--detokenizer", arguments.detokenizer, "Where its detokenizer listens")
      ->capture_default_str();
  app.add_option("--corpus", arguments.corpus,
                 "What the model learns: a text, or a folder with README.md and docs/*.md")
      ->capture_default_str();
  app.add_option("--step-ms", arguments.step_ms, "Time of a step that generates")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--prefill-us-per-token", arguments.prefill_us_per_token,
                 "Time of each token of a prompt")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--blocks", scheduler.blocks, "Memory, in blocks of 16 tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", scheduler.batch_max, "Requests that run at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--break", arguments.breakage, "A bug of other systems, on purpose")
      ->check(CLI::IsMember({"headers", "flags", "relay", "fork"}));
  declare_tracing(app);
  app.footer(
      "Examples:\n"
      "  serving_worker --role prefill\n"
      "  serving_worker --role decode --blocks 64 --batch 8\n"
      "  serving_worker --enable-trace --otlp-traces-endpoint collector:4317\n"
      "  SPANWIRE_TRACES_FILE=decode-%p.jsonl serving_worker --listen tcp://0.0.0.0:7001\n");
}

std::chrono::microseconds microseconds(double count) {
  return std::chrono::microseconds(static_cast<std::int64_t>(count));
}

int run(Arguments arguments, int argc, const char* const* argv) {
  break_process(arguments.breakage);
  Process process(arguments.worker.role == "both" ? "worker" : arguments.worker.role, argc, argv);
  break_tracing();
  const auto model = train_on(arguments.corpus);
  if (!model) return complain("serving_worker", model.error().message());
  arguments.worker.instance = process.instance_id();
  arguments.worker.engine.decode_step = microseconds(arguments.step_ms * 1000);
  arguments.worker.engine.prefill_per_token = microseconds(arguments.prefill_us_per_token);

  Detokenizer detokenizer(*model);
  const spanwire::Result<std::string> detokenizes = detokenizer.start(arguments.detokenizer);
  if (!detokenizes) return complain("serving_worker", detokenizes.error().message());
  arguments.worker.detokenizer = *detokenizes;
  spanwire::rpc::Runtime runtime;
  Worker worker(runtime, *model, arguments.worker);
  spanwire::rpc::Server server(runtime);
  worker.serve_on(server);
  const spanwire::Result<std::string> address =
      server.listen(arguments.listen, broken_listen_options());
  if (!address) return complain("serving_worker", address.error().message());
  if (const auto started = server.start(); !started)
    return complain("serving_worker", started.error().message());
  process.say_ready(*address);
  process.wait_for_signal();
  server.drain_blocking(kDrainMax);
  return 0;
}

}  // namespace
}  // namespace serving

int main(int argc, char** argv) {
  CLI::App app("A worker of the serving example: an engine with a small language model");
  serving::Arguments arguments;
  serving::declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  return serving::run(std::move(arguments), argc, argv);
}
