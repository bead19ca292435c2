// A request as vLLM traces it, over a call: the API server and the scheduler are a client and a
// server.  The call has spans of its own; llm_core stands directly under llm_request all the same.
#include <cstdio>
#include <memory>

#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/vllm.hpp"
#include "spanwire/journey/vllm_validate.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/memory_exporter.hpp"

using namespace spanwire;  // NOLINT: an example
using journey::VllmPhase;

namespace {

constexpr const char* kId = "req-1";

// llm_request, with what else came along; the caller's where the journey is not traced.
trace::Context from_api(const rpc::Call& call) {
  journey::PropagateContext above;
  if (const auto header = call.header(journey::kPropagateHeader)) {
    journey::read_text(*header, above);
  }
  return above ? call.context().with_span(above.request.span()) : call.context();
}

Task<rpc::Status> schedule(rpc::Call& call) {
  journey::VllmCore core = journey::VllmCore::start(
      from_api(call), call.header(journey::kVllmSampledHeader).value_or(""), kId);
  core.queued({1, {VllmPhase::waiting, 0, 12, 0, 40, 0}, {}});
  core.scheduled(journey::VllmSchedule::first, {2, {VllmPhase::prefill, 0, 12, 0, 40, 0}, {}});
  core.first_token({3, {VllmPhase::decode, 12, 12, 1, 40, 0}, {}});
  core.finished(journey::VllmFinish::stopped, {4, {VllmPhase::decode, 12, 12, 1, 40, 0}, {}});
  call.reply(call.payload());
  co_return rpc::Status::ok();
}

// True if the scheduler answered.
bool ask(rpc::Client& client) {
  journey::VllmRequest request = journey::VllmRequest::start(trace::Context(), kId);
  rpc::CallOptions options;
  if (request.sampled()) {
    options.headers.set(journey::kVllmSampledHeader, request.sampled_header());
    options.headers.set(journey::kPropagateHeader,
                        journey::to_text({request.core_context(), {}}).view());
  }
  request.handoff_to_core();
  const Result<rpc::Reply> reply =
      client.call_blocking(request.core_context(), "llm/core", Slice::copy_of("hello"), options);
  request.first_response_from_core();
  request.departed({{12, 1, 0}, journey::Outcome::stop, "demo", {}});
  return reply.has_value();
}

}  // namespace

int main() {
  const auto store = std::make_shared<trace::SpanStore>();
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<trace::MemoryExporter>(store));
  trace::init(std::move(options));
  bool answered = false;
  {
    rpc::Runtime runtime;
    rpc::Server server(runtime);
    server.handle("llm/core", schedule);
    const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
    if (!address || !server.start()) return 1;
    rpc::Client client(runtime, *address);
    answered = ask(client);
  }
  trace::provider()->shutdown(std::chrono::seconds(5));
  const auto found = journey::validate_vllm(store->spans());
  for (const journey::VllmViolation& violation : found) {
    std::printf("%s\n", violation.to_string().c_str());
  }
  std::printf("%zu spans\n", store->size());
  return answered && found.empty() && store->size() >= 4 ? 0 : 1;
}
