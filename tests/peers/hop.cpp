// One hop: takes headers as a JSON object, serves them with a span, makes a call from within it,
// and prints the headers that the call would carry.
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "spanwire/otlp/environment.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"

int main(int argc, char** argv) {
  using namespace spanwire;
  if (argc != 2) return 2;
  trace::Provider* provider = otlp::init_from_env();
  if (provider == nullptr) return 2;
  const nlohmann::json given = nlohmann::json::parse(argv[1]);
  const std::map<std::string, std::string> incoming = given;
  const trace::Context caller = trace::extract(incoming).context();
  const trace::Tracer tracer = trace::tracer("peers.hop");
  std::map<std::string, std::string> outgoing;
  {
    const trace::Span served = tracer.start(caller, "served", trace::SpanKind::server);
    const trace::Context inside = caller.with_span(served.context());
    const trace::Span called = tracer.start(inside, "called", trace::SpanKind::client);
    trace::inject(inside.with_span(called.context()), outgoing);
  }
  std::printf("%s\n", nlohmann::json(outgoing).dump().c_str());
  return provider->shutdown(std::chrono::seconds(30)).complete() ? 0 : 1;
}
