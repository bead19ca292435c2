#include "spanwire/otlp/engine_flags.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace spanwire::otlp {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  };
}

struct Line {
  const char* name;
  std::vector<const char*> arguments;
  Variables variables;
  const char* said;  // the summary's line about OTLP; empty: nothing is started
};

class EngineFlagsLine : public ::testing::TestWithParam<Line> {};

TEST_P(EngineFlagsLine, MeansThis) {
  const Configuration all = from_args(GetParam().arguments, environment(GetParam().variables));
  const std::string said = GetParam().said;
  EXPECT_TRUE(all.warnings.empty()) << all.warnings[0];
  EXPECT_EQ(all.enabled, !said.empty());
  if (said.empty()) return;
  ASSERT_EQ(all.summary.size(), 2u);
  EXPECT_EQ(all.summary[1].substr(0, said.size()), said);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, EngineFlagsLine,
    ::testing::Values(
        Line{"Nothing", {"--model", "x"}, {}, ""},
        Line{"Sglang",
             {"--enable-trace", "--oltp-traces-endpoint", "0.0.0.0:4317", "--tp", "2"},
             {},
             "spans go to http://0.0.0.0:4317/ by grpc"},
        Line{"NewSpelling",
             {"--enable-trace", "--otlp-traces-endpoint=collector:4317"},
             {},
             "spans go to http://collector:4317/ by grpc"},
        Line{"Vllm",
             {"--otlp-traces-endpoint", "http://host:4317", "--enable-journey-tracing"},
             {},
             "spans go to http://host:4317/ by grpc"},
        Line{"AnyPortIsGrpc",
             {"--otlp-traces-endpoint=host:5000"},
             {},
             "spans go to http://host:5000/ by grpc"},
        Line{"HttpByPath",
             {"--otlp-traces-endpoint", "http://host:5000/v1/traces"},
             {},
             "spans go to http://host:5000/v1/traces by http/protobuf"},
        Line{"HttpByProtocol",
             {"--otlp-traces-endpoint", "http://host:5000/x"},
             {{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"}},
             "spans go to http://host:5000/x by http/protobuf"},
        Line{"NoEndpointAnywhere", {"--enable-trace"}, {}, "spans go to http://localhost:4317/ by"},
        Line{"EndpointOfTheEnvironment",
             {"--enable-trace"},
             {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
             "spans go to http://c:4318/v1/traces by http/protobuf"},
        Line{"TheFlagGoesBeforeTheEnvironment",
             {"--otlp-traces-endpoint", "http://mine:4317"},
             {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318"}},
             "spans go to http://mine:4317/ by grpc"},
        Line{"SwitchedOnByTheEnvironment",
             {},
             {{"SGLANG_ENABLE_TRACE", "1"}},
             "spans go to http://localhost:4317/ by grpc"},
        Line{"SwitchedOffByTheEnvironment", {}, {{"ENABLE_TRACE", "0"}}, ""},
        Line{"DisabledAll", {"--enable-trace"}, {{"OTEL_SDK_DISABLED", "true"}}, ""}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(EngineFlags, ReadsDetails) {
  std::vector<std::string> warnings;
  const std::vector<const char*> arguments = {"--collect-detailed-traces", "model,kernel"};
  const EngineFlags flags = read_engine_flags(arguments, environment({}), warnings);
  EXPECT_TRUE(flags.detail("model"));
  EXPECT_FALSE(flags.detail("worker"));
  EXPECT_FALSE(flags.any());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("'kernel'"), std::string::npos);
  const std::vector<const char*> all = {"--collect-detailed-traces=all"};
  EXPECT_TRUE(read_engine_flags(all, environment({}), warnings).detail("scheduler"));
}

TEST(EngineFlags, ReadsWhatOthersApply) {
  std::vector<std::string> warnings;
  const std::vector<const char*> arguments = {"--trace-modules", "request, hicache",
                                              "--journey-tracing-sample-rate=0.25"};
  const EngineFlags flags = read_engine_flags(arguments, environment({}), warnings);
  EXPECT_EQ(flags.trace_modules, "request, hicache");
  EXPECT_EQ(flags.journey_sample_rate, 0.25);
  EXPECT_FALSE(flags.any());
  EXPECT_TRUE(warnings.empty());
  for (const char* rate : {"1.5", "-0.1", "x", "", "nan"}) {
    warnings.clear();
    const std::string flag = std::string("--journey-tracing-sample-rate=") + rate;
    const std::vector<const char*> bad = {flag.c_str()};
    EXPECT_FALSE(read_engine_flags(bad, environment({}), warnings).journey_sample_rate) << rate;
    EXPECT_EQ(warnings.size(), 1u) << rate;
  }
}

TEST(EngineFlags, TheServiceNameGoesBeforeTheEnvironment) {
  const std::vector<const char*> arguments = {"--enable-trace", "--otlp-service-name", "decode-0"};
  const Configuration all =
      from_args(arguments, environment({{"OTEL_SERVICE_NAME", "of the pod"}}));
  const std::string* name = all.options.resource.text("service.name");
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(*name, "decode-0");
}

TEST(EngineFlags, AFlagWithoutItsValueIsLeftOut) {
  for (const std::vector<const char*>& arguments :
       {std::vector<const char*>{"--otlp-traces-endpoint"},
        std::vector<const char*>{"--otlp-traces-endpoint", "--enable-trace"},
        std::vector<const char*>{"--otlp-traces-endpoint="}}) {
    std::vector<std::string> warnings;
    const EngineFlags flags = read_engine_flags(arguments, environment({}), warnings);
    EXPECT_TRUE(flags.endpoint.empty());
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("--otlp-traces-endpoint"), std::string::npos);
  }
}

}  // namespace
}  // namespace spanwire::otlp
