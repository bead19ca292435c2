#include "spanwire/otlp/otlp_exporter.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/otlp/exporter_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::otlp {
namespace {

using testing::FaultSink;
using trace::FlushReport;
using trace::LossReason;

TEST_F(ExporterTest, DeliversABatch) {
  FaultSink sink("[{}]");
  start(to(sink.endpoint()));
  record(1, "a");
  record(1, "b");
  const FlushReport report = flush();
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.exported, 2u);
  const FaultSink::Request request = sink.next();
  EXPECT_EQ(request.path, "/v1/traces");
  EXPECT_EQ(request.spans, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.headers["content-type"], "application/x-protobuf");
  EXPECT_FALSE(request.headers.contains("content-encoding"));
  EXPECT_FALSE(request.headers.contains("expect"));
}

TEST_F(ExporterTest, KeepsItsConnection) {
  FaultSink sink("[{}]");
  start(to(sink.endpoint()));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send().complete());
  for (const FaultSink::Request& request : sink.next(3)) EXPECT_EQ(request.connection, 1);
}

class ExporterRetries : public ExporterTest, public ::testing::WithParamInterface<int> {};

TEST_P(ExporterRetries, UntilItIsTaken) {
  const std::string busy = "{\"status\": " + std::to_string(GetParam()) + "}";
  FaultSink sink("[" + busy + ", " + busy + ", {}]");
  start(to(sink.endpoint()));
  const std::int64_t repeated = counted("spanwire.otlp.requests_repeated");
  const FlushReport report = send(3);
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(counted("spanwire.otlp.requests_repeated") - repeated, 2);
  for (const FaultSink::Request& request : sink.next(3)) EXPECT_EQ(request.spans.size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Statuses, ExporterRetries, ::testing::Values(429, 502, 503, 504));

// Not OTLP's own, but what gateways in front of a backend say.
TEST_F(ExporterTest, EverySuccessIsOne) {
  FaultSink sink("[{\"status\": 202}, {\"status\": 204}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  EXPECT_TRUE(send().complete());
}

class ExporterGivesUp : public ExporterTest, public ::testing::WithParamInterface<int> {};

// Everything else that is no success says that sending it again is no use.
TEST_P(ExporterGivesUp, AtOnce) {
  FaultSink sink("[{\"status\": " + std::to_string(GetParam()) +
                 ", \"type\": \"text/plain\", \"body\": \"not like this\"}, {}]");
  start(to(sink.endpoint()));
  const FlushReport report = send(3);
  EXPECT_EQ(report.lost[LossReason::refused], 3u) << report.to_string();
  EXPECT_EQ(report.cause.code(), Errc::export_refused);
  const std::string text = "HTTP " + std::to_string(GetParam()) + ": not like this";
  EXPECT_NE(report.cause.detail().find(text), std::string_view::npos) << report.to_string();
  EXPECT_TRUE(send().complete());
  EXPECT_EQ(sink.rest().size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Statuses, ExporterGivesUp,
                         ::testing::Values(301, 400, 401, 403, 404, 405, 415, 500, 501));

TEST_F(ExporterTest, StopsAfterItsAttempts) {
  FaultSink sink("[{\"status\": 503}]");
  OtlpOptions options = to(sink.endpoint());
  options.retry.attempts_max = 3;
  start(std::move(options));
  const FlushReport report = send(2);
  EXPECT_EQ(report.lost[LossReason::export_failed], 2u);
  EXPECT_EQ(report.cause.code(), Errc::export_unavailable);
  EXPECT_EQ(sink.rest().size(), 3u);
}

class ExporterComesBack : public ExporterTest, public ::testing::WithParamInterface<const char*> {};

// The backend's wish goes before our own pause, which would be an hour.
TEST_P(ExporterComesBack, WhenItIsAskedTo) {
  FaultSink sink(std::string("[{\"status\": 503, \"headers\": {\"Retry-After\": \"") + GetParam() +
                 "\"}}, {}]");
  OtlpOptions options = to(sink.endpoint());
  options.retry.first = options.retry.last = std::chrono::hours(1);
  start(std::move(options));
  EXPECT_TRUE(send().complete());
}

// As seconds and as a date.
INSTANTIATE_TEST_SUITE_P(Forms, ExporterComesBack, ::testing::Values("1", "in 2 s"));

class ExporterRetryAfter : public ExporterTest,
                           public ::testing::WithParamInterface<const char*> {};

// A pause that is longer than the batch has time is none: the batch is given up at once.
TEST_P(ExporterRetryAfter, BeyondTheDeadlineEndsTheBatch) {
  FaultSink sink(std::string("[{\"status\": 429, \"headers\": {\"Retry-After\": \"") + GetParam() +
                 "\"}}, {}]");
  start(to(sink.endpoint()));
  const FlushReport report = send();
  EXPECT_EQ(report.lost[LossReason::export_failed], 1u);
  EXPECT_EQ(report.cause.code(), Errc::export_unavailable);
  EXPECT_TRUE(report.in_time);
  EXPECT_EQ(sink.rest().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Forms, ExporterRetryAfter,
                         ::testing::Values("86400", "Thu, 31 Dec 2099 23:59:59 GMT"));

TEST_F(ExporterTest, CountsWhatAPartialSuccessRefuses) {
  // rejected_spans 2, error_message "too old"
  FaultSink sink("[{\"body\": \"hex:0a0b08021207746f6f206f6c64\"}]");
  start(to(sink.endpoint()));
  const FlushReport report = send(5);
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost[LossReason::refused], 2u);
  EXPECT_EQ(report.cause.code(), Errc::export_partly_refused);
  EXPECT_NE(report.cause.detail().find("2 of 5 spans: too old"), std::string_view::npos);
  EXPECT_EQ(sink.rest().size(), 1u);
}

TEST_F(ExporterTest, APartialSuccessWithoutSpansIsAWarning) {
  FaultSink sink("[{\"body\": \"hex:0a091207736c6f77657221\"}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  EXPECT_TRUE(log_.contains("slower!"));
}

TEST_F(ExporterTest, AnEmptyPartialSuccessIsASuccess) {
  FaultSink sink("[{\"body\": \"hex:0a00\"}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  EXPECT_FALSE(log_.contains("warns"));
}

TEST_F(ExporterTest, ReadsAPartialSuccessInJson) {
  FaultSink sink(
      "[{\"type\": \"application/json\", \"body\": "
      "\"{\\\"partialSuccess\\\":{\\\"rejectedSpans\\\":\\\"1\\\",\\\"errorMessage\\\":\\\"no\\\"}}"
      "\"}]");
  start(to(sink.endpoint(), Protocol::http_json));
  const FlushReport report = send(4);
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost[LossReason::refused], 1u);
  EXPECT_EQ(sink.next().headers["content-type"], "application/json");
}

// Some say what it is by nothing but its look.
TEST_F(ExporterTest, ReadsJsonUnderAnotherName) {
  FaultSink sink(
      "[{\"type\": \"text/plain; charset=utf-8\", \"body\": "
      "\"{\\\"partialSuccess\\\":{\\\"rejectedSpans\\\":1}}\"}]");
  start(to(sink.endpoint(), Protocol::http_json));
  const FlushReport report = send(4);
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost[LossReason::refused], 1u);
}

struct TooLarge {
  const char* name;
  const char* answer;
};
class ExporterSplits : public ExporterTest, public ::testing::WithParamInterface<TooLarge> {};

TEST_P(ExporterSplits, WhatIsTooLarge) {
  FaultSink sink(std::string("[{\"spans_max\": 3, ") + GetParam().answer + "}]");
  start(to(sink.endpoint()));
  const FlushReport report = send(20);
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.exported, 20u);
  std::size_t taken = 0;
  for (const FaultSink::Request& request : sink.rest()) {
    if (request.spans.size() <= 3) taken += request.spans.size();
  }
  EXPECT_EQ(taken, 20u);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, ExporterSplits,
    ::testing::Values(TooLarge{"Status413", "\"status\": 413"},
                      TooLarge{"CollectorsStatus400",
                               "\"status\": 400, \"type\": \"application/json\", \"body\": "
                               "\"{\\\"code\\\":3,\\\"message\\\":\\\"http: request body too "
                               "large\\\"}\""}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

// What was refused once as too large is not sent again at that size.
TEST_F(ExporterTest, RemembersWhatWasTooLarge) {
  FaultSink sink("[{\"bytes_max\": 1500, \"status\": 413}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send(100).complete());
  const std::int64_t before = counted("spanwire.otlp.requests_sent");
  EXPECT_TRUE(send(100).complete());
  const std::int64_t later = counted("spanwire.otlp.requests_sent") - before;
  std::int64_t refused = 0;
  const std::vector<FaultSink::Request> all = sink.rest();
  for (std::size_t i = all.size() - static_cast<std::size_t>(later); i < all.size(); ++i) {
    refused += all[i].bytes > 1500 ? 1 : 0;
  }
  EXPECT_EQ(refused, 0);
}

TEST_F(ExporterTest, LosesOnlyTheSpanThatIsTooLargeByItself) {
  FaultSink sink("[{\"bytes_max\": 20000, \"status\": 413}]");
  start(to(sink.endpoint()));
  record(3);
  trace::tracer("t").start({}, "large").set("text", std::string(50'000, 'x'));
  record(3);
  const FlushReport report = flush();
  EXPECT_EQ(report.exported, 6u);
  EXPECT_EQ(report.lost[LossReason::too_large], 1u) << report.to_string();
  EXPECT_EQ(report.cause.code(), Errc::export_too_large);
}

TEST_F(ExporterTest, SplitsByItsOwnLimitBeforeSending) {
  FaultSink sink("[{\"bytes_max\": 4000, \"status\": 500}]");
  OtlpOptions options = to(sink.endpoint());
  options.request_bytes_max = 4000;
  start(std::move(options));
  EXPECT_TRUE(send(200).complete());
}

TEST_F(ExporterTest, CompressesWithGzip) {
  FaultSink sink("[{}]");
  OtlpOptions options = to(sink.endpoint());
  options.compression = Compression::gzip;
  start(std::move(options));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(send(50).complete());
  for (const FaultSink::Request& request : sink.next(2)) {
    EXPECT_EQ(request.headers["content-encoding"], "gzip");
    EXPECT_EQ(request.spans.size(), 50u);
    EXPECT_LT(std::stoul(request.headers["content-length"].get<std::string>()), request.bytes);
  }
}

TEST_F(ExporterTest, SendsItsHeaders) {
  FaultSink sink("[{}]");
  OtlpOptions options = to(sink.endpoint("/base/v1/traces?tenant=7"));
  options.headers = {{"Authorization", "Bearer x"}, {"X-Empty", ""}};
  start(std::move(options));
  EXPECT_TRUE(send().complete());
  const FaultSink::Request request = sink.next();
  EXPECT_EQ(request.path, "/base/v1/traces?tenant=7");
  EXPECT_EQ(request.headers["authorization"], "Bearer x");
  EXPECT_EQ(request.headers["x-empty"], "");
}

// What the body is is ours to say; a receiver that is told "identity" refuses it.
TEST_F(ExporterTest, KeepsTheFieldsThatDescribeItsBody) {
  for (const Protocol protocol : {Protocol::http_protobuf, Protocol::grpc}) {
    const bool grpc = protocol == Protocol::grpc;
    FaultSink sink("[{}]", grpc ? std::vector<std::string>{"--http2"} : std::vector<std::string>());
    OtlpOptions options = to(grpc ? "http://127.0.0.1:" + sink.port() : sink.endpoint(), protocol);
    options.headers = {{"Content-Type", "text/plain"},
                       {"Content-Encoding", "identity"},
                       {"grpc-encoding", "br"},
                       {"User-Agent", "mine/1"}};
    start(std::move(options));
    const FlushReport report = send();
    EXPECT_TRUE(report.complete()) << report.to_string();
    FaultSink::Request request = sink.next();
    trace::provider()->shutdown(kEnough);
    if (grpc) continue;
    EXPECT_EQ(request.headers["content-type"], "application/x-protobuf");
    EXPECT_FALSE(request.headers.contains("content-encoding"));
    EXPECT_EQ(request.headers["user-agent"], "mine/1");
  }
}

TEST_F(ExporterTest, SaysWhoItIs) {
  FaultSink sink("[{}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  const std::string agent = sink.next().headers["user-agent"].get<std::string>();
  EXPECT_TRUE(agent.starts_with("spanwire/")) << agent;
  EXPECT_NE(agent.find(" OTel-OTLP-Exporter-cpp/"), std::string::npos) << agent;
}

TEST_F(ExporterTest, AForkedChildExportsByItself) {
  FaultSink sink("[{}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  const int code = ::spanwire::testing::run_in_child([] {
    record(1, "in the child");
    return trace::provider()->shutdown(kEnough).complete() ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(send().complete());
  const std::vector<FaultSink::Request> requests = sink.next(3);
  EXPECT_EQ(requests[1].spans, std::vector<std::string>{"in the child"});
  EXPECT_NE(requests[1].connection, requests[0].connection);
  EXPECT_EQ(requests[2].connection, requests[0].connection);
}

TEST(OtlpOptionsCheck, NamesWhatIsWrong) {
  OtlpOptions options;
  EXPECT_TRUE(check(options).has_value());
  for (const char* endpoint : {"localhost:4318", "ftp://x", "http://", "http://x:99999", "unix:"}) {
    options.endpoint = endpoint;
    ASSERT_FALSE(check(options).has_value()) << endpoint;
    EXPECT_EQ(check(options).error().code(), Errc::invalid_argument);
    EXPECT_NE(check(options).error().detail().find(endpoint), std::string_view::npos);
  }
  options.endpoint.clear();
  for (const char* name : {"", "a b", "a:b", "a\r\nb"}) {
    options.headers = {{name, "x"}};
    EXPECT_FALSE(check(options).has_value()) << name;
  }
  options.headers = {{"name", "x\r\ny"}};
  EXPECT_FALSE(check(options).has_value());
  options.headers.clear();
  options.client_key_file = "key";
  EXPECT_FALSE(check(options).has_value());
}

TEST_F(ExporterTest, BadOptionsCostTheSpansAndSayWhy) {
  start(to("nowhere"));
  const FlushReport report = send();
  EXPECT_EQ(report.cause.code(), Errc::invalid_argument);
  EXPECT_EQ(report.lost.total(), 1u);
}

}  // namespace
}  // namespace spanwire::otlp
