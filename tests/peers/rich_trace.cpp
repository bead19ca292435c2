// Records a trace that has everything a trace can have, exports it as the environment says, and
// prints its id.  Ends with 0 if all of it was delivered.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "spanwire/otlp/environment.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"

namespace {

using namespace spanwire;
using trace::Context;
using trace::Span;
using trace::SpanKind;
using trace::StatusCode;

constexpr std::chrono::seconds kShutdownMax{30};

void set_every_type(Span& span) {
  const std::vector<std::string> texts = {"a", "", "\xE2\x82\xAC"};
  const bool flags[] = {true, false};
  const std::vector<std::int64_t> integers = {1, -2};
  const std::vector<double> reals = {0.5, -1.0};
  span.set("text", "x").set("empty", "").set("yes", true).set("no", false);
  span.set("least", std::numeric_limits<std::int64_t>::min()).set("zero", 0).set("real", 1e300);
  span.set("infinite", std::numeric_limits<double>::infinity()).set("nan", std::nan(""));
  span.set("texts", texts).set("flags", flags).set("integers", integers).set("reals", reals);
  span.set("none", std::vector<std::int64_t>());
  span.set("emoji", "\xF0\x9F\x98\x80").set("broken", std::string("a\xFFz"));
}

void record(const Context& caller) {
  const trace::Tracer tracer = trace::tracer("peers.rich", "1.2", "https://example.org/schema");
  const trace::SpanContext linked(trace::TraceId::generate(Random::of_thread()),
                                  trace::SpanId::generate(Random::of_thread()), 1, true);
  const trace::Attribute why("why", "batched with");
  const trace::Link link{linked, "other=1", {&why, 1}};
  trace::SpanOptions options;
  options.kind = SpanKind::server;
  options.links = {&link, 1};
  Span server = tracer.start(caller, "server", options);
  const Context inside = caller.with_span(server.context());
  set_every_type(server);
  server.add_event("first", {{"n", 1}, {"text", "\xC3\xA9"}}).add_event("second");
  for (const SpanKind kind : {SpanKind::internal, SpanKind::client, SpanKind::producer}) {
    Span child = tracer.start(inside, "child " + std::to_string(static_cast<int>(kind)), kind);
    if (kind == SpanKind::client) child.set_status(StatusCode::error, "it broke");
    if (kind == SpanKind::producer) child.set_status(StatusCode::ok);
  }
  Span full = trace::tracer("peers.other").start(inside, "full", SpanKind::consumer);
  for (int i = 0; i < 200; ++i) {
    full.set("key " + std::to_string(i), i).add_event("event " + std::to_string(i));
  }
}

}  // namespace

int main(int argc, char** argv) {
  trace::Provider* provider = otlp::init_from_env();
  if (provider == nullptr) return 2;
  std::vector<std::pair<std::string, std::string>> headers;
  if (argc > 1) headers.emplace_back("traceparent", argv[1]);
  if (argc > 2) headers.emplace_back("tracestate", argv[2]);
  record(trace::extract(headers).context());
  const trace::FlushReport report = provider->shutdown(kShutdownMax);
  std::printf("%s\n", report.to_string().c_str());
  return report.complete() ? 0 : 1;
}
