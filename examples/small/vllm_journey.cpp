// A request as vLLM traces it: llm_request in the API server, llm_core in the scheduler, here two
// processes with a pipe between them; the numbers of both as text for Prometheus.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "spanwire/base/metrics_text.hpp"
#include "spanwire/journey/vllm.hpp"
#include "spanwire/journey/vllm_validate.hpp"
#include "spanwire/trace/memory_exporter.hpp"

using namespace spanwire;  // NOLINT: an example
using journey::VllmPhase;

namespace {

constexpr const char* kEndpoint = "http://localhost:4317";  // what the log says

using Carrier = std::map<std::string, std::string>;

// Lines of "name=value": any way to move a map will do.
bool send(int to, const Carrier& carrier) {
  std::string text;
  for (const auto& [key, value] : carrier) text.append(key).append("=").append(value) += '\n';
  return write(to, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Carrier receive(int from) {
  char buffer[4096];
  const ssize_t got = read(from, buffer, sizeof buffer);
  std::string text(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  Carrier carrier;
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    const std::size_t equals = text.find('=');
    carrier[text.substr(0, equals)] = text.substr(equals + 1, end - equals - 1);
  }
  return carrier;
}

trace::ProviderOptions keep_spans(const std::shared_ptr<trace::SpanStore>& store) {
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<trace::MemoryExporter>(store));
  return options;
}

// The scheduler: queued, computed, preempted once, finished.  Returns how many spans it exported.
int run_scheduler(int from_api) {
  const auto store = std::make_shared<trace::SpanStore>();
  journey::init_vllm(journey::VllmScope::scheduler, kEndpoint, keep_spans(store));
  const journey::RouteNumbers numbers =
      journey::route_numbers("/v1/chat/completions", {journey::Profile::vllm, "demo"});
  journey::VllmCore core = journey::VllmCore::from(receive(from_api), "req-1", {{}, &numbers});
  core.queued({1, {VllmPhase::waiting, 0, 12, 0, 40, 0}, {}});
  core.scheduled(journey::VllmSchedule::first, {2, {VllmPhase::prefill, 0, 12, 0, 40, 0}, {}});
  core.first_token({3, {VllmPhase::decode, 12, 12, 1, 40, 0}, {}});
  core.preempted({4, {VllmPhase::decode, 12, 12, 1, 40, 1}, {}});
  core.scheduled(journey::VllmSchedule::resume, {7, {VllmPhase::decode, 12, 12, 1, 40, 1}, {}});
  core.tokens(1, Clock::system().monotonic());
  core.finished(journey::VllmFinish::stopped, {8, {VllmPhase::decode, 12, 12, 2, 40, 1}, {}});
  std::printf("%s", metrics_text(metrics_snapshot(), MetricsFormat::openmetrics).c_str());
  std::fflush(stdout);
  return static_cast<int>(trace::provider()->shutdown(std::chrono::seconds(5)).exported);
}

}  // namespace

int main() {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  const pid_t scheduler = fork();
  if (scheduler == 0) _exit(run_scheduler(ends[0]) == 1 ? 0 : 1);

  const auto store = std::make_shared<trace::SpanStore>();
  journey::init_vllm(journey::VllmScope::api, kEndpoint, keep_spans(store));
  journey::VllmRequest request = journey::VllmRequest::start(trace::Context(), "req-1");
  request.set(journey::GenAi::request_model, "demo");
  Carrier carrier;
  request.inject(carrier);
  if (!send(ends[1], carrier)) return 1;
  request.handoff_to_core();
  int status = 1;
  waitpid(scheduler, &status, 0);
  request.first_response_from_core();
  request.departed({{12, 2, 0}, journey::Outcome::stop, "demo", {}});

  trace::provider()->shutdown(std::chrono::seconds(5));
  // The other half is in the other process: that it is missing here is all there is to say.
  const auto found = journey::validate_vllm(store->spans());
  for (const journey::VllmViolation& violation : found) {
    std::printf("%s\n", violation.to_string().c_str());
  }
  const bool only_half = found.size() == 1 && found[0].rule == Errc::journey_incomplete;
  return status == 0 && store->size() == 1 && only_half ? 0 : 1;
}
