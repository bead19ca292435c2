// Variables that are Spanwire's own.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/otlp/environment.hpp"

namespace spanwire::otlp {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Configuration read(const Variables& variables) {
  return read_environment([&variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(ReadEnvironment, ReadsTheFilter) {
  EXPECT_EQ(read({{"SPANWIRE_TRACES_FILTER", "none"}}).options.sampler, nullptr);
  const Configuration own = read({{"SPANWIRE_TRACES_FILTER", "name=tick, path^=/internal/"}});
  EXPECT_TRUE(own.warnings.empty());
  EXPECT_NE(own.options.sampler->describe().find("2 rules"), std::string::npos);
  const Configuration bad = read({{"SPANWIRE_TRACES_FILTER", "tick"}});
  ASSERT_EQ(bad.warnings.size(), 1u);
  EXPECT_EQ(bad.warnings[0].rfind("SPANWIRE_TRACES_FILTER='tick': tick is none of", 0), 0u);
}

TEST(ReadEnvironment, ReadsWhereMetricsAreServed) {
  EXPECT_EQ(read({{"SPANWIRE_TRACES_FILE", "x"}}).metrics_listen, "");
  EXPECT_EQ(read({{"SPANWIRE_METRICS_LISTEN", " :9464 "}}).metrics_listen, ":9464");
  EXPECT_EQ(read({{"SPANWIRE_METRICS_LISTEN", ":1"}, {"OTEL_SDK_DISABLED", "true"}}).metrics_listen,
            "");
}

TEST(ReadEnvironment, ReadsWhatToKeep) {
  const Configuration off = read({{"SPANWIRE_TRACES_FILE", "x"}});
  EXPECT_FALSE(off.options.keep_errors);
  EXPECT_EQ(off.options.keep_slower_than.count(), 0);
  const Configuration both =
      read({{"SPANWIRE_TRACES_FILE", "x"}, {"SPANWIRE_TRACES_KEEP", "errors, slow=1500"}});
  EXPECT_TRUE(both.warnings.empty());
  EXPECT_TRUE(both.options.keep_errors);
  EXPECT_EQ(both.options.keep_slower_than, std::chrono::milliseconds(1500));
  EXPECT_NE(both.summary.at(0).find("keeps failed spans, keeps spans over 1500 ms"),
            std::string::npos)
      << both.summary.at(0);
  for (const char* bad :
       {"slow", "slow=", "slow=0", "slow=-1", "slow=1s", "slow=4294967296", "error", "errors=1"}) {
    const Configuration wrong = read({{"SPANWIRE_TRACES_KEEP", std::string("none,") + bad}});
    EXPECT_FALSE(wrong.options.keep_errors) << bad;
    EXPECT_EQ(wrong.options.keep_slower_than.count(), 0) << bad;
    ASSERT_EQ(wrong.warnings.size(), 1u) << bad;
    EXPECT_EQ(wrong.warnings[0], "SPANWIRE_TRACES_KEEP='none," + std::string(bad) + "': " + bad +
                                     " is none of errors, slow=MILLISECONDS (1 to 4294967295), "
                                     "none: left out");
  }
}

// Of a span of that name; `trace` ends in what ratios look at.
bool samples(const Configuration& configuration, std::string_view name,
             std::string_view trace = "4bf92f3577b34da6a3ffffffffffffff", const char* parent = "") {
  const trace::TraceId trace_id = *trace::TraceId::from_hex(trace);
  trace::Context context;
  if (*parent != '\0') {
    context = context.with_span(trace::SpanContext(
        trace_id, *trace::SpanId::from_hex("00f067aa0ba902b7"), *parent == '1' ? 1 : 0, true));
  }
  return configuration.options.sampler->sample({context, trace_id, name}).decision ==
         trace::Decision::record_and_sample;
}
constexpr std::string_view kUnlikely = "4bf92f3577b34da6a300000000000000";
constexpr std::string_view kEven = "4bf92f3577b34da6a380000000000000";
constexpr std::string_view kBelowEven = "4bf92f3577b34da6a37fffffffffffff";

TEST(ReadEnvironment, ReadsSamplersOfPaths) {
  const Configuration paths = read({{"SPANWIRE_TRACES_FILE", "x"},
                                    {"SPANWIRE_TRACES_FILTER", "none"},
                                    {"OTEL_TRACES_SAMPLER", "parentbased_always_off"},
                                    {"SPANWIRE_TRACES_PATHS", " llm/debug = 1, llm/=0.5,a=b=2/s"}});
  EXPECT_TRUE(paths.warnings.empty());
  EXPECT_TRUE(samples(paths, "llm/debug/step", kUnlikely));
  EXPECT_TRUE(samples(paths, "llm/generate", kEven));
  EXPECT_FALSE(samples(paths, "llm/generate", kBelowEven));
  EXPECT_FALSE(samples(paths, "admin"));
  EXPECT_TRUE(samples(paths, "a=b"));
  EXPECT_TRUE(samples(paths, "a=b"));
  EXPECT_FALSE(samples(paths, "a=b")) << "two a second";
  EXPECT_NE(paths.summary.at(0).find(" but llm/debug = 1, llm/=0.5, a=b=2/s"), std::string::npos)
      << paths.summary.at(0);
}

// What has a parent is none of its business, whatever the sampler makes of it.
TEST(ReadEnvironment, SamplersOfPathsAreForRoots) {
  for (const char* sampler : {"", "parentbased_always_on"}) {
    const Configuration follows = read({{"SPANWIRE_TRACES_FILTER", "none"},
                                        {"OTEL_TRACES_SAMPLER", sampler},
                                        {"SPANWIRE_TRACES_PATHS", "on=1,off=0"}});
    EXPECT_FALSE(samples(follows, "on", kEven, "0"));
    EXPECT_TRUE(samples(follows, "off", kEven, "1"));
    EXPECT_FALSE(samples(follows, "off"));
    EXPECT_TRUE(samples(follows, "other"));
  }
  const Configuration always = read({{"SPANWIRE_TRACES_FILTER", "none"},
                                     {"OTEL_TRACES_SAMPLER", "always_on"},
                                     {"SPANWIRE_TRACES_PATHS", "off=0"}});
  EXPECT_TRUE(samples(always, "off", kEven, "0"));
  EXPECT_FALSE(samples(always, "off"));
}

TEST(ReadEnvironment, WarnsOfBadSamplersOfPaths) {
  for (const char* bad :
       {"llm/", "llm/=", "=1", "llm/=2", "llm/=-1", "llm/=nan", "llm/=1x", "llm/=1%", "llm/=/s",
        "llm/=-1/s", "llm/=inf/s", "llm/=1/m", "llm/=always_on"}) {
    const Configuration wrong =
        read({{"SPANWIRE_TRACES_FILTER", "none"}, {"SPANWIRE_TRACES_PATHS", bad}});
    EXPECT_EQ(wrong.options.sampler, nullptr) << bad;
    ASSERT_EQ(wrong.warnings.size(), 1u) << bad;
    EXPECT_EQ(wrong.warnings[0],
              "SPANWIRE_TRACES_PATHS='" + std::string(bad) + "': " + bad +
                  " is no PREFIX=RATIO (0 to 1) and no PREFIX=NUMBER/s: left out");
  }
}

}  // namespace
}  // namespace spanwire::otlp
