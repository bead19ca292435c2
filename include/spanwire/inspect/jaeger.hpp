// Asks Jaeger for traces, over its API v3 by HTTP: versions from 2.0 on, memory and Badger.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/run_folder.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kSearchesMax = 2'000;  // of one fetch, bisecting included
// Below this a window is not halved any more: Badger's index counts in microseconds.
inline constexpr std::int64_t kWindowMinNs = 2'000;

// "2026-11-21T03:49:54.123456789Z": the one form that every version and store understands.
std::string rfc3339(std::int64_t nanoseconds);
// The same and its usual variants (offsets, a fraction of 0 to 9 digits), years 1970 to 2262; or a
// time before `now`: "10m", "1.5h", "30s", "2d", "now".  Fails with invalid_argument.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns);

// `host:port` of an OTLP or query endpoint as people write it: scheme and path left out, the port
// added where there is none, "127.0.0.1:default" for nothing at all.  Fails with invalid_argument
// that names the value: user information, other schemes, a port that is none.
Result<std::string> host_and_port(std::string_view endpoint, unsigned default_port);

// Names and values, such as a token.
using RequestHeaders = std::vector<std::pair<std::string, std::string>>;

struct JaegerOptions {
  std::string url = "http://127.0.0.1:16686";  // of the query server, with its base path if any
  RequestHeaders headers;                      // with each request
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);  // of each request
  std::size_t depth = 100;  // traces that one search may return; more are bisected for
  std::size_t answer_bytes_max = std::size_t{2} << 30;  // of one answer, on the disk
  std::size_t polls_equal = 3;  // answers in a row with as many spans, until it is settled
  std::chrono::nanoseconds settle =
      std::chrono::seconds(10);  // at most; 0: the first answer counts
  std::chrono::nanoseconds poll_pause = std::chrono::milliseconds(50);  // between two polls
};

// One search: spans of `service` in a window, both ends included.
struct TraceQuery {
  std::string service;  // empty: all
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

// The addresses that are asked: for a dry run, and for those who would rather use curl.
std::string services_url(const JaegerOptions& options);
std::string traces_url(const JaegerOptions& options, const TraceQuery& query, std::size_t depth);
std::string trace_url(const JaegerOptions& options, std::string_view trace_id);

// What a search brought, beside the file that it went to.
struct Fetched {
  std::uint64_t spans = 0;
  std::size_t traces = 0;
  std::size_t foreign = 0;   // traces without a span of the service asked for
  std::size_t searches = 0;  // requests that it took
  std::size_t depth = 0;     // that was used: servers have a limit of their own
  bool truncated = false;    // there is more, and no window small enough
  bool stable = true;        // the last polls brought the same
  bool merged = false;       // of several answers; else the file is one, byte by byte
};

// One thread at a time.
class JaegerClient {
 public:
  explicit JaegerClient(JaegerOptions options);
  ~JaegerClient();
  JaegerClient(const JaegerClient&) = delete;
  JaegerClient& operator=(const JaegerClient&) = delete;

  // All fail with resolve_failed, connect_failed, connection_reset or query_timeout when the server
  // is not reached or not done in time; query_failed with what it said when it refuses;
  // answer_not_understood when it says something else than it was asked.  A file is whole or
  // absent.

  // The services, also written to `file` as they came, when it is not empty.
  Result<std::vector<std::string>> services(const std::string& file);
  // Up to `depth` traces of one search, without polling or bisecting.
  Result<Fetched> probe(const TraceQuery& query, std::size_t depth, const std::string& file);
  // All traces of these searches, each in its window, together in one file
  // {"result":{"resourceSpans":[...]}}.  Polls until as many spans come as before; halves the
  // window of an answer that is full.
  Result<Fetched> fetch(const std::vector<TraceQuery>& queries, const std::string& file);
  // One trace.  not_found when there is none of that id.
  Result<Fetched> trace(std::string_view trace_id, const std::string& file);

 private:
  class Work;
  JaegerOptions options_;
  std::unique_ptr<Work> work_;
};

// A small text, such as a health page or metrics: at most kPageBytesMax.  Fails as the client does;
// query_failed for a status that is not 2xx.
inline constexpr std::size_t kPageBytesMax = std::size_t{16} << 20;
Result<std::string> get_page(const std::string& url, std::chrono::nanoseconds timeout);

// A configuration for one Jaeger of a run, every port said, all of them on loopback; the store is
// Badger below `badger`, or memory when that is empty.
struct JaegerPorts {
  unsigned query = 16'686;
  unsigned query_grpc = 16'685;
  unsigned otlp_grpc = 4'317;
  unsigned otlp_http = 4'318;
  unsigned health = 13'133;
};
std::string jaeger_config(const JaegerPorts& ports, const std::string& badger);

// Writes the resourceSpans of a Jaeger answer as OTLP JSON of one line, without the wrapper.
Result<void> unwrap_answer(const std::string& from, const std::string& to);

}  // namespace spanwire::inspect
