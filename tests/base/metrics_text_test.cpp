#include "spanwire/base/metrics_text.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace spanwire {
namespace {

Exemplar sample_exemplar() {
  Exemplar exemplar;
  for (std::size_t i = 0; i < 16; ++i) exemplar.trace_id[i] = static_cast<std::uint8_t>(i + 0xa0);
  for (std::size_t i = 0; i < 8; ++i) exemplar.span_id[i] = static_cast<std::uint8_t>(i + 1);
  exemplar.at = MonotonicTime(std::chrono::seconds(40));
  return exemplar;
}

// 2 s after the exemplar, at 1,700,000,002 s of the wall clock.
MetricsSnapshot snapshot_of(std::vector<FamilyReading> families) {
  MetricsSnapshot snapshot;
  snapshot.families = std::move(families);
  snapshot.monotonic = MonotonicTime(std::chrono::seconds(42));
  snapshot.wall = WallTime(std::chrono::seconds(1'700'000'002));
  return snapshot;
}

FamilyReading histogram() {
  FamilyReading family;
  family.name = "first_token_seconds";
  family.help = "Says \"when\"\nand \\ how.";
  family.type = MetricType::histogram;
  family.unit = MetricUnit::nanoseconds;
  family.labels = {"route"};
  family.bounds = {100'000'000, 1'000'000'000, 2'500'000'000};
  SeriesReading series;
  series.labels = {R"(a"b\c)"};
  series.buckets = {2, 0, 3, 1};
  series.exemplars.resize(4);
  series.exemplars[2] = {sample_exemplar(), 1'500'000'000};
  series.count = 6;
  series.sum = 12'000'000'001;
  family.series = {series};
  return family;
}

FamilyReading counter(std::string name, MetricType type = MetricType::counter) {
  FamilyReading family;
  family.name = std::move(name);
  family.type = type;
  family.labels = {"model", "route"};
  SeriesReading series;
  series.labels = {"llama", "/chat"};
  series.value = 12;
  family.series = {series};
  return family;
}

TEST(MetricsText, WritesHistogramsForPrometheus) {
  EXPECT_EQ(metrics_text(snapshot_of({histogram()}), MetricsFormat::prometheus),
            R"(# TYPE first_token_seconds histogram
# HELP first_token_seconds Says "when"\nand \\ how.
first_token_seconds_bucket{route="a\"b\\c",le="0.1"} 2
first_token_seconds_bucket{route="a\"b\\c",le="1.0"} 2
first_token_seconds_bucket{route="a\"b\\c",le="2.5"} 5
first_token_seconds_bucket{route="a\"b\\c",le="+Inf"} 6
first_token_seconds_sum{route="a\"b\\c"} 12.000000001
first_token_seconds_count{route="a\"b\\c"} 6
)");
}

TEST(MetricsText, WritesHistogramsWithExemplarsForOpenMetrics) {
  EXPECT_EQ(metrics_text(snapshot_of({histogram()}), MetricsFormat::openmetrics),
            R"(# TYPE first_token_seconds histogram
# UNIT first_token_seconds seconds
# HELP first_token_seconds Says \"when\"\nand \\ how.
first_token_seconds_bucket{route="a\"b\\c",le="0.1"} 2
first_token_seconds_bucket{route="a\"b\\c",le="1.0"} 2
first_token_seconds_bucket{route="a\"b\\c",le="2.5"} 5 # {trace_id="a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",span_id="0102030405060708"} 1.5 1700000000.0
first_token_seconds_bucket{route="a\"b\\c",le="+Inf"} 6
first_token_seconds_sum{route="a\"b\\c"} 12.000000001
first_token_seconds_count{route="a\"b\\c"} 6
# EOF
)");
}

TEST(MetricsText, NamesCountersAsEachFormatDoes) {
  const MetricsSnapshot snapshot =
      snapshot_of({counter("sglang:prompt_tokens_total"), counter("depth", MetricType::gauge)});
  EXPECT_EQ(metrics_text(snapshot, MetricsFormat::prometheus),
            R"(# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model="llama",route="/chat"} 12
# TYPE depth gauge
depth{model="llama",route="/chat"} 12
)");
  EXPECT_EQ(metrics_text(snapshot, MetricsFormat::openmetrics),
            R"(# TYPE sglang:prompt_tokens counter
sglang:prompt_tokens_total{model="llama",route="/chat"} 12
# TYPE depth gauge
depth{model="llama",route="/chat"} 12
# EOF
)");
}

// As OpenTelemetry's specification and its compatibility with Prometheus say.
TEST(MetricsText, WhatHadNoRoomHasOneLabel) {
  FamilyReading family = histogram();
  family.series.front().overflow = true;
  family.series.front().labels.clear();
  FamilyReading requests = counter("requests_total");
  requests.series.front().overflow = true;
  requests.series.front().labels.clear();
  EXPECT_EQ(metrics_text(snapshot_of({family, requests}), MetricsFormat::prometheus),
            R"(# TYPE first_token_seconds histogram
# HELP first_token_seconds Says "when"\nand \\ how.
first_token_seconds_bucket{otel_metric_overflow="true",le="0.1"} 2
first_token_seconds_bucket{otel_metric_overflow="true",le="1.0"} 2
first_token_seconds_bucket{otel_metric_overflow="true",le="2.5"} 5
first_token_seconds_bucket{otel_metric_overflow="true",le="+Inf"} 6
first_token_seconds_sum{otel_metric_overflow="true"} 12.000000001
first_token_seconds_count{otel_metric_overflow="true"} 6
# TYPE requests_total counter
requests_total{otel_metric_overflow="true"} 12
)");
}

TEST(MetricsText, AnEmptyLabelIsNone) {
  FamilyReading some = counter("some_total");
  some.series.front().labels = {"", "/chat"};
  FamilyReading none = counter("none_total");
  none.series.front().labels = {"", ""};
  EXPECT_EQ(metrics_text(snapshot_of({some, none}), MetricsFormat::prometheus),
            R"(# TYPE some_total counter
some_total{route="/chat"} 12
# TYPE none_total counter
none_total 12
)");
}

TEST(MetricsText, ACounterGetsItsSuffixOnce) {
  const std::string text =
      metrics_text(snapshot_of({counter("requests")}), MetricsFormat::prometheus);
  EXPECT_NE(text.find("requests_total{"), std::string::npos);
  EXPECT_EQ(text.find("requests_total_total"), std::string::npos);
}

TEST(MetricsText, WritesWhatHasNoLabels) {
  MetricsSnapshot snapshot;
  snapshot.plain.counters = {{"spanwire.rpc.client.calls", 7}, {"spanwire.rpc.level", -2}};
  HistogramReading reading;
  reading.name = "rpc.client.call.duration";
  reading.unit = MetricUnit::nanoseconds;
  reading.count = 1;
  reading.sum = 7;
  reading.buckets[7] = 1;
  snapshot.plain.histograms = {reading};
  EXPECT_EQ(metrics_text(snapshot, MetricsFormat::prometheus),
            R"(# TYPE rpc_client_call_duration_seconds summary
rpc_client_call_duration_seconds{quantile="0.5"} 0.000000007
rpc_client_call_duration_seconds{quantile="0.9"} 0.000000007
rpc_client_call_duration_seconds{quantile="0.99"} 0.000000007
rpc_client_call_duration_seconds{quantile="0.999"} 0.000000007
rpc_client_call_duration_seconds_sum 0.000000007
rpc_client_call_duration_seconds_count 1
# TYPE spanwire_rpc_client_calls untyped
spanwire_rpc_client_calls 7
# TYPE spanwire_rpc_level untyped
spanwire_rpc_level -2
)");
}

// Two families of one name are an error for every reader, and would lose the whole scrape.
TEST(MetricsText, NoNameStandsTwice) {
  MetricsSnapshot snapshot = snapshot_of({counter("a_b_total"), histogram()});
  snapshot.plain.counters = {
      {"a.b", 1}, {"a/b", 2}, {"first_token_seconds_sum", 3}, {"1 two", 4}, {"", 5}};
  const std::string text = metrics_text(snapshot, MetricsFormat::openmetrics);
  for (const char* line : {"\na_b_2 1\n", "\na_b_3 2\n", "\nfirst_token_seconds_sum_2 3\n",
                           "\n_1_two 4\n", "\n_ 5\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(MetricsText, OfNothingIsNothing) {
  EXPECT_EQ(metrics_text({}, MetricsFormat::prometheus), "");
  EXPECT_EQ(metrics_text({}, MetricsFormat::openmetrics), "# EOF\n");
}

TEST(MetricsText, LeavesOutAMomentBefore1970) {
  FamilyReading family = histogram();
  family.series[0].exemplars[2].exemplar.at = MonotonicTime(std::chrono::seconds(1));
  MetricsSnapshot snapshot = snapshot_of({family});
  snapshot.wall = WallTime(std::chrono::seconds(3));
  EXPECT_NE(metrics_text(snapshot, MetricsFormat::openmetrics).find("\"} 1.5\n"),
            std::string::npos);
}

struct Accept {
  const char* field;
  MetricsFormat expected;
};
constexpr Accept kAccepts[] = {
    {"", MetricsFormat::prometheus},
    {"*/*", MetricsFormat::prometheus},
    {"text/plain;version=0.0.4", MetricsFormat::prometheus},
    {"application/openmetrics-text", MetricsFormat::openmetrics},
    {"Application/OpenMetrics-Text ; version=1.0.0", MetricsFormat::openmetrics},
    {"application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     MetricsFormat::openmetrics},
    {"text/plain, application/openmetrics-text; q=0.5", MetricsFormat::openmetrics},
    {"application/openmetrics-text;q=0", MetricsFormat::prometheus},
    {"application/openmetrics-text; Q=0.000, */*", MetricsFormat::prometheus},
    {"application/openmetrics-textual", MetricsFormat::prometheus},
    {",;,;;", MetricsFormat::prometheus},
};

TEST(MetricsFormat, IsWhatTheReaderAccepts) {
  for (const Accept& accept : kAccepts) {
    EXPECT_EQ(metrics_format(accept.field), accept.expected) << accept.field;
  }
}

TEST(MetricsFormat, HasAContentType) {
  EXPECT_EQ(content_type(MetricsFormat::prometheus), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(content_type(MetricsFormat::openmetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace spanwire
