#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/otlp/grpc_status.hpp"
#include "lib/otlp/gzip.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "tests/otlp/exporter_fixture.hpp"

namespace spanwire::otlp {
namespace {

using testing::FaultSink;
using trace::FlushReport;
using trace::LossReason;

// A google.rpc.Status whose details are something unknown and a RetryInfo.
constexpr const char* kRetryInMicrosecond =
    "CAgSBGJ1c3kaGQoVdHlwZS5nb29nbGVhcGlzLmNvbS94EgAaMQoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjL"
    "lJldHJ5SW5mbxIFCgMQ6Ac=";
constexpr const char* kRetryIn100Seconds =
    "CAgSBGJ1c3kaGQoVdHlwZS5nb29nbGVhcGlzLmNvbS94EgAaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjL"
    "lJldHJ5SW5mbxIECgIIZA==";

class GrpcExporterTest : public ExporterTest {
 protected:
  static void start_with(const FaultSink& sink, std::size_t batch_spans_max = 512) {
    start(to(sink.endpoint(""), Protocol::grpc), batch_spans_max);
  }
};

TEST_F(GrpcExporterTest, DeliversBatchesOverOneConnection) {
  FaultSink sink("[{}]", {"--http2"});
  start_with(sink);
  for (int i = 0; i < 3; ++i) {
    const FlushReport report = send(2);
    EXPECT_TRUE(report.complete()) << report.to_string();
  }
  for (const FaultSink::Request& request : sink.next(3)) {
    EXPECT_EQ(request.connection, 1);
    EXPECT_EQ(request.spans.size(), 2u);
    EXPECT_EQ(request.headers["compressed"], "0");
  }
}

TEST_F(GrpcExporterTest, CompressesWithGzip) {
  FaultSink sink("[{}]", {"--http2"});
  OtlpOptions options = to(sink.endpoint(""), Protocol::grpc);
  options.compression = Compression::gzip;
  start(std::move(options));
  EXPECT_TRUE(send(20).complete());
  EXPECT_EQ(sink.next().headers["compressed"], "1");
}

class GrpcExporterRetries : public GrpcExporterTest, public ::testing::WithParamInterface<int> {};

TEST_P(GrpcExporterRetries, UntilItIsTaken) {
  const std::string code = std::to_string(GetParam());
  // With a body before the trailers, and with nothing but them.
  FaultSink sink("[{\"grpc\": " + code + "}, {\"grpc\": " + code + ", \"bare\": true}, {}]",
                 {"--http2"});
  start_with(sink);
  const FlushReport report = send(2);
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(sink.rest().size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Codes, GrpcExporterRetries, ::testing::Values(1, 4, 10, 11, 14, 15));

class GrpcExporterGivesUp : public GrpcExporterTest, public ::testing::WithParamInterface<int> {};

TEST_P(GrpcExporterGivesUp, AtOnce) {
  FaultSink sink("[{\"grpc\": " + std::to_string(GetParam()) +
                     ", \"bare\": true, \"message\": \"not%20%C3%A4 like %this\"}]",
                 {"--http2"});
  start_with(sink);
  const FlushReport report = send(2);
  EXPECT_EQ(report.lost[LossReason::refused], 2u) << report.to_string();
  EXPECT_EQ(report.cause.code(), Errc::export_refused);
  EXPECT_NE(report.cause.detail().find("not \xC3\xA4 like %this"), std::string_view::npos)
      << report.to_string();
  EXPECT_EQ(sink.rest().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Codes, GrpcExporterGivesUp,
                         ::testing::Values(2, 3, 5, 6, 7, 8, 9, 12, 13, 16, 77));

std::string exhausted(const char* details) {
  return std::string("{\"grpc\": 8, \"trailers\": {\"grpc-status-details-bin\": \"") + details +
         "\"}}";
}

TEST_F(GrpcExporterTest, ComesBackWhenARetryInfoAsksForIt) {
  FaultSink sink("[" + exhausted(kRetryInMicrosecond) + ", {}]", {"--http2"});
  OtlpOptions options = to(sink.endpoint(""), Protocol::grpc);
  options.retry.first = options.retry.last = std::chrono::hours(1);
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
}

TEST_F(GrpcExporterTest, ARetryInfoBeyondTheDeadlineEndsTheBatch) {
  FaultSink sink("[" + exhausted(kRetryIn100Seconds) + ", {}]", {"--http2"});
  start_with(sink);
  EXPECT_EQ(send().cause.code(), Errc::export_unavailable);
  EXPECT_EQ(sink.rest().size(), 1u);
}

class GrpcExporterSplits : public GrpcExporterTest,
                           public ::testing::WithParamInterface<const char*> {};

TEST_P(GrpcExporterSplits, WhatTheBackendFindsTooLarge) {
  FaultSink sink(std::string("[{\"spans_max\": 3, ") + GetParam() + "}]", {"--http2"});
  start_with(sink);
  const FlushReport report = send(10);
  EXPECT_TRUE(report.complete()) << report.to_string();
}

// As gRPC in Go, C++ and JavaScript says it, in Java, in .NET and in Rust; and a proxy before it.
INSTANTIATE_TEST_SUITE_P(
    Words, GrpcExporterSplits,
    ::testing::Values(
        R"j("grpc": 8, "message": "grpc: received message larger than max (4200082 vs. 4194304)")j",
        R"j("grpc": 8, "message": "gRPC message exceeds maximum size 4194304: 4200082")j",
        R"j("grpc": 8, "message": "Received message exceeds the maximum configured message size.")j",
        R"j("grpc": 11, "message": "Error, decoded message length too large: found 4200082 bytes")j",
        R"j("status": 413, "type": "text/html", "body": "<h1>413 Request Entity Too Large</h1>")j"));

// Receivers take 4 MiB unless told otherwise.
TEST_F(GrpcExporterTest, SendsNothingBeyondFourMebibytes) {
  FaultSink sink("[{\"bytes_max\": 4194304, \"grpc\": 13}]", {"--http2"});
  start_with(sink);
  for (int i = 0; i < 8; ++i) {
    trace::tracer("t").start({}, "large").set("text", std::string(900'000, 'x'));
  }
  const FlushReport report = flush();
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.exported, 8u);
}

TEST_F(GrpcExporterTest, CountsWhatAPartialSuccessRefuses) {
  FaultSink sink("[{\"body\": \"hex:0a0b08021207746f6f206f6c64\"}]", {"--http2"});
  start_with(sink);
  const FlushReport report = send(5);
  EXPECT_EQ(report.exported, 3u);
  EXPECT_EQ(report.lost[LossReason::refused], 2u);
}

struct PlainHttp {
  int status;
  bool again;
};
class GrpcExporterHttpStatus : public GrpcExporterTest,
                               public ::testing::WithParamInterface<PlainHttp> {};

// Something between here and the backend that speaks HTTP and no gRPC.
TEST_P(GrpcExporterHttpStatus, StandsForACode) {
  FaultSink sink(
      "[{\"status\": " + std::to_string(GetParam().status) + ", \"type\": \"text/plain\"}, {}]",
      {"--http2"});
  start_with(sink);
  EXPECT_EQ(send().complete(), GetParam().again);
  EXPECT_EQ(sink.rest().size(), GetParam().again ? 2u : 1u);
}

INSTANTIATE_TEST_SUITE_P(Statuses, GrpcExporterHttpStatus,
                         ::testing::Values(PlainHttp{429, true}, PlainHttp{503, true},
                                           PlainHttp{400, false}, PlainHttp{404, false},
                                           PlainHttp{401, false}));

class GrpcExporterCut : public GrpcExporterTest,
                        public ::testing::WithParamInterface<const char*> {};

TEST_P(GrpcExporterCut, IsTriedAgain) {
  FaultSink sink(std::string("[{}, {\"cut\": \"") + GetParam() + "\"}, {}]", {"--http2"});
  start_with(sink);
  EXPECT_TRUE(send().complete());
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
}

INSTANTIATE_TEST_SUITE_P(Places, GrpcExporterCut, ::testing::Values("before", "middle"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST_F(GrpcExporterTest, ABackendThatNeverAnswersCostsTheBatchItsTime) {
  FaultSink sink("[{\"hang\": true}]", {"--http2"});
  OtlpOptions options = to(sink.endpoint(""), Protocol::grpc);
  options.timeout = std::chrono::milliseconds(300);
  start(std::move(options));
  EXPECT_EQ(send().lost[LossReason::export_timeout], 1u);
}

TEST_F(GrpcExporterTest, AnHttpPortIsNamedAsTheCause) {
  FaultSink sink("[{}]");
  start_with(sink);
  const FlushReport report = send();
  EXPECT_EQ(report.lost.total(), 1u);
  EXPECT_NE(report.cause.detail().find("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
            std::string_view::npos)
      << report.to_string();
}

TEST_F(GrpcExporterTest, SpeaksOverTlsAndUnixSockets) {
  FaultSink sink("[{}]", {"--http2", "--tls", folder()});
  OtlpOptions options = to("https://localhost:" + sink.port(), Protocol::grpc);
  options.ca_file = folder() + "/ca.pem";
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
  trace::provider()->shutdown(kEnough);
  const std::string path = folder() + "/otlp.sock";
  FaultSink local("[{}]", {"--http2", "--unix", path});
  start(to("unix://" + path, Protocol::grpc));
  EXPECT_TRUE(send().complete());
}

// A proxy of HTTP/1 passes HTTP/2 on only through a tunnel, encrypted or not.
TEST_F(GrpcExporterTest, TunnelsThroughAProxy) {
  FaultSink sink("[{}]", {"--http2", "--connect", "200"});
  OtlpOptions options = to("http://collector.example:4317", Protocol::grpc);
  options.proxy = "http://127.0.0.1:" + sink.port();
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(sink.next().path, "CONNECT collector.example:4317");
  EXPECT_EQ(sink.next().spans.size(), 1u);
}

TEST(GrpcStatus, ReadsRetryInfo) {
  EXPECT_EQ(retry_delay_of(kRetryInMicrosecond), std::chrono::microseconds(1));
  EXPECT_EQ(retry_delay_of(kRetryIn100Seconds), std::chrono::seconds(100));
  for (const char* none : {"", "CAgSBGJ1c3k=", "!!!!", "/////w=="}) {
    EXPECT_EQ(retry_delay_of(none), std::nullopt) << none;
  }
}

TEST(GrpcStatus, ReadsTheMessageBehindItsPrefix) {
  using namespace std::string_view_literals;
  EXPECT_EQ(grpc_message_of("\0\0\0\0\2ab"sv), "ab"sv);
  const std::string large(100'000, 'x');
  Buffer packed;
  packed.append(std::string_view("\1\0\0\0\0", 5));
  ASSERT_TRUE(Gzip().compress(bytes_of(large), packed).has_value());
  write_grpc_prefix(packed.data(), true, packed.size() - kGrpcPrefixBytes);
  EXPECT_EQ(grpc_message_of(text_of(packed.view())), large);
  EXPECT_EQ(gunzip(text_of(packed.view()).substr(5), large.size() - 1).error(),
            Errc::payload_too_long);
  EXPECT_EQ(grpc_message_of("\0\0\0\0\0"sv), ""sv);
  for (const std::string_view bad :
       {""sv, "\0\0\0\0"sv, "\0\0\0\0\3ab"sv, "\1\0\0\0\2ab"sv, "\1\0\0\0\0"sv}) {
    EXPECT_EQ(grpc_message_of(bad), std::nullopt);
  }
}

}  // namespace
}  // namespace spanwire::otlp
