#include "spanwire/base/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <thread>

#include "spanwire/base/counters.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using testing::LogCapture;
using testing::run_in_child;

void log_here(int number) { log_warn("the same place", {{"number", number}}); }

TEST(Log, WritesTextAndFields) {
  const LogCapture log;
  const std::string path = "llm/decode";
  log_warn("a handler held the loop", {{"path", path},
                                       {"ms", 12},
                                       {"bytes", 7u},
                                       {"fatal", false},
                                       {"share", 0.5},
                                       {"cause", Errc::cancelled},
                                       trace_field("0af7651916cd43dd8448eb211c80319c")});
  ASSERT_EQ(log.lines().size(), 1u);
  EXPECT_EQ(log.lines()[0],
            "warn a handler held the loop path=llm/decode ms=12 bytes=7 fatal=false share=0.5 "
            "cause=cancelled trace_id=0af7651916cd43dd8448eb211c80319c");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  const LogCapture log;
  set_log_level(LogLevel::warn);
  log_info("not said");
  log_error("said");
  spanwire::log(LogLevel::off, "never said");
  EXPECT_EQ(log.lines(), std::vector<std::string>{"error said"});
  EXPECT_FALSE(log_enabled(LogLevel::info));
}

TEST(Log, LimitsEachPlaceAndSaysWhatItLeftOut) {
  LogCapture log;
  const std::int64_t before = counter_snapshot().value("spanwire.log.suppressed");
  for (int i = 0; i < 100; ++i) log_here(i);
  log_warn("another place");
  EXPECT_EQ(log.count("the same place"), kLogLinesPerSecondMax);
  EXPECT_EQ(log.count("another place"), 1u);
  EXPECT_EQ(counter_snapshot().value("spanwire.log.suppressed") - before, 95);
  log.clock().advance(1s);
  log_here(100);
  EXPECT_TRUE(log.contains("number=100 suppressed=95"));
  log.clock().advance(1s);
  log_here(101);
  EXPECT_EQ(log.lines().back(), "warn the same place number=101");
}

TEST(Log, FlushSaysWhatWasLeftOutLast) {
  LogCapture log;
  log.clock().advance(1h);
  for (int i = 0; i < 8; ++i) log_here(i);
  flush_log();
  EXPECT_EQ(log.lines().back(), "warn the same place suppressed=3");
  const std::size_t lines = log.lines().size();
  flush_log();
  EXPECT_EQ(log.lines().size(), lines);
}

TEST(Log, EscapesSoThatNoValueForgesALine) {
  const LogCapture log;
  log_info("peer said", {{"text", "a\nwarn forged \"x\"\x01"}, {"empty", ""}});
  EXPECT_EQ(log.lines()[0], "info peer said text=\"a\\nwarn forged \\\"x\\\"\\u0001\" empty=\"\"");
}

TEST(Log, WritesJson) {
  LogLine line;
  line.time = WallTime(1'700'000'000'000'042'000ns);
  line.level = LogLevel::error;
  line.text = "it \"broke\"";
  const std::initializer_list<LogField> fields = {{"path", "a\\b"},
                                                  {"n", -3},
                                                  {"ok", true},
                                                  {"rate", 0.25},
                                                  {"bad", std::numeric_limits<double>::infinity()}};
  line.fields = fields;
  line.suppressed = 2;
  EXPECT_EQ(format_log_json(line),
            R"({"time":"2023-11-14T22:13:20.000042Z","level":"error","message":"it \"broke\"",)"
            R"("path":"a\\b","n":-3,"ok":true,"rate":0.25,"bad":"inf","suppressed":2})");
}

// The environment is read once a process, so these run this program again.
class LogEnvironment : public ::testing::Test {
 protected:
  // What the program writes to stderr with `variable` set.
  static std::string stderr_of_program(const char* variable, const char* value) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const int exit_code = run_in_child([&] {
      setenv(variable, value, 1);
      dup2(ends[1], STDERR_FILENO);
      return execl("/proc/self/exe", "tests", "--gtest_filter=LogProgram.SaysTwoLines",
                   "--gtest_brief=1", nullptr);
    });
    EXPECT_EQ(exit_code, 0);
    close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = read(ends[0], buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    close(ends[0]);
    return text;
  }
};

TEST(LogProgram, SaysTwoLines) {
  log_info("informed", {{"n", 1}});
  log_error("failed", {{"n", 2}});
  EXPECT_TRUE(log_enabled(LogLevel::error));
}

TEST_F(LogEnvironment, WritesTextToStderrAtInfo) {
  const std::string text = stderr_of_program("OTEL_LOG_LEVEL", "");
  EXPECT_NE(text.find("[spanwire] informed n=1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[spanwire] failed n=2\n"), std::string::npos) << text;
}

TEST_F(LogEnvironment, TakesItsLevelFromOtel) {
  const std::string text = stderr_of_program("OTEL_LOG_LEVEL", "ERROR");
  EXPECT_EQ(text.find("informed"), std::string::npos) << text;
  EXPECT_NE(text.find("failed"), std::string::npos) << text;
}

TEST_F(LogEnvironment, WritesJsonWhenAsked) {
  const std::string text = stderr_of_program("SPANWIRE_LOG_FORMAT", "json");
  EXPECT_EQ(text.rfind("{\"time\":\"", 0), 0u) << text;
  EXPECT_NE(text.find(R"("level":"error","message":"failed","n":2})"), std::string::npos) << text;
}

class CountingSink final : public LogSink {
 public:
  void write(const LogLine&) noexcept override { ++lines; }
  std::atomic<int> lines{0};
};

// A child that is forked while other threads log finds the log whole.
TEST(Log, WorksInAChildForkedWhileThreadsLog) {
  const auto sink = std::make_shared<CountingSink>();
  set_log_sink(sink);
  std::atomic<bool> stop{false};
  std::thread busy([&stop] {
    while (!stop) log_here(0);
  });
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(run_in_child([&sink] {
                sink->lines = 0;
                log_error("in the child");
                return sink->lines == 1 ? 0 : 1;
              }),
              0);
  }
  stop = true;
  busy.join();
  set_log_sink(nullptr);
}

// The place of a made text is the literal: texts that differ share one limit, unless they have
// none.
TEST(Log, TextsMadeAtRunTimeShareTheLimitOfTheirPlace) {
  testing::LogCapture capture;
  for (int i = 0; i < 20; ++i) {
    log_made(LogLevel::info, "a request began", "request " + std::to_string(i) + " began");
    log_made(LogLevel::info, "a request ended", "request " + std::to_string(i) + " ended", {},
             false);
  }
  EXPECT_EQ(capture.count("began"), kLogLinesPerSecondMax);
  EXPECT_EQ(capture.count("ended"), 20u);
  EXPECT_TRUE(capture.contains("info request 0 began"));
  flush_log();
  EXPECT_TRUE(capture.contains("info a request began"));
}

// One function may speak of several things: each has the limit for itself.
TEST(Log, TextsOfOnePlaceAreLimitedApart) {
  testing::LogCapture capture;
  for (int i = 0; i < 20; ++i) {
    for (const char* kind : {"one kind", "another kind"}) {
      log_made(LogLevel::warn, LogText(kind), "it happened", {{"kind", kind}});
    }
  }
  EXPECT_EQ(capture.count("kind=\"one kind\""), kLogLinesPerSecondMax);
  EXPECT_EQ(capture.count("kind=\"another kind\""), kLogLinesPerSecondMax);
  flush_log();
  EXPECT_TRUE(capture.contains("warn one kind suppressed=15"));
  EXPECT_TRUE(capture.contains("warn another kind suppressed=15"));
}

}  // namespace
}  // namespace spanwire
