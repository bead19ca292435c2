#include "examples/serving/process.hpp"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "spanwire/base/log.hpp"
#include "spanwire/journey/settings.hpp"
#include "spanwire/otlp/engine_flags.hpp"
#include "spanwire/rpc/failure.hpp"
#include "spanwire/trace/provider.hpp"

namespace serving {
namespace {

constexpr std::chrono::seconds kShutdownMax{2};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// An endpoint alone asks for requests, as in vLLM; SGLang's --enable-trace for all there is.
void set_detail(int count, const char* const* arguments) {
  std::vector<std::string> warnings;  // init_from_args() logs them
  const spanwire::otlp::EngineFlags flags =
      spanwire::otlp::read_engine_flags({arguments, static_cast<std::size_t>(count)},
                                        spanwire::otlp::process_environment(), warnings);
  const bool requests_only = flags.any() && !flags.enable_trace && flags.detailed.empty();
  if (requests_only) spanwire::journey::set_trace_level(spanwire::journey::kUsual);
  if (flags.trace_modules && !spanwire::journey::set_trace_modules(*flags.trace_modules)) {
    spanwire::log_warn("more modules than can be told apart: all are traced");
  }
}

}  // namespace

const spanwire::trace::Tracer& tracer() {
  static const spanwire::trace::Tracer serving =
      spanwire::trace::tracer("spanwire.example.serving");
  return serving;
}

Process::Process(std::string_view name, int count, const char* const* arguments) {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  ::setenv("OTEL_SERVICE_NAME", std::string(name).c_str(), 0);
  set_detail(count, arguments);
  const spanwire::trace::Provider* provider = spanwire::otlp::init_from_args(count, arguments);
  const spanwire::trace::Resource resource =
      provider != nullptr ? provider->resource() : spanwire::trace::Resource::of_process();
  if (const std::string* id = resource.text("service.instance.id")) instance_id_ = *id;
}

Process::~Process() {
  if (spanwire::trace::Provider* provider = spanwire::trace::provider()) {
    const spanwire::trace::FlushReport report = provider->shutdown(kShutdownMax);
    if (!report.complete()) std::fprintf(stderr, "tracing: %s\n", report.to_string().c_str());
  }
}

void Process::say_ready(std::string_view address) const {
  std::printf("ready %.*s\n", static_cast<int>(address.size()), address.data());
  std::fflush(stdout);
}

void Process::wait_for_signal() const {
  const sigset_t signals = stop_signals();
  int signal = 0;
  ::sigwait(&signals, &signal);
}

spanwire::rpc::Status status_of(const spanwire::Error& error) {
  return {spanwire::rpc::status_of(error), std::string(error.detail())};
}

int complain(std::string_view program, std::string_view what) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(program.size()), program.data(),
               static_cast<int>(what.size()), what.data());
  return 1;
}

}  // namespace serving
