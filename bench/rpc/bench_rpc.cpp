// Our calls, measured as the floor measures its own: unary at any size and number in flight, and
// messages one way (--oneway): in a stream, or from a Pusher to a Puller (--zmq).  --sample R
// records that share of calls, drained by an exporter that counts or, with --otlp, sent over HTTP
// by both processes to a third.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "bench/support/echo.hpp"
#include "bench/support/otlp_sink.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/sampler.hpp"
#include "spanwire/trace/wire_carrier.hpp"
#include "spanwire/wire/headers.hpp"

namespace {

using namespace spanwire;  // NOLINT: a program
using bench::EchoOptions;
using bench::EchoShared;
using bench::Meter;

constexpr std::string_view kTracestate = "vendor=opaque,other=00f067aa0ba902b7";
constexpr std::string_view kRequestId = "req-0123456789abcdef";

// Takes every batch and keeps its number.
class CountingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "counting"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime /*deadline*/) override {
    exported_ += spans.size();
    return {spans.size(), Error()};
  }

 private:
  std::uint64_t exported_ = 0;
};

// Of both processes; null without --otlp.
const bench::OtlpSink* backend = nullptr;

std::unique_ptr<trace::Exporter> exporter() {
  if (backend == nullptr) return std::make_unique<CountingExporter>();
  otlp::OtlpOptions options;
  options.endpoint = backend->url();
  return std::make_unique<otlp::OtlpExporter>(std::move(options));
}

void start_tracing(const EchoOptions& options) {
  if (options.sample < 0) return;
  trace::ProviderOptions provider;
  provider.sampler = trace::parent_based(trace::trace_id_ratio(options.sample));
  provider.exporters.push_back(exporter());
  // So that a short run has batches on their way from its beginning.
  if (backend != nullptr) provider.schedule_delay = std::chrono::milliseconds(50);
  trace::init(std::move(provider));
}

// A backend that answers has got spans, and nothing was lost on the way; one that does not has not.
void check_backend() {
  if (backend == nullptr) return;
  const trace::FlushReport report = trace::provider()->shutdown(std::chrono::seconds(1));
  const bool answers = backend->requests() != 0;
  if (answers == report.complete() && answers == (backend->spans() != 0)) return;
  std::fprintf(stderr, "bench_rpc: %s\n", report.to_string().c_str());
  std::abort();
}

std::string address_at(const EchoOptions& options, int port) {
  return (options.zmq ? "zmq+tcp://127.0.0.1:" : "tcp://127.0.0.1:") + std::to_string(port);
}

EchoShared* shared_counts = nullptr;
std::uint64_t served = 0;

void count_served() { shared_counts->count_served(++served); }

Task<rpc::Status> echo_call(rpc::Call& call) {
  count_served();
  call.reply(call.payload());
  co_return rpc::Status::ok();
}

Task<rpc::Status> sink_stream(rpc::Call& call) {
  for (;;) {
    const Result<std::optional<Slice>> message = co_await call.read();
    if (!message || !*message) co_return rpc::Status::ok();
    count_served();
  }
}

Task<void> take_messages(rpc::Puller* puller) {
  for (;;) {
    const Result<rpc::Message> message = co_await puller->receive();
    if (!message) co_return;
    count_served();
  }
}

void pull(const EchoOptions& options, const std::function<void(int)>& ready) {
  rpc::Runtime runtime;
  rpc::Puller puller(runtime, rpc::OneWayOptions().listen(address_at(options, 0)));
  if (!puller.start()) std::abort();
  const std::string bound = puller.addresses().at(0);
  ready(std::atoi(bound.substr(bound.rfind(':') + 1).c_str()));
  static_cast<void>(runtime.block_on(take_messages(&puller)));
}

void serve(const EchoOptions& options, EchoShared& shared, const std::function<void(int)>& ready) {
  shared_counts = &shared;
  start_tracing(options);
  if (options.oneway && options.zmq) return pull(options, ready);
  rpc::Runtime runtime;
  rpc::ServerOptions server_options;
  rpc::Server server(runtime, server_options);
  server.handle("bench/echo", echo_call);
  server.handle("bench/sink", sink_stream);
  const Result<std::string> bound = server.listen(address_at(options, 0));
  if (!bound || !server.start()) std::abort();
  ready(std::atoi(bound->substr(bound->rfind(':') + 1).c_str()));
  static_cast<void>(server.run_until_signal());
}

// A context as it comes out of headers like those that the floor writes.
trace::Context context_of_headers(bool sampled) {
  Random& random = Random::of_thread();
  const std::string block =
      R"({"traceparent":"00-)" + trace::TraceId::generate(random).hex().str() + "-" +
      trace::SpanId::generate(random).hex().str() + (sampled ? "-01" : "-00") +
      R"(","tracestate":")" + std::string(kTracestate) + R"(","x-request-id":")" +
      std::string(kRequestId) + R"("})";
  wire::HeaderList headers;
  if (headers.parse(bytes_of(block)) != Errc::ok) std::abort();
  return trace::extract(headers).context();
}

// The contexts of calls, in turn, sampled as often as was asked for.
std::vector<trace::Context> contexts_of(const EchoOptions& options) {
  constexpr unsigned kContexts = 100;
  std::vector<trace::Context> contexts;
  for (unsigned i = 0; i < kContexts; ++i) {
    const bool sampled = i < options.sample * kContexts;
    contexts.push_back(options.json ? context_of_headers(sampled) : trace::Context());
  }
  return contexts;
}

Task<void> caller(rpc::Client* client, const std::vector<trace::Context>* contexts, Slice payload,
                  Meter* meter, std::size_t first) {
  for (std::size_t i = first; !meter->stop(); i = i + 1 == contexts->size() ? 0 : i + 1) {
    const std::uint64_t begin = meter->begin();
    const Result<rpc::Reply> reply = co_await client->call((*contexts)[i], "bench/echo", payload);
    if (!reply || reply->payload().size() != payload.size()) std::abort();
    meter->hit(begin);
  }
}

Task<void> callers(rpc::Client* client, const std::vector<trace::Context>* contexts, Slice payload,
                   Meter* meter, unsigned count) {
  std::vector<Task<void>> tasks;
  for (unsigned i = 0; i < count; ++i) {
    tasks.push_back(caller(client, contexts, payload, meter, i % contexts->size()));
  }
  co_await when_all(std::move(tasks));
}

Task<void> sender(rpc::Client* client, trace::Context context, Slice payload, Meter* meter) {
  Result<rpc::Stream> stream = co_await client->open(context, "bench/sink", Slice());
  if (!stream) std::abort();
  while (!meter->stop()) {
    Slice message = payload;
    if (stream->try_write(message) != rpc::TryWrite::ok) {
      const Result<void> written = co_await stream->write(std::move(message));
      if (!written) std::abort();
    }
    meter->hit(0);
  }
}

Task<void> push_messages(rpc::Pusher* pusher, const std::vector<trace::Context>* contexts,
                         Slice payload, Meter* meter) {
  for (std::size_t i = 0; !meter->stop(); i = i + 1 == contexts->size() ? 0 : i + 1) {
    // As whoever shares a loop must.
    if (i % 64 == 0) co_await yield();
    if (!pusher->try_push((*contexts)[i], "bench/echo", payload)) {
      const Result<void> pushed = co_await pusher->push((*contexts)[i], "bench/echo", payload);
      if (!pushed) std::abort();
    }
    meter->hit(0);
  }
}

// Constant for the whole run, as the floor's is.
Slice payload_of(const EchoOptions& options) {
  static const std::string bytes(options.payload, 'x');
  return Slice::of_static(bytes);
}

void push(const EchoOptions& options, int port, Meter& meter) {
  rpc::Runtime runtime;
  rpc::Pusher pusher(runtime, rpc::OneWayOptions().connect(address_at(options, port)));
  if (!pusher.start() || !pusher.connected_blocking({})) std::abort();
  const std::vector<trace::Context> contexts = contexts_of(options);
  static_cast<void>(
      runtime.block_on(push_messages(&pusher, &contexts, payload_of(options), &meter)));
}

void call(const EchoOptions& options, int port, Meter& meter) {
  start_tracing(options);
  if (options.oneway && options.zmq) return push(options, port, meter);
  rpc::Runtime runtime;
  rpc::ClientOptions client_options;
  client_options.connections_per_endpoint_max = 1;
  rpc::Client client(runtime, address_at(options, port), client_options);
  const std::vector<trace::Context> contexts = contexts_of(options);
  const Slice payload = payload_of(options);
  Task<void> work = options.oneway ? sender(&client, contexts.front(), payload, &meter)
                                   : callers(&client, &contexts, payload, &meter, options.inflight);
  static_cast<void>(runtime.block_on(std::move(work)));
  check_backend();
}

}  // namespace

int main(int argc, char** argv) {
  const EchoOptions options = bench::echo_options(argc, argv);
  std::optional<bench::OtlpSink> sink;
  if (!options.otlp.empty()) backend = &sink.emplace(bench::sink_kind(options.otlp));
  return bench::echo_main(options, serve, call);
}
