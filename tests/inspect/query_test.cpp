#include <gtest/gtest.h>

#include "spanwire/inspect/jaeger.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::int64_t kTime = 1'795'232'994'123'456'789;  // 2026-11-21T03:49:54.123456789Z

TEST(QueryTime, IsWrittenInTheOneFormThatEveryServerTakes) {
  EXPECT_EQ(rfc3339(kTime), "2026-11-21T03:49:54.123456789Z");
  EXPECT_EQ(rfc3339(kTime / 1'000'000'000 * 1'000'000'000), "2026-11-21T03:49:54.000000000Z");
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
}

TEST(QueryTime, ReadsTimesAndLengths) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::pair<const char*, std::int64_t> cases[] = {
      {"2026-11-21T03:49:54.123456789Z", kTime},
      {"2026-11-21T04:49:54.123456789+01:00", kTime},
      {"2026-11-21 03:49:54.1Z", kTime / kSecond * kSecond + 100'000'000},
      {"2026-11-20T22:49:54-05:00", kTime / kSecond * kSecond},
      {"2024-02-29T00:00:00Z", 1'709'164'800 * kSecond},
      {"now", kTime},
      {"30s", kTime - 30 * kSecond},
      {"1.5h", kTime - 5'400 * kSecond},
      {"2d", kTime - 172'800 * kSecond},
  };
  for (const auto& [text, time] : cases) {
    const Result<std::int64_t> read = parse_time(text, kTime);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, time) << text;
  }
  for (const char* text :
       {"", "yesterday", "10", "-5m", "2026-11-21", "2026-11-21T03:49Z", "2026-11-21T03:49:54",
        "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T03:49:54.Z", "2026-11-21T03:49:54.1234567890Z", "2026-11-21T03:49:54+1:00",
        "1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "2026-11-21T03:49:54ZZ", "1e300d",
        "1970-01-01T00:00:00+01:00"}) {
    const Result<std::int64_t> read = parse_time(text, kTime);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Errc::invalid_argument) << text;
  }
}

TEST(Endpoint, IsHostAndPortHoweverItIsWritten) {
  const std::pair<const char*, const char*> good[] = {
      {"", "127.0.0.1:4317"},
      {"http://h:4317", "h:4317"},
      {"https://h:4317/v1/traces", "h:4317"},
      {"h:4317/", "h:4317"},
      {"h", "h:4317"},
      {"http://h", "h:4317"},
      {"[::1]:4317", "[::1]:4317"},
      {"http://[::1]:4317", "[::1]:4317"},
      {"http://[::1]/x", "[::1]:4317"},
      {"10.0.0.7:65535", "10.0.0.7:65535"},
  };
  for (const auto& [endpoint, expected] : good) {
    const Result<std::string> read = host_and_port(endpoint, 4317);
    ASSERT_TRUE(read) << endpoint;
    EXPECT_EQ(*read, expected) << endpoint;
  }
  for (const char* endpoint : {"http://user:pw@h:4317", "h:0", "h:70000", "h:x", "h:", "ftp://h:1",
                               "http://", ":4317", "::1", "unix:///x"}) {
    const Result<std::string> read = host_and_port(endpoint, 4317);
    ASSERT_FALSE(read) << endpoint;
    EXPECT_EQ(read.error().code(), Errc::invalid_argument) << endpoint;
    EXPECT_NE(read.error().detail().find(endpoint), std::string_view::npos) << endpoint;
  }
}

TEST(QueryAddress, HasBothNamesOfTheDepthAndRawTraces) {
  JaegerOptions options;
  options.url = "h:16686/base/";
  EXPECT_EQ(services_url(options), "http://h:16686/base/api/v3/services");
  EXPECT_EQ(traces_url(options, {"a b", kTime, kTime + 1}, 7),
            "http://h:16686/base/api/v3/traces?query.service_name=a%20b"
            "&query.start_time_min=2026-11-21T03%3A49%3A54.123456789Z"
            "&query.start_time_max=2026-11-21T03%3A49%3A54.123456790Z"
            "&query.search_depth=7&query.num_traces=7&query.raw_traces=true");
  EXPECT_EQ(traces_url(options, {"", 0, 1}, 1).find("service"), std::string::npos)
      << "an empty name means all services to a server; then it is left out";
  EXPECT_EQ(trace_url(options, "4bf9"), "http://h:16686/base/api/v3/traces/4bf9?raw_traces=true");
}

}  // namespace
}  // namespace spanwire::inspect
