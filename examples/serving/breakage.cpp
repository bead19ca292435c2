#include "examples/serving/breakage.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "spanwire/trace/provider.hpp"

namespace serving {

namespace trace = spanwire::trace;

namespace {

Breakage breakage = Breakage::none;

// Passes the signals that end it on to the child, and ends as that does.
[[noreturn]] void stand_before(pid_t child) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  for (int status = 0;;) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal == SIGCHLD && ::waitpid(child, &status, WNOHANG) == child) {
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    if (signal != SIGCHLD) ::kill(child, signal);
  }
}

}  // namespace

void break_process(std::string_view name) {
  if (name == "headers") breakage = Breakage::headers;
  if (name == "flags") breakage = Breakage::flags;
  if (name == "relay") breakage = Breakage::relay;
  if (name == "fork") breakage = Breakage::fork;
  if (breakage == Breakage::relay) ::setenv("OTEL_SDK_DISABLED", "true", 1);
  if (breakage == Breakage::fork) {
    if (const pid_t child = ::fork(); child > 0) stand_before(child);
  }
}

void break_tracing() {
  if (breakage != Breakage::fork) return;
  // Spans are recorded and nobody takes them: what a child has of an exporter that was started
  // before the fork.  (One of Spanwire's would start again.)
  if (trace::Provider* provider = trace::provider())
    provider->shutdown(std::chrono::nanoseconds(0));
}

spanwire::rpc::ListenOptions broken_listen_options() {
  spanwire::rpc::ListenOptions options;
  if (breakage == Breakage::headers) options.trust = trace::TrustRemote::ignore;
  return options;
}

trace::Context handed_on(const trace::Context& context) {
  if (breakage == Breakage::relay) return context.with_span(trace::SpanContext());
  if (breakage != Breakage::flags) return context;
  const trace::SpanContext& span = context.span();
  return context.with_span(trace::SpanContext(span.trace_id(), span.span_id(), 0x01));
}

}  // namespace serving
