// Connections that break, backends that are not there, answers that are none.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "spanwire/otlp/otlp_exporter.hpp"
#include "tests/otlp/exporter_fixture.hpp"

namespace spanwire::otlp {
namespace {

using testing::FaultSink;
using trace::FlushReport;
using trace::LossReason;

// A port of this machine that takes connections and never answers; without one, a port where nobody
// listens.
class Port {
 public:
  explicit Port(bool listens) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    number_ = std::to_string(ntohs(address.sin_port));
    if (listens) listen(socket_, 16);
  }
  ~Port() { close(socket_); }
  std::string endpoint() const { return "http://127.0.0.1:" + number_ + "/v1/traces"; }

 private:
  int socket_;
  std::string number_;
};

class ExporterCut : public ExporterTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ExporterCut, IsTriedAgain) {
  FaultSink sink(std::string("[{}, {\"cut\": \"") + GetParam() +
                 "\", \"body\": \"hex:0a00\"}, {}]");
  start(to(sink.endpoint()));
  EXPECT_TRUE(send().complete());
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
}

INSTANTIATE_TEST_SUITE_P(Places, ExporterCut, ::testing::Values("before", "middle"),
                         [](const auto& param_info) { return std::string(param_info.param); });

// A batch of megabytes whose receiver dies while it is being sent arrives whole at the next.
TEST_F(ExporterTest, CutInTheMiddleOfABatchItIsSentAgain) {
  FaultSink sink("[{\"cut\": \"request\"}, {}]");
  start(to(sink.endpoint()));
  const std::string large(500'000, 'x');
  for (int i = 0; i < 8; ++i) trace::tracer("t").start({}, "large").set("text", large);
  EXPECT_TRUE(flush().complete());
  const std::vector<FaultSink::Request> requests = sink.next(2);
  EXPECT_TRUE(requests[0].spans.empty());
  EXPECT_EQ(requests[1].spans.size(), 8u);
  EXPECT_GE(requests[1].bytes, 8 * large.size());
}

TEST_F(ExporterTest, ALateAnswerIsWaitedFor) {
  for (const Protocol protocol : {Protocol::http_protobuf, Protocol::grpc}) {
    const bool grpc = protocol == Protocol::grpc;
    FaultSink sink("[{\"after\": 0.3}]",
                   grpc ? std::vector<std::string>{"--http2"} : std::vector<std::string>());
    start(to(grpc ? "http://127.0.0.1:" + sink.port() : sink.endpoint(), protocol));
    EXPECT_TRUE(send(3).complete());
    trace::provider()->shutdown(kEnough);
    EXPECT_EQ(sink.rest().size(), 1u);
  }
}

TEST_F(ExporterTest, NobodyListens) {
  const Port port(false);
  start(to(port.endpoint()));
  const FlushReport report = send(2);
  EXPECT_EQ(report.lost[LossReason::export_failed], 2u);
  EXPECT_EQ(report.cause.code(), Errc::connect_failed) << report.to_string();
  EXPECT_TRUE(report.in_time);
}

TEST_F(ExporterTest, ANameThatDoesNotExist) {
  OtlpOptions options = to("http://no-such-host.invalid./v1/traces");
  options.retry.attempts_max = 1;  // each may take seconds where no server of names answers
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_EQ(report.cause.code(), Errc::resolve_failed) << report.to_string();
}

TEST_F(ExporterTest, ABackendThatNeverAnswersCostsTheBatchItsTime) {
  const Port hole(true);
  OtlpOptions options = to(hole.endpoint());
  options.timeout = std::chrono::seconds(2);  // enough to connect and send in
  start(std::move(options));
  const FlushReport report = send(4);
  EXPECT_EQ(report.lost[LossReason::export_timeout], 4u) << report.to_string();
  EXPECT_EQ(report.cause.code(), Errc::export_timeout);
  EXPECT_NE(report.cause.detail().find("without an answer"), std::string_view::npos);
}

TEST_F(ExporterTest, AnAttemptThatTimeCutsOffDoesNotHideWhatTheOneBeforeSaid) {
  FaultSink sink("[{\"status\": 503, \"body\": \"full\"}, {\"after\": 60}]");
  OtlpOptions options = to(sink.endpoint());
  options.timeout = std::chrono::seconds(2);
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_EQ(report.cause.code(), Errc::export_timeout);
  const std::string said = report.to_string();
  EXPECT_NE(said.find("without an answer"), std::string::npos) << said;
  EXPECT_NE(said.find("an attempt before: export_unavailable"), std::string::npos) << said;
}

// Only the haste of the shutdown can end this in time: the batch by itself has an hour.
TEST_F(ExporterTest, AShutdownHoldsItsDeadlineAgainstABlackHole) {
  const Port hole(true);
  OtlpOptions options = to(hole.endpoint());
  options.timeout = std::chrono::hours(1);
  start(std::move(options), 10);
  record(25);
  const auto begin = std::chrono::steady_clock::now();
  const FlushReport report = trace::provider()->shutdown(std::chrono::milliseconds(300));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kEnough);
  EXPECT_EQ(report.exported, 0u);
  EXPECT_EQ(report.lost.total(), 25u) << report.to_string();
}

// What has cost the batch its time does not begin a pause that nothing ends.
TEST_F(ExporterTest, AfterAShutdownInABlackHoleThereIsNoPause) {
  const Port hole(true);
  OtlpOptions options = to(hole.endpoint());
  options.timeout = std::chrono::hours(1);
  options.retry.first = options.retry.last = std::chrono::hours(1);
  start(std::move(options), 10);
  record(25);
  trace::Provider& provider = *trace::provider();  // none any more once it is shut down
  std::thread flush([&provider] { provider.force_flush(std::chrono::minutes(10)); });
  while (counted("spanwire.otlp.requests_sent") == sent_before_) std::this_thread::yield();
  const FlushReport report = provider.shutdown(std::chrono::seconds(1));
  EXPECT_EQ(report.lost.total(), 25u) << report.to_string();
  flush.join();  // an hour later, if there were one
}

TEST_F(ExporterTest, AShutdownHoldsItsDeadlineInAPause) {
  FaultSink sink("[{\"status\": 503}]");
  OtlpOptions options = to(sink.endpoint());
  options.timeout = std::chrono::hours(1);
  options.retry.first = options.retry.last = std::chrono::minutes(30);
  start(std::move(options), 2);
  record(2);
  // Long enough for the request to leave, and far shorter than the pause that follows it.
  trace::provider()->force_flush(std::chrono::seconds(3));
  static_cast<void>(sink.next());
  record(3);
  const FlushReport report = trace::provider()->shutdown(std::chrono::milliseconds(300));
  EXPECT_EQ(report.lost.total(), 5u) << report.to_string();
}

TEST_F(ExporterTest, AWebPageIsNoAnswer) {
  FaultSink sink("[{\"type\": \"text/html; charset=utf-8\", \"body\": \"<html>log in</html>\"}]");
  start(to(sink.endpoint()));
  const FlushReport report = send();
  EXPECT_EQ(report.cause.code(), Errc::export_answer_malformed);
  EXPECT_NE(report.cause.detail().find("<html>log in"), std::string_view::npos);
}

// Of a login page behind a redirect, of a server that has nothing to do with it.
TEST_F(ExporterTest, AWebPageIsNoAnswerWhateverItIsCalled) {
  FaultSink sink("[{\"type\": \"text/plain\", \"body\": \" <!DOCTYPE HTML><p>Hello</p>\"}]");
  start(to(sink.endpoint()));
  EXPECT_EQ(send().cause.code(), Errc::export_answer_malformed);
}

// A 2xx says that the spans were taken, and who answers so in words of his own means it.
TEST_F(ExporterTest, WordsOfAGatewayAreSuccess) {
  const std::int64_t before = counted("spanwire.otlp.answers_not_read");
  FaultSink sink(
      "[{\"type\": \"text/plain\", \"body\": \"ok\"},"
      " {\"type\": \"application/xml\", \"body\": \"<ok/>\", \"status\": 202}]");
  start(to(sink.endpoint()));
  for (int i = 0; i < 2; ++i) {
    const FlushReport report = send();
    EXPECT_EQ(report.lost.total(), 0u) << report.to_string();
  }
  EXPECT_EQ(counted("spanwire.otlp.answers_not_read"), before + 2);
}

TEST_F(ExporterTest, AnAnswerThatIsNotProtobuf) {
  FaultSink sink("[{\"body\": \"hex:0aff01\"}]");
  start(to(sink.endpoint()));
  EXPECT_EQ(send().cause.code(), Errc::export_answer_malformed);
}

TEST_F(ExporterTest, AGrpcPortIsNamedAsTheCause) {
  FaultSink sink("[{}]", {"--http2"});
  start(to(sink.endpoint()));
  const FlushReport report = send();
  EXPECT_EQ(report.lost.total(), 1u);
  EXPECT_NE(report.cause.detail().find("OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), std::string_view::npos)
      << report.to_string();
}

}  // namespace
}  // namespace spanwire::otlp
