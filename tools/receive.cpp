// spanwire receive: takes spans as a collector would, and shows them.
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "tools/command.hpp"
#include "tools/receive/forwarder.hpp"
#include "tools/receive/http1_connection.hpp"
#include "tools/receive/http2_connection.hpp"
#include "tools/receive/listener.hpp"
#include "tools/receive/receiver.hpp"
#include "tools/receive/trace_folder.hpp"

namespace spanwire::tools {
namespace {

// How often finished traces are looked for.
constexpr long kLookNs = 50'000'000;
// Beside those of clients: files, the next collector.
constexpr rlim_t kDescriptors = 2 * kConnectionsMax + 100;

struct ReceiveArguments {
  std::string host = "127.0.0.1";
  int grpc_port = 4317;
  int http_port = 4318;
  std::string to;
  std::string output;
  std::string file_max = "1024M";
  std::string memory = "256M";
  std::string body_max = "16M";
  std::string settle = "1s";
  std::string patience = "11s";
  std::string request_time = "30s";
  std::string to_memory = "64M";
  std::string to_wait = "10s";
  std::size_t rows = 200;
  bool no_files = false;
  bool quiet = false;
  bool verify = false;
};

inspect::TextOptions text_options(const ReceiveArguments& arguments) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size.ws_col = 0;
  inspect::TextOptions text = inspect::text_options(
      is_terminal, size.ws_col, [](const char* name) -> const char* { return std::getenv(name); });
  text.rows_max = arguments.rows;
  return text;
}

ReceiverOptions receiver_options(const ReceiveArguments& arguments) {
  ReceiverOptions options;
  options.live.memory_bytes_max = parse_bytes(arguments.memory).value();
  options.live.settle = parse_duration(arguments.settle).value();
  options.live.patience = parse_duration(arguments.patience).value();
  options.body_bytes_max = parse_bytes(arguments.body_max).value();
  options.text = text_options(arguments);
  options.draw = !arguments.quiet;
  options.verify = arguments.verify;
  return options;
}

Result<std::unique_ptr<TraceFolder>> open_folder(const ReceiveArguments& arguments) {
  std::string path = arguments.output;
  if (path.empty()) {
    path = (std::filesystem::temp_directory_path() / "spanwire-receive-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return fail(Errc::file_open_failed, path);
  }
  return TraceFolder::open(path, parse_bytes(arguments.file_max).value());
}

sigset_t stop_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  return signals;
}

void put(std::string_view text) {
  print(text);
  std::fflush(stdout);
}

void show_until_stopped(Receiver& receiver) {
  const sigset_t signals = stop_signals();
  const timespec look{0, kLookNs};
  while (::sigtimedwait(&signals, nullptr, &look) < 0) {
    if (const std::string text = receiver.settle(); !text.empty()) put(text);
    receiver.refresh_page();
  }
}

// The lines that say where.
Result<std::string> listen(const ReceiveArguments& arguments, Listener& grpc, Listener& http) {
  std::string host = arguments.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  SPANWIRE_TRY(const int grpc_port, grpc.start(host, arguments.grpc_port));
  SPANWIRE_TRY(const int http_port, http.start(host, arguments.http_port));
  if (host.find(':') != std::string::npos) host = '[' + host + ']';
  const std::string at = "listening on http://" + host + ':';
  return at + std::to_string(grpc_port) + " for OTLP over gRPC\n" + at + std::to_string(http_port) +
         " for OTLP over HTTP\n";
}

template <class Kind>
Listener::Make connections_of(Receiver& receiver) {
  return [&receiver](asio::ip::tcp::socket socket, Connection::Closed closed) {
    return std::make_shared<Kind>(std::move(socket), receiver, std::move(closed));
  };
}

// Two ports full of clients need more descriptors than a shell gives.
void allow_connections() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, kDescriptors));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int receive(const ReceiveArguments& arguments) {
  allow_connections();
  // Of every thread that is started from here on: the signals are this one's.
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::unique_ptr<TraceFolder> folder;
  if (!arguments.no_files) {
    Result<std::unique_ptr<TraceFolder>> opened = open_folder(arguments);
    if (!opened) {
      complain(opened.error().message());
      return kExitFailed;
    }
    folder = std::move(*opened);
  }
  std::unique_ptr<Forwarder> forwarder;
  if (!arguments.to.empty()) {
    Result<otlp::OtlpOptions> options = forward_options(arguments.to, otlp::process_environment());
    if (!options) {
      complain("--to: " + options.error().message());
      return kExitUsage;
    }
    ForwardBounds bounds;
    bounds.waiting_bytes_max = parse_bytes(arguments.to_memory).value();
    bounds.at_end = parse_duration(arguments.to_wait).value();
    forwarder = std::make_unique<Forwarder>(std::move(*options), bounds);
  }
  Receiver receiver(receiver_options(arguments), folder.get(), forwarder.get());
  const auto request_time = parse_duration(arguments.request_time).value();
  Listener grpc("gRPC", receiver, request_time, connections_of<Http2Connection>(receiver));
  Listener http("HTTP", receiver, request_time, connections_of<Http1Connection>(receiver));
  const Result<std::string> ready = listen(arguments, grpc, http);
  if (!ready) {
    complain(ready.error().message());
    return kExitFailed;
  }
  put(*ready + (folder ? "writing to " + folder->path() + '\n' : std::string()) + '\n');
  show_until_stopped(receiver);
  grpc.stop();
  http.stop();
  put(receiver.finish());
  put(receiver.summary() + '\n');
  if (folder) put("in " + folder->path() + ": traces.jsonl, trace.html\n");
  if (forwarder) {
    forwarder->stop();
    put(forwarder->summary() + '\n');
    if (!forwarder->all_delivered()) return kExitFailed;
  }
  return receiver.good() ? kExitOk : kExitFailed;
}

void add_bounds(CLI::App& command, ReceiveArguments& to) {
  command.add_option("--rows", to.rows, "Lines of a tree")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--memory", to.memory, "For spans; the oldest traces make room")
      ->type_name("BYTES")
      ->capture_default_str()
      ->check(bytes_check());
  command.add_option("--body-max", to.body_max, "Of one request, unpacked")
      ->type_name("BYTES")
      ->capture_default_str()
      ->check(bytes_check());
  command.add_option("--request-time", to.request_time, "A client that is slower is cut off")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command.add_option("--to-memory", to.to_memory, "For what waits to be forwarded")
      ->type_name("BYTES")
      ->capture_default_str()
      ->check(bytes_check());
  command.add_option("--to-wait", to.to_wait, "For what still waits when the command ends")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command.add_option("--file-max", to.file_max, "Of traces.jsonl; one older file is kept")
      ->type_name("BYTES")
      ->capture_default_str()
      ->check(bytes_check());
}

}  // namespace

void add_receive(CLI::App& app, int& exit_code) {
  const auto to = std::make_shared<ReceiveArguments>();
  CLI::App* command =
      app.add_subcommand("receive", "Take spans as a collector does, and show each trace");
  command->add_option("--host", to->host, "Where to listen")->capture_default_str();
  command->add_option("--grpc-port", to->grpc_port, "OTLP over gRPC; 0 is any free one")
      ->type_name("PORT")
      ->capture_default_str()
      ->check(CLI::Range(0, 65'535));
  command->add_option("--http-port", to->http_port, "OTLP over HTTP; 0 is any free one")
      ->type_name("PORT")
      ->capture_default_str()
      ->check(CLI::Range(0, 65'535));
  command
      ->add_option("--output", to->output,
                   "Folder for traces.jsonl and trace.html; default: a new one")
      ->type_name("DIR");
  command->add_flag("--no-files", to->no_files, "Keep nothing");
  command->add_flag("--quiet", to->quiet, "No trees");
  command
      ->add_option("--to", to->to,
                   "Forward it too, to a collector: http://HOST:4318 is OTLP over HTTP,\n"
                   "http://HOST:4317 and grpc://HOST:PORT are gRPC")
      ->type_name("URL");
  command->add_flag("--verify", to->verify, "Judge each trace as spanwire verify does");
  command->add_option("--settle", to->settle, "A whole trace is shown after so much silence")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command
      ->add_option("--patience", to->patience, "One that lacks its root or parents, after so much")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  add_bounds(*command, *to);
  command->footer(
      "Examples:\n"
      "  spanwire receive\n"
      "  spanwire receive --verify --output traces     # exit code 1 if a trace is not sound\n"
      "\n"
      "  spanwire receive --grpc-port 14317 --http-port 14318 --to http://localhost:4317\n"
      "  spanwire receive --grpc-port 0 --http-port 0 --no-files\n"
      "\n"
      "Then, for the program that traces: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317, or\n"
      "--otlp-traces-endpoint http://localhost:4317 for vLLM and SGLang.\n"
      "A trace is shown when nothing came for a while, and once more when spans come later.\n"
      "trace.html is written anew while traces come: reload it.\n"
      "Forwarding repeats what is not taken, and splits what is too large; while\n"
      "--to-memory waits, senders are told to wait too.  Headers, certificates, compression and "
      "timeout are those of\n"
      "OTEL_EXPORTER_OTLP_*.  Exit code 1 if a span was not delivered there.\n"
      "Ends at SIGINT or SIGTERM, when what came is answered, shown and written.");
  command->callback([to, &exit_code] { exit_code = receive(*to); });
}

}  // namespace spanwire::tools
