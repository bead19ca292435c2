// serving_frontend: chat over HTTP, answered by workers.  Prints "ready ADDRESS" and serves until
// SIGINT or SIGTERM.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "examples/serving/breakage.hpp"
#include "examples/serving/engine_flags.hpp"
#include "examples/serving/gateway.hpp"
#include "examples/serving/http_server.hpp"
#include "examples/serving/process.hpp"

namespace serving {
namespace {

struct Arguments {
  HttpOptions http;
  std::string corpus = ".";
  std::vector<std::string> prefill;
  std::vector<std::string> decode;
  std::string breakage;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--decode", arguments.decode, "Workers that generate, or do all")
      ->required()
      ->delimiter(',')
      ->type_name("ADDRESS,...");
  app.add_option("--prefill", arguments.prefill,
                 "Workers that compute prompts; without any, the others do")
      ->delimiter(',')
      ->type_name("ADDRESS,...");
  app.add_option("--host", arguments.http.host, "Where to listen")->capture_default_str();
  app.add_option("--port", arguments.http.port, "0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--requests", arguments.http.requests_max, "Answers at once; beyond, 503")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--corpus", arguments.corpus, "The same as the workers'")->capture_default_str();
  app.add_option("--break", arguments.breakage, "A bug of other systems, on purpose")
      ->check(CLI::IsMember({"headers", "flags", "relay", "fork"}));
  declare_tracing(app);
  app.footer(
      "Examples:\n"
      "  serving_frontend --decode tcp://127.0.0.1:7002\n"
      "  serving_frontend --port 8000 --prefill tcp://127.0.0.1:7001 \\\n"
      "      --decode tcp://127.0.0.1:7002,tcp://127.0.0.1:7003\n");
}

int run(const Arguments& arguments, int argc, const char* const* argv) {
  break_process(arguments.breakage);
  const Process process("frontend", argc, argv);
  break_tracing();
  const auto model = train_on(arguments.corpus);
  if (!model) return complain("serving_frontend", model.error().message());
  spanwire::rpc::Runtime runtime;
  Gateway gateway(runtime, *model, arguments.prefill, arguments.decode);
  if (const auto connected = gateway.connect(); !connected)
    return complain("serving_frontend", connected.error().message());
  HttpServer server(gateway, arguments.http);
  const spanwire::Result<int> port = server.start();
  if (!port) return complain("serving_frontend", port.error().message());
  process.say_ready("http://" + arguments.http.host + ":" + std::to_string(*port));
  process.wait_for_signal();
  server.stop();
  return 0;
}

}  // namespace
}  // namespace serving

int main(int argc, char** argv) {
  CLI::App app("The frontend of the serving example: chat over HTTP, answered by workers");
  serving::Arguments arguments;
  serving::declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  return serving::run(arguments, argc, argv);
}
