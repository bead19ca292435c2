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

}  // namespace
}  // namespace spanwire::otlp
