// spanwire echo: a server that answers with what it was sent.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/rpc/signals.hpp"
#include "spanwire/otlp/environment.hpp"
#include "spanwire/rpc/server.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

struct EchoArguments {
  std::vector<std::string> addresses;
  std::vector<std::string> paths = {"echo"};
  unsigned threads = 1;
  transport::CurveOptions curve;
};

// A stream gets its first payload and then every message back, one for one.
Task<Result<void>> echo_stream(rpc::Call& call) {
  if (!call.payload().empty()) {
    Slice first = call.payload();
    SPANWIRE_CO_TRY_VOID(co_await call.write(std::move(first)));
  }
  for (;;) {
    SPANWIRE_CO_TRY(std::optional<Slice> message, co_await call.read());
    if (!message) co_return Result<void>();
    SPANWIRE_CO_TRY_VOID(co_await call.write(std::move(*message)));
  }
}

Task<rpc::Status> serve(rpc::Call& call) {
  if (!call.is_stream()) {
    call.reply(call.payload());
    co_return rpc::Status::ok();
  }
  const Result<void> echoed = co_await echo_stream(call);
  if (echoed) co_return rpc::Status::ok();
  co_return rpc::Status(rpc::status_code_of(echoed.error().code()), echoed.error().message());
}

// From its start to its end; what it says then.
Result<std::string> serve_until_signal(const EchoArguments& arguments) {
  rpc::RuntimeOptions runtime_options;
  runtime_options.threads = arguments.threads;
  rpc::Runtime runtime(runtime_options);
  rpc::ServerOptions options;
  for (const std::string& address : arguments.addresses) options.listen(address);
  options.zmq.curve = arguments.curve;
  const std::chrono::nanoseconds drain_timeout = options.drain_timeout;
  std::atomic<std::uint64_t> served{0};  // outlives what counts
  rpc::Server server(runtime, std::move(options));
  const auto serve_counted = [&served](rpc::Call& call) {
    served.fetch_add(1, std::memory_order_relaxed);
    return serve(call);
  };
  for (const std::string& path : arguments.paths) server.handle(rpc::Path(path), serve_counted);
  // Who has read the first line may end it at once.
  SPANWIRE_TRY(rpc::SignalWait signals, rpc::SignalWait::make());
  SPANWIRE_TRY_VOID(server.start());
  for (const std::string& address : server.addresses()) print("listening on " + address + '\n');
  std::fflush(stdout);
  signals.wait();
  const rpc::DrainReport report = server.drain_blocking(drain_timeout);
  return "served " + std::to_string(served.load()) + " calls; " + report.text();
}

int echo(const EchoArguments& arguments) {
  otlp::init_from_env();
  const Result<std::string> told = serve_until_signal(arguments);
  complain(told ? *told : told.error().message());
  finish_tracing();
  return told ? kExitOk : kExitFailed;
}

}  // namespace

void add_echo(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<EchoArguments>();
  CLI::App* command = app.add_subcommand("echo", "Serve a path that answers with what it was sent");
  command->add_option("ADDRESS", arguments->addresses, "Where to listen; port 0 is any free one")
      ->required();
  command->add_option("--path", arguments->paths, "What to serve")
      ->type_name("PATH")
      ->expected(1)
      ->take_all()
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "Loops; 0 is one a core")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'024));
  add_server_keys(*command, arguments->curve);
  command->footer(
      "Examples:\n"
      "  spanwire echo tcp://127.0.0.1:7001\n"
      "  spanwire echo tcp://*:7001 unix:///tmp/echo.sock --path a --path b\n"
      "\n"
      "Prints one line for each address once it listens.  Calls of Dynamo's request plane are\n"
      "served on the same port.  Ends at SIGTERM or SIGINT, when the calls that run have ended.");
  command->callback([arguments, &exit_code] { exit_code = echo(*arguments); });
}

}  // namespace spanwire::tools
