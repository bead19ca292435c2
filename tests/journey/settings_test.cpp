#include "spanwire/journey/settings.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "lib/journey/settings.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::journey {
namespace {

struct Named {
  const char* text;
  std::optional<Level> level;
};
constexpr Named kNamed[] = {
    {"", kEverything},    {"0", kOff},         {"1", kImportant},     {"2", kUsual},
    {"3", kEverything},   {" 2 ", kUsual},     {"10", kEverything},   {"-1", kOff},
    {"2x", std::nullopt}, {"x", std::nullopt}, {"1.5", std::nullopt}, {"99999999999", std::nullopt},
};

TEST(TraceLevel, IsReadFromText) {
  for (const Named& named : kNamed) EXPECT_EQ(level_named(named.text), named.level) << named.text;
}

TEST(TraceLevel, WhatIsNoNumberIsWarnedOf) {
  testing::LogCapture log;
  for (const Named& named : kNamed) {
    log.clock().advance(std::chrono::seconds(2));
    const std::size_t before = log.lines().size();
    ::setenv("SGLANG_TRACE_LEVEL", named.text, 1);
    warn_of_environment();
    EXPECT_EQ(log.lines().size(), before + (named.level ? 0 : 1)) << named.text;
  }
  ::unsetenv("SGLANG_TRACE_LEVEL");
  EXPECT_TRUE(log.contains("variable=SGLANG_TRACE_LEVEL value=2x"));
}

TEST(TraceLevel, IsSetFromText) {
  ASSERT_TRUE(set_trace_level("1").has_value());
  EXPECT_EQ(trace_level(), kImportant);
  EXPECT_EQ(set_trace_level("high").error().code(), Errc::bad_number);
  EXPECT_EQ(trace_level(), kImportant);
  ASSERT_TRUE(set_trace_level("").has_value());
  EXPECT_EQ(trace_level(), kEverything);
}

// Above the highest level is the highest, by call as by text.
TEST(TraceLevel, IsClampedWhenItIsSet) {
  set_trace_level(200);
  EXPECT_EQ(trace_level(), kEverything);
}

// In a child: the names are kept for the life of the process.
TEST(TraceModules, AreLimited) {
  const int wrong = testing::run_in_child([] {
    std::string names = "request";
    for (std::size_t i = 0; i < kModulesMax; ++i) names += ",module" + std::to_string(i);
    const Result<void> result = set_trace_modules(names);
    if (result || result.error().code() != Errc::invalid_argument) return 1;
    return module_wanted(module_index("another")) ? 0 : 2;  // the filter is as it was: none
  });
  EXPECT_EQ(wrong, 0);
}

// A child has no thread that would give back what another one of its parent's was just holding.
TEST(JourneySettings, AForkWhileAnotherThreadSetsThemLeavesThemOpenInTheChild) {
  constexpr int kForks = 50;
  std::atomic<bool> stop{false};
  std::thread setter([&stop] {
    while (!stop.load()) {
      EXPECT_TRUE(set_trace_modules(std::string_view()));
      set_options({});
    }
  });
  for (int i = 0; i < kForks; ++i) {
    const int wrong = testing::run_in_child([] {
      set_options({});
      return set_trace_modules(std::string_view()) ? 0 : 1;
    });
    EXPECT_EQ(wrong, 0);
    if (wrong != 0) break;
  }
  stop.store(true);
  setter.join();
}

}  // namespace
}  // namespace spanwire::journey
