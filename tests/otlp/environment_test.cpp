#include "spanwire/otlp/environment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "spanwire/otlp/file_exporter.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::otlp {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Configuration read(Variables variables) {
  variables.emplace("SPANWIRE_TRACES_FILE", "/tmp/traces-%p");
  return read_environment([&](std::string_view name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  });
}

std::string text(const Configuration& configuration, std::string_view key) {
  const std::string* value = configuration.options.resource.text(key);
  return value != nullptr ? *value : "";
}

TEST(ReadEnvironment, DefaultsAreOpenTelemetrys) {
  const Configuration all = read({});
  EXPECT_TRUE(all.enabled);
  EXPECT_TRUE(all.warnings.empty());
  EXPECT_EQ(all.options.exporters.size(), 1u);
  // Parent-based, roots on, without noise.
  ASSERT_NE(all.options.sampler, nullptr);
  EXPECT_NE(all.options.sampler->describe().find("root:AlwaysOnSampler"), std::string::npos);
  EXPECT_TRUE(all.options.sampler->drops_unsampled_children());
  EXPECT_EQ(all.options.schedule_delay, std::chrono::milliseconds(5000));
  EXPECT_EQ(all.options.export_timeout, std::chrono::milliseconds(30000));
  EXPECT_EQ(all.options.batch_spans_max, 512u);
  EXPECT_EQ(all.options.queue_spans_max, 0u);
  EXPECT_EQ(all.options.limits.attributes_max, 128u);
  EXPECT_EQ(all.options.limits.events_max, 128u);
  EXPECT_EQ(all.options.limits.links_max, 128u);
  EXPECT_EQ(all.options.limits.value_chars_max, trace::kNoLimit);
  EXPECT_EQ(text(all, "service.name").rfind("unknown_service:", 0), 0u);
  EXPECT_EQ(text(all, "service.instance.id").size(), 36u);
  EXPECT_EQ(text(all, "telemetry.sdk.language"), "cpp");
  EXPECT_LE(all.summary.size(), 5u);
}

TEST(ReadEnvironment, EmptyIsNotSet) {
  const Configuration all = read({{"OTEL_SERVICE_NAME", ""},
                                  {"OTEL_SDK_DISABLED", " "},
                                  {"OTEL_TRACES_SAMPLER", ""},
                                  {"OTEL_BSP_SCHEDULE_DELAY", ""}});
  EXPECT_TRUE(all.enabled);
  EXPECT_TRUE(all.warnings.empty());
  EXPECT_EQ(all.options.schedule_delay, std::chrono::milliseconds(5000));
}

TEST(ReadEnvironment, ReadsTheResource) {
  const Configuration all =
      read({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=other, deployment=a%2Cb%3D, empty= ,x=y=z"},
            {"OTEL_SERVICE_NAME", "decode"}});
  EXPECT_EQ(text(all, "service.name"), "decode");
  EXPECT_EQ(text(all, "deployment"), "a,b=");
  EXPECT_EQ(text(all, "empty"), "");
  EXPECT_EQ(text(all, "x"), "y=z");
  EXPECT_TRUE(all.warnings.empty());
}

TEST(ReadEnvironment, ReadsNumbersAndLimits) {
  const Configuration all = read({{"OTEL_BSP_SCHEDULE_DELAY", "100"},
                                  {"OTEL_BSP_EXPORT_TIMEOUT", "0"},
                                  {"OTEL_BSP_MAX_QUEUE_SIZE", "1000"},
                                  {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200"},
                                  {"OTEL_ATTRIBUTE_COUNT_LIMIT", "7"},
                                  {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "8"},
                                  {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "9"},
                                  {"OTEL_SPAN_EVENT_COUNT_LIMIT", "0"},
                                  {"OTEL_SPAN_LINK_COUNT_LIMIT", "11"},
                                  {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "12"}});
  EXPECT_TRUE(all.warnings.empty());
  EXPECT_EQ(all.options.schedule_delay, std::chrono::milliseconds(100));
  EXPECT_EQ(all.options.export_timeout, std::chrono::milliseconds(0));
  EXPECT_EQ(all.options.queue_spans_max, 1000u);
  EXPECT_EQ(all.options.batch_spans_max, 200u);
  EXPECT_EQ(all.options.limits.attributes_max, 8u);
  EXPECT_EQ(all.options.limits.event_attributes_max, 9u);
  EXPECT_EQ(all.options.limits.link_attributes_max, 7u);
  EXPECT_EQ(all.options.limits.events_max, 0u);
  EXPECT_EQ(all.options.limits.links_max, 11u);
  EXPECT_EQ(all.options.limits.value_chars_max, 12u);
}

struct BadValue {
  const char* name;
  const char* variable;
  const char* value;
  const char* used;  // what the warning says holds instead
};

class ReadEnvironmentWarns : public ::testing::TestWithParam<BadValue> {};

TEST_P(ReadEnvironmentWarns, NamingVariableValueAndWhatIsUsed) {
  const Configuration all = read({{GetParam().variable, GetParam().value}});
  ASSERT_EQ(all.warnings.size(), 1u);
  const std::string& warning = all.warnings[0];
  EXPECT_NE(warning.find(GetParam().variable), std::string::npos) << warning;
  EXPECT_NE(warning.find(std::string("'") + GetParam().value + "'"), std::string::npos) << warning;
  EXPECT_NE(warning.find(GetParam().used), std::string::npos) << warning;
  EXPECT_TRUE(all.enabled);
}

INSTANTIATE_TEST_SUITE_P(
    Variables, ReadEnvironmentWarns,
    ::testing::Values(
        BadValue{"NotABoolean", "OTEL_SDK_DISABLED", "yes", "false"},
        BadValue{"NoSuchProtocol", "OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", "http/protobuf"},
        BadValue{"NoSuchCompression", "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none"},
        BadValue{"NoTimeout", "OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10000"},
        BadValue{"NotAnEndpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x",
                 "http://localhost:4318"},
        BadValue{"NotAPort", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:99999",
                 "http://localhost:4318"},
        BadValue{"NoScheme", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318",
                 "http://collector:4318"},
        BadValue{"BadLevel", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "10000"},
        BadValue{"NoSuchSampler", "OTEL_TRACES_SAMPLER", "xray", "parentbased_always_on"},
        BadValue{"NotANumber", "OTEL_BSP_SCHEDULE_DELAY", "5s", "5000"},
        BadValue{"Negative", "OTEL_BSP_EXPORT_TIMEOUT", "-1", "30000"},
        BadValue{"Zero", "OTEL_BSP_MAX_QUEUE_SIZE", "0", "no bound"},
        BadValue{"TooLarge", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999999999", "512"},
        BadValue{"BadLimit", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1.5", "128"},
        BadValue{"BadLength", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "long", "no limit"},
        BadValue{"NoEquals", "OTEL_RESOURCE_ATTRIBUTES", "a=b,c", "left out"},
        BadValue{"BadEscape", "OTEL_RESOURCE_ATTRIBUTES", "a=b,c=%2", "left out"},
        BadValue{"NoKey", "OTEL_RESOURCE_ATTRIBUTES", "=b", "left out"},
        BadValue{"OtherExporter", "OTEL_TRACES_EXPORTER", "zipkin", "left out"},
        BadValue{"NoneAndFile", "OTEL_TRACES_EXPORTER", "none,file", "none is left out"},
        BadValue{"Propagator", "OTEL_PROPAGATORS", "tracecontext,xray",
                 "xray is left out: using tracecontext"},
        BadValue{"LogLevel", "OTEL_LOG_LEVEL", "chatty", "info"},
        BadValue{"LogFormat", "SPANWIRE_LOG_FORMAT", "xml", "text"},
        BadValue{"RemoteSampler", "OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_always_on"},
        BadValue{"ConfigFile", "OTEL_CONFIG_FILE", "/etc/otel.yaml", "other variables"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(ReadEnvironment, KnowsEverySampler) {
  const std::pair<const char*, const char*> samplers[] = {
      {"always_on", "AlwaysOnSampler"},
      {"always_off", "AlwaysOffSampler"},
      {"traceidratio", "TraceIdRatioBased{1.0"},
      {"parentbased_always_on", "root:AlwaysOnSampler"},
      {"parentbased_always_off", "root:AlwaysOffSampler"},
      {"parentbased_traceidratio", "root:TraceIdRatioBased{1.0"}};
  for (const auto& [name, described] : samplers) {
    const Configuration all = read({{"OTEL_TRACES_SAMPLER", name}});
    EXPECT_TRUE(all.warnings.empty()) << name;
    EXPECT_NE(all.options.sampler->describe().find(described), std::string::npos)
        << all.options.sampler->describe();
  }
}

TEST(ReadEnvironment, AnArgumentWithoutASamplerIsNotLookedAt) {
  EXPECT_TRUE(read({{"OTEL_TRACES_SAMPLER_ARG", "x"}}).warnings.empty());
}

TEST(ReadEnvironment, ADisabledProcessHasItsPropagatorsAllTheSame) {
  const Configuration off = read({{"OTEL_SDK_DISABLED", "true"}, {"OTEL_PROPAGATORS", "b3"}});
  EXPECT_FALSE(off.enabled);
  EXPECT_EQ(off.propagators.to_string(), "b3");
}

// A bad part of the resource does not leave the good part behind: the specification says all or
// nothing.
TEST(ReadEnvironment, ABadResourceIsLeftOutAsAWhole) {
  EXPECT_EQ(text(read({{"OTEL_RESOURCE_ATTRIBUTES", "good=1,bad"}}), "good"), "");
}

TEST(ReadEnvironment, TheBatchFitsTheQueue) {
  const Configuration all = read({{"OTEL_BSP_MAX_QUEUE_SIZE", "100"}});
  EXPECT_EQ(all.options.batch_spans_max, 100u);
  EXPECT_EQ(all.warnings.size(), 1u);
}

TEST(ReadEnvironment, ReadsTheSampler) {
  const Configuration ratio = read(
      {{"OTEL_TRACES_SAMPLER", "ParentBased_TraceIdRatio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.25"}});
  ASSERT_NE(ratio.options.sampler, nullptr);
  EXPECT_NE(ratio.options.sampler->describe().find("TraceIdRatioBased{0.25"), std::string::npos);
  const Configuration bad =
      read({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "2"}});
  ASSERT_EQ(bad.warnings.size(), 1u);
  EXPECT_EQ(bad.warnings[0], "OTEL_TRACES_SAMPLER_ARG='2': not a ratio from 0 to 1: using 1");
  EXPECT_NE(bad.options.sampler->describe().find("TraceIdRatioBased{1.0"), std::string::npos);
}

TEST(ReadEnvironment, ReadsARateInsteadOfARatio) {
  const Configuration all =
      read({{"OTEL_TRACES_SAMPLER", "parentbased_rate_limited"}, {"OTEL_TRACES_SAMPLER_ARG", "5"}});
  EXPECT_TRUE(all.warnings.empty());
  EXPECT_NE(all.options.sampler->describe().find("RateLimitingSampler{5.0"), std::string::npos);
}

TEST(ReadEnvironment, NoneTracesWithoutExporting) {
  const Configuration all = read({{"OTEL_TRACES_EXPORTER", "none"}});
  EXPECT_TRUE(all.enabled);
  EXPECT_TRUE(all.options.exporters.empty());
  EXPECT_TRUE(all.warnings.empty());
}

TEST(ReadEnvironment, DisabledAndUnconfiguredStartNothing) {
  EXPECT_FALSE(read({{"OTEL_SDK_DISABLED", "TRUE"}}).enabled);
  const Configuration none = read({{"SPANWIRE_TRACES_FILE", ""}});
  EXPECT_FALSE(none.enabled);
  ASSERT_EQ(none.summary.size(), 1u);
  EXPECT_NE(none.summary[0].find("SPANWIRE_TRACES_FILE"), std::string::npos);
  EXPECT_NE(none.summary[0].find("OTEL_EXPORTER_OTLP_ENDPOINT"), std::string::npos);
}

struct Target {
  const char* name;
  Variables variables;
  const char* said;  // where the spans go, as the summary says it
};

class ReadEnvironmentOtlp : public ::testing::TestWithParam<Target> {};

TEST_P(ReadEnvironmentOtlp, SaysWhereSpansGo) {
  Variables variables = GetParam().variables;
  variables.emplace("SPANWIRE_TRACES_FILE", "");
  const Configuration all = read(variables);
  EXPECT_TRUE(all.enabled);
  EXPECT_TRUE(all.warnings.empty()) << all.warnings[0];
  ASSERT_EQ(all.options.exporters.size(), 1u);
  EXPECT_EQ(all.options.exporters[0]->name(), "otlp");
  ASSERT_EQ(all.summary.size(), 2u);
  EXPECT_EQ(all.summary[1].substr(0, std::string(GetParam().said).size()), GetParam().said);
}

constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
constexpr const char* kProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL";

INSTANTIATE_TEST_SUITE_P(
    Variables, ReadEnvironmentOtlp,
    ::testing::Values(
        Target{"Named",
               {{"OTEL_TRACES_EXPORTER", "otlp"}},
               "spans go to http://localhost:4318/v1/traces by http/protobuf"},
        Target{"NamedGrpc", {{kProtocol, "grpc"}}, "spans go to http://localhost:4317/ by grpc"},
        Target{"Base",
               {{kEndpoint, "http://c:4318"}},
               "spans go to http://c:4318/v1/traces by http/protobuf"},
        Target{"BaseWithSlash",
               {{kEndpoint, "http://c:4318/"}},
               "spans go to http://c:4318/v1/traces by"},
        Target{"BaseWithPath",
               {{kEndpoint, "https://c/otlp"}},
               "spans go to https://c/otlp/v1/traces by"},
        Target{"ForTraces",
               {{kEndpoint, "http://a"}, {kTraces, "http://c:4318/mine"}},
               "spans go to http://c:4318/mine by http/protobuf"},
        Target{
            "ForTracesWithoutPath", {{kTraces, "http://c:4318"}}, "spans go to http://c:4318/ by"},
        Target{"Json",
               {{kProtocol, "HTTP/JSON"}},
               "spans go to http://localhost:4318/v1/traces by http/json"},
        Target{"PortOfGrpc",
               {{kEndpoint, "http://c:4317"}},
               "spans go to http://c:4317/ by grpc (no protocol is named"},
        Target{"PortOfGrpcWithoutScheme",
               {{kEndpoint, "c:4317"}, {"OTEL_EXPORTER_OTLP_INSECURE", "true"}},
               "spans go to http://c:4317/ by grpc"},
        Target{"GrpcIsSecureUnlessSaid",
               {{kEndpoint, "c:4317"}},
               "spans go to https://c:4317/ by grpc"},
        Target{
            "PortOfGrpcButHttp",
            {{kEndpoint, "http://c:4317"}, {kProtocol, "http/protobuf"}},
            "spans go to http://c:4317/v1/traces by http/protobuf (port 4317 is gRPC's by custom"},
        Target{"PasswordIsNotSaid",
               {{kEndpoint, "https://me:secret@c/"}},
               "spans go to https://c/v1/traces by"},
        Target{"UnixSocket",
               {{kEndpoint, "unix:/run/otel.sock"}},
               "spans go to unix:/run/otel.sock by"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(ReadEnvironment, SeveralExportersAtOnce) {
  const Configuration all = read({{"OTEL_TRACES_EXPORTER", "console, otlp"}});
  ASSERT_EQ(all.options.exporters.size(), 3u);
  EXPECT_EQ(all.options.exporters[0]->name(), "file");
  EXPECT_EQ(all.options.exporters[1]->name(), "console");
  EXPECT_EQ(all.options.exporters[2]->name(), "otlp");
  EXPECT_LE(all.summary.size(), 5u);
}

// A header may hold a token: a warning does not.
TEST(ReadEnvironment, DoesNotShowAHeadersValue) {
  const Configuration all = read({{"OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"}});
  ASSERT_EQ(all.warnings.size(), 1u);
  EXPECT_EQ(all.warnings[0].find("secret"), std::string::npos);
}

TEST(InitFromEnv, SaysWhatItDoesAndKeepsTheFirstProvider) {
  const std::string file = ::testing::TempDir() + "spanwire-init-%p.jsonl";
  setenv("SPANWIRE_TRACES_FILE", file.c_str(), 1);
  setenv("OTEL_SERVICE_NAME", "init-test", 1);
  setenv("OTEL_BSP_SCHEDULE_DELAY", "soon", 1);
  testing::LogCapture log;
  trace::Provider* provider = init_from_env();
  ASSERT_NE(provider, nullptr);
  EXPECT_EQ(provider, trace::provider());
  EXPECT_TRUE(log.contains("init-test"));
  EXPECT_TRUE(log.contains(expand_path(file)));
  EXPECT_TRUE(log.contains("OTEL_BSP_SCHEDULE_DELAY='soon'"));
  const std::size_t lines = log.lines().size();
  EXPECT_EQ(init_from_env(), provider);
  EXPECT_EQ(log.count("already active"), 1u);
  EXPECT_EQ(log.lines().size(), lines + 1);
  EXPECT_TRUE(provider->shutdown(std::chrono::seconds(30)).complete());
  EXPECT_EQ(trace::provider(), nullptr);
  unsetenv("SPANWIRE_TRACES_FILE");
  unsetenv("OTEL_SERVICE_NAME");
  unsetenv("OTEL_BSP_SCHEDULE_DELAY");
  EXPECT_EQ(init_from_env(), nullptr);
}

// ---- Propagators

TEST(ReadEnvironment, TakesPropagatorsInTheirOrder) {
  const auto read = [](const std::string& value) {
    return read_environment([&value](std::string_view name) -> std::optional<std::string> {
      if (name == "OTEL_PROPAGATORS") return value;
      return std::nullopt;
    });
  };
  EXPECT_EQ(read("B3, tracecontext,baggage,b3").propagators.to_string(), "b3,tracecontext,baggage");
  EXPECT_EQ(read("b3multi,jaeger").propagators.to_string(), "b3multi,jaeger");
  EXPECT_EQ(read("none").propagators.to_string(), "none");
  EXPECT_EQ(read("").propagators, trace::Propagators::w3c());
  EXPECT_EQ(read("xray").propagators, trace::Propagators::w3c()) << "contexts are not lost";
  EXPECT_EQ(read("xray").warnings.size(), 1u);
}

// Also a process that does not trace passes contexts on in the form that is asked for.
TEST(Start, SetsThePropagatorsOfADisabledProcess) {
  Configuration configuration;
  configuration.enabled = false;
  configuration.propagators = trace::Propagators();
  configuration.propagators.add(trace::Propagator::b3);
  EXPECT_EQ(start(std::move(configuration)), nullptr);
  EXPECT_EQ(trace::propagators().to_string(), "b3");
  trace::set_propagators(trace::Propagators::w3c());
}

}  // namespace
}  // namespace spanwire::otlp
