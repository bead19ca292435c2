// Sockets, proxies, TLS.
#include <gtest/gtest.h>

#include <string>

#include "spanwire/otlp/otlp_exporter.hpp"
#include "tests/otlp/exporter_fixture.hpp"

namespace spanwire::otlp {
namespace {

using testing::FaultSink;
using trace::FlushReport;

TEST_F(ExporterTest, SpeaksOverAUnixSocket) {
  const std::string path = folder() + "/otlp.sock";
  FaultSink sink("[{}]", {"--unix", path});
  start(to("unix:" + path));
  EXPECT_TRUE(send().complete());
  EXPECT_EQ(sink.next().path, "/v1/traces");
}

TEST_F(ExporterTest, GoesThroughAProxy) {
  FaultSink sink("[{}]");
  OtlpOptions options = to("http://collector.example/v1/traces");
  options.proxy = "http://127.0.0.1:" + sink.port();
  start(std::move(options));
  EXPECT_TRUE(send().complete());
  EXPECT_EQ(sink.next().path, "http://collector.example/v1/traces");
}

// As curl and everybody else reads them.
TEST_F(ExporterTest, GoesThroughTheProxyOfTheEnvironment) {
  FaultSink sink("[{}]");
  setenv("http_proxy", ("http://127.0.0.1:" + sink.port()).c_str(), 1);
  setenv("no_proxy", "direct.invalid", 1);
  start(to("http://collector.invalid/v1/traces"));
  EXPECT_TRUE(send().complete());
  EXPECT_EQ(sink.next().path, "http://collector.invalid/v1/traces");
  trace::provider()->shutdown(kEnough);
  OtlpOptions direct = to("http://direct.invalid/v1/traces");
  direct.retry.attempts_max = 1;
  start(std::move(direct));
  EXPECT_EQ(send().cause.code(), Errc::resolve_failed);
  unsetenv("http_proxy");
  unsetenv("no_proxy");
}

// What is encrypted goes through the proxy in a tunnel.
TEST_F(ExporterTest, TunnelsThroughTheProxyOfTheEnvironment) {
  FaultSink sink("[{}]", {"--tls", folder(), "--connect", "200"});
  setenv("https_proxy", ("http://127.0.0.1:" + sink.port()).c_str(), 1);
  OtlpOptions options = to("https://localhost:4318/v1/traces");
  options.ca_file = folder() + "/ca.pem";
  start(std::move(options));
  const FlushReport report = send();
  unsetenv("https_proxy");
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(sink.next().path, "CONNECT localhost:4318");
  EXPECT_EQ(sink.next().path, "/v1/traces");
}

TEST_F(ExporterTest, SaysWhatTheProxySaidToItsTunnel) {
  FaultSink sink("[{}]", {"--tls", folder(), "--connect", "403"});
  OtlpOptions options = to("https://localhost:4318/v1/traces");
  options.proxy = "http://127.0.0.1:" + sink.port();
  options.ca_file = folder() + "/ca.pem";
  options.retry.attempts_max = 1;
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_EQ(report.lost.total(), 1u);
  EXPECT_NE(report.cause.detail().find("403"), std::string_view::npos) << report.to_string();
}

TEST_F(ExporterTest, TrustsTheAuthorityItIsGivenAndShowsItsCertificate) {
  FaultSink sink("[{}]", {"--tls", folder(), "--client"});
  OtlpOptions options = to("https://localhost:" + sink.port() + "/v1/traces");
  options.ca_file = folder() + "/ca.pem";
  options.client_certificate_file = folder() + "/client.pem";
  options.client_key_file = folder() + "/client.key";
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_TRUE(report.complete()) << report.to_string();
}

TEST_F(ExporterTest, WithoutACertificateOfItsOwnItIsTurnedAway) {
  FaultSink sink("[{}]", {"--tls", folder(), "--client"});
  OtlpOptions options = to("https://localhost:" + sink.port() + "/v1/traces");
  options.ca_file = folder() + "/ca.pem";
  start(std::move(options));
  const FlushReport report = send();
  EXPECT_EQ(report.lost.total(), 1u) << report.to_string();
  EXPECT_EQ(sink.rest().size(), 0u);
}

TEST_F(ExporterTest, AnAuthorityThatItDoesNotKnowIsNotTriedAgain) {
  FaultSink sink("[{}]", {"--tls", folder()});
  start(to("https://localhost:" + sink.port() + "/v1/traces"));
  const FlushReport report = send();
  EXPECT_EQ(report.cause.code(), Errc::export_tls_failed) << report.to_string();
  EXPECT_EQ(sink.rest().size(), 0u);
}

}  // namespace
}  // namespace spanwire::otlp
