// spanwire call: one call from the command line.
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/rpc/client.hpp"
#include "spanwire/trace/carrier.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

struct CallArguments {
  std::string address;
  std::string path;
  std::vector<std::string> headers;
  std::string data;
  std::string file;
  std::string timeout = "30s";
  bool stream = false;
  bool verbose = false;
  transport::CurveOptions curve;
};

// A header of trace context becomes the call's context, any other goes along as it is.
struct Prepared {
  trace::Context context;
  rpc::CallOptions options;
  Slice payload;
};

Result<Prepared> prepare(const CallArguments& arguments) {
  Prepared prepared;
  std::map<std::string, std::string> trace_headers;
  for (const std::string& header : arguments.headers) {
    const std::size_t equals = header.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument, "not NAME=VALUE: '" + header + "'");
    }
    const std::string name = header.substr(0, equals);
    trace::Field field;
    if (trace::field_of(name, field)) {
      trace_headers[std::string(trace::name(field))] = header.substr(equals + 1);
    } else {
      prepared.options.headers.set(name, header.substr(equals + 1));
    }
  }
  prepared.context = trace::extract(trace_headers).context();
  const auto parent = trace_headers.find("traceparent");
  if (parent != trace_headers.end() && !prepared.context.span().valid()) {
    const auto read = trace::parse_traceparent(parent->second);
    complain("traceparent '" + parent->second + "' is no parent (" + read.error().message() +
             "): the call begins a trace of its own");
  }
  SPANWIRE_TRY(prepared.options.timeout, parse_duration(arguments.timeout));
  std::string payload = arguments.data;
  if (!arguments.file.empty()) {
    SPANWIRE_TRY(payload, read_whole_file(arguments.file));
  }
  prepared.payload = Slice::of(std::move(payload));
  return prepared;
}

// A message as it came; a line of its own where people or line tools read it.
void print_message(std::string_view text, bool line) {
  print(text);
  if (line && (text.empty() || text.back() != '\n')) print("\n");
  std::fflush(stdout);
}

void describe(const rpc::Reply& reply) {
  for (const auto& [name, value] : reply.headers()) {
    const std::string line = name + ": " + value + '\n';
    std::fputs(line.c_str(), stderr);
  }
  std::fprintf(stderr, "handler: %.3f ms\n",
               static_cast<double>(reply.handler_time().count()) / 1e6);
}

Result<void> call_unary(rpc::Client& client, const CallArguments& arguments, Prepared prepared) {
  SPANWIRE_TRY(const rpc::Reply reply,
               client.call_blocking(prepared.context, rpc::Path(arguments.path),
                                    std::move(prepared.payload), prepared.options));
  print_message(reply.payload().text(), ::isatty(STDOUT_FILENO) == 1 && !reply.payload().empty());
  if (arguments.verbose) describe(reply);
  return {};
}

Result<void> call_stream(rpc::Client& client, const CallArguments& arguments, Prepared prepared) {
  SPANWIRE_TRY(rpc::Stream stream,
               client.open_blocking(prepared.context, rpc::Path(arguments.path),
                                    std::move(prepared.payload), prepared.options));
  stream.end_writing();
  for (;;) {
    SPANWIRE_TRY(const std::optional<Slice> message, stream.read_blocking());
    if (!message) break;
    print_message(message->text(), true);
  }
  if (arguments.verbose) describe(stream.reply());
  return {};
}

int call(const CallArguments& arguments) {
  Result<Prepared> prepared = prepare(arguments);
  if (!prepared) {
    complain(prepared.error().detail());
    return prepared.error().code() == Errc::invalid_argument ? kExitUsage : kExitFailed;
  }
  start_tracing();
  Result<void> done;
  {
    rpc::Runtime runtime;
    rpc::ClientOptions options;
    options.zmq.curve = arguments.curve;
    rpc::Client client(runtime, arguments.address, options);
    done = arguments.stream ? call_stream(client, arguments, std::move(*prepared))
                            : call_unary(client, arguments, std::move(*prepared));
  }
  finish_tracing();
  if (done) return kExitOk;
  complain(done.error().message());
  return kExitFailed;
}

}  // namespace

void add_call(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<CallArguments>();
  CLI::App* command = app.add_subcommand("call", "Call a service and print what it answers");
  command
      ->add_option("ADDRESS", arguments->address,
                   "tcp://HOST:PORT, unix:///PATH, zmq+tcp://, dynamo+tcp://")
      ->required();
  command->add_option("PATH", arguments->path, "What to call")->required();
  command->add_option("--header", arguments->headers, "A header; traceparent makes it the parent")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  CLI::Option* data =
      command->add_option("--data", arguments->data, "The payload")->type_name("TEXT");
  command->add_option("--file", arguments->file, "The payload; - is standard input")
      ->type_name("FILE")
      ->excludes(data);
  command->add_flag("--stream", arguments->stream, "Open a stream, print each message on a line");
  command->add_option("--timeout", arguments->timeout, "For all of it: 250ms, 2s, 1m")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  add_client_keys(*command, arguments->curve);
  command->add_flag("-v,--verbose", arguments->verbose, "The reply's headers on standard error");
  command->footer(
      "Examples:\n"
      "  spanwire call tcp://127.0.0.1:7001 echo --data hello\n"
      "  spanwire call tcp://10.0.0.7:7001 llm/generate --stream --file request.json --timeout 2m\n"
      "  spanwire call tcp://10.0.0.7:7001 llm/embed --header tenant=blue --header\n"
      "      traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"
      "  spanwire call dynamo+tcp://10.0.0.7:7001 1a2b/ns/backend/generate --file request.bin\n"
      "\n"
      "With SPANWIRE_TRACES_FILE set, the call's span is written there.  The exit code is 1 when\n"
      "the call fails; standard error says what broke, where, and how far the call had got.");
  command->callback([arguments, &exit_code] { exit_code = call(*arguments); });
}

}  // namespace spanwire::tools
