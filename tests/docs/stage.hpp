// What the documents' pieces of code stand on: the names that they take for granted, of the types
// that they have there.  tests/docs/pieces_test.py puts each piece behind it and compiles it.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/metrics.hpp"
#include "spanwire/base/metrics_text.hpp"
#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/journey/numbers.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/stages.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/journey/vllm.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"

using namespace spanwire;
using rpc::Client;
using rpc::Server;
using rpc::ServerOptions;

struct Batch {};
void run_forward(const Batch& batch);
struct EngineMessage {
  std::string journey;
};

extern const trace::Tracer kTracer;
extern rpc::Runtime runtime;
extern rpc::Client client;
extern rpc::Call call;
extern const Slice payload;
extern const Slice question;
extern const Batch batch;
extern EngineMessage message;
extern const std::map<std::string, std::string> http_headers;
extern const std::string_view rid;
extern const std::int64_t step;
extern const MonotonicTime begin, end, arrived, now, then;
extern const journey::RouteNumbers route;
extern const std::uint64_t took_ns;
extern const Exemplar exemplar;
