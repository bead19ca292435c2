// rpc.client.call.duration and rpc.server.call.duration: labels, buckets, bounds.
#include <thread>

#include "spanwire/base/metrics_text.hpp"
#include "spanwire/trace/provider.hpp"
#include "tests/rpc/collected_spans.hpp"
#include "tests/rpc/counted.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::rpc {
namespace {

constexpr std::string_view kClient = "rpc_client_call_duration_seconds";
constexpr std::string_view kServer = "rpc_server_call_duration_seconds";

class CallMetrics : public RpcTest {
 protected:
  // Calls of this method that ended so, and the series' latest exemplar.
  struct Seen {
    std::uint64_t count = 0;
    Exemplar exemplar;
  };
  static Seen seen(std::string_view family, std::string_view method, std::string_view status) {
    const MetricsSnapshot snapshot = metrics_snapshot();
    const FamilyReading* reading = snapshot.family(family);
    if (reading == nullptr) return {};
    const SeriesReading* series =
        reading->find({"spanwire", method, status, status == "OK" ? "" : status});
    if (series == nullptr) return {};
    Seen found{series->count, {}};
    for (const ExemplarReading& exemplar : series->exemplars) {
      if (exemplar.exemplar.has_trace()) found.exemplar = exemplar.exemplar;
    }
    return found;
  }
  static std::uint64_t count(std::string_view family, std::string_view method,
                             std::string_view status) {
    return seen(family, method, status).count;
  }
};

TEST_F(CallMetrics, EachMethodAndStatusHasASeriesAtBothSides) {
  client();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(call("test/echo", "x"));
  // The same path, elsewhere in memory each time.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(call(std::string("test/") + "upper", "x"));
  EXPECT_FALSE(call("test/refuse", "x"));
  EXPECT_FALSE(call("test/throw", "x"));
  server_.reset();
  for (const std::string_view family : {kClient, kServer}) {
    EXPECT_EQ(count(family, "test/echo", "OK"), 3u) << family;
    EXPECT_EQ(count(family, "test/upper", "OK"), 2u) << family;
    EXPECT_EQ(count(family, "test/refuse", "FAILED_PRECONDITION"), 1u) << family;
    EXPECT_EQ(count(family, "test/throw", "UNKNOWN"), 1u) << family;
    EXPECT_EQ(count(family, "test/refuse", "OK"), 0u) << family;
  }
}

TEST_F(CallMetrics, WhatAShutdownCancelsOrRefusesIsCounted) {
  client();
  const std::uint64_t cancelled = count(kClient, "test/hang", "CANCELLED");
  const std::uint64_t refused = count(kClient, "test/hang", "UNAVAILABLE");
  std::thread caller([this] { EXPECT_FALSE(call("test/hang", "")); });
  EXPECT_TRUE(comes_true([this] { return server().running() == 1; }));
  EXPECT_EQ(client_->shutdown_blocking(std::chrono::milliseconds(1))->cancelled, 1u);
  caller.join();
  EXPECT_FALSE(call("test/hang", ""));
  EXPECT_EQ(count(kClient, "test/hang", "CANCELLED"), cancelled + 1);
  EXPECT_EQ(count(kClient, "test/hang", "UNAVAILABLE"), refused + 1);
}

TEST_F(CallMetrics, TheCallersDeadlineIsItsOwnStatus) {
  client();
  ASSERT_TRUE(call("test/echo", "connected"));
  // Long enough to get there on any machine.
  CallOptions options;
  options.timeout = std::chrono::milliseconds(500);
  EXPECT_FALSE(call("test/hang", "", options));
  // The caller does not wait for the server's end of the call.
  EXPECT_TRUE(comes_true([] { return count(kServer, "test/hang", "DEADLINE_EXCEEDED") != 0; }));
  server_.reset();
  EXPECT_EQ(count(kClient, "test/hang", "DEADLINE_EXCEEDED"), 1u);
  EXPECT_EQ(count(kServer, "test/hang", "DEADLINE_EXCEEDED"), 1u);
}

// What a caller invents is its own label at most.
TEST_F(CallMetrics, APathThatNobodyServesIsOther) {
  client();
  EXPECT_FALSE(call("test/invented", ""));
  EXPECT_FALSE(call("test/imagined", ""));
  server_.reset();
  EXPECT_EQ(count(kServer, "_OTHER", "UNIMPLEMENTED"), 2u);
  EXPECT_EQ(count(kServer, "test/invented", "UNIMPLEMENTED"), 0u);
  EXPECT_EQ(count(kClient, "test/invented", "UNIMPLEMENTED"), 1u);
}

TEST_F(CallMetrics, TheBucketsAreThoseOfTheConventions) {
  client();
  ASSERT_TRUE(call("test/echo", "x"));
  const MetricsSnapshot snapshot = metrics_snapshot();
  const std::vector<std::uint64_t> milliseconds = {5,   10,  25,   50,   75,   100,  250,
                                                   500, 750, 1000, 2500, 5000, 7500, 10000};
  for (const std::string_view family : {kClient, kServer}) {
    const FamilyReading* reading = snapshot.family(family);
    ASSERT_NE(reading, nullptr) << family;
    ASSERT_EQ(reading->bounds.size(), milliseconds.size());
    for (std::size_t i = 0; i < milliseconds.size(); ++i) {
      EXPECT_EQ(reading->bounds[i], milliseconds[i] * 1'000'000) << i;
    }
  }
  const std::string text = metrics_text(snapshot, MetricsFormat::prometheus);
  for (const char* line : {"# TYPE rpc_client_call_duration_seconds histogram\n",
                           "rpc_client_call_duration_seconds_bucket{rpc_system_name=\"spanwire\","
                           "rpc_method=\"test/echo\",rpc_status_code=\"OK\",le=\"0.005\"} ",
                           "rpc_server_call_duration_seconds_bucket{rpc_system_name=\"spanwire\","
                           "rpc_method=\"test/echo\",rpc_status_code=\"OK\",le=\"+Inf\"} 1\n",
                           "rpc_server_call_duration_seconds_count{rpc_system_name=\"spanwire\","
                           "rpc_method=\"test/echo\",rpc_status_code=\"OK\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
}

TEST_F(CallMetrics, ASampledCallIsTheExemplarOfItsBucket) {
  const auto store = std::make_shared<SpanStore>();
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<CollectingExporter>(store));
  trace::init(std::move(options));
  client();
  ASSERT_TRUE(call("test/echo", "x"));
  client_.reset();
  server_.reset();
  EXPECT_TRUE(trace::provider()->shutdown(kGuard).complete());
  const std::vector<CollectedSpan> spans = store->take();
  ASSERT_EQ(spans.size(), 2u);
  for (const CollectedSpan& span : spans) {
    const bool server = span.kind == trace::SpanKind::server;
    const Exemplar exemplar = seen(server ? kServer : kClient, "test/echo", "OK").exemplar;
    EXPECT_EQ(exemplar.trace_id, span.trace_id.bytes());
    EXPECT_EQ(exemplar.span_id, span.span_id.bytes());
  }
}

TEST_F(CallMetrics, ACallThatIsNotSampledIsNone) {
  client();
  ASSERT_TRUE(call("test/upper", "x"));
  server_.reset();
  EXPECT_EQ(count(kServer, "test/upper", "OK"), 1u);
  EXPECT_FALSE(seen(kServer, "test/upper", "OK").exemplar.has_trace());
}

// Whoever makes up paths fills neither the memory nor the answer to a scrape.  In a child, so that
// other tests find room.
TEST(CallMetricsBounds, BeyondTheLimitMethodsShareOneSeries) {
  const int wrong = testing::run_in_child([] {
    constexpr std::size_t kMethods = 2 * kCallSeriesMax;
    Runtime runtime;
    Client client(runtime, "tcp://127.0.0.1:1", ClientOptions());
    for (std::size_t i = 0; i < kMethods; ++i) {
      CallOptions options;
      options.timeout = std::chrono::nanoseconds(1);
      const std::string path = "made/up/" + std::to_string(i);
      if (client.call_blocking(trace::Context(), path, Slice(), options)) return 1;
    }
    const MetricsSnapshot snapshot = metrics_snapshot();
    const FamilyReading* family = snapshot.family(kClient);
    if (family == nullptr || family->overflow() == nullptr) return 2;
    if (family->series.size() != kCallSeriesMax) return 3;
    std::uint64_t total = 0;
    for (const SeriesReading& series : family->series) total += series.count;
    // Nothing that was counted is missing.
    return total == kMethods ? 0 : 4;
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace spanwire::rpc
