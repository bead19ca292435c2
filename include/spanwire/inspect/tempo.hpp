// Asks Grafana Tempo for traces, over its HTTP API: search by service and time, then trace by
// trace.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/jaeger.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {

struct TempoOptions {
  std::string url = "http://127.0.0.1:3200";  // with its base path if any
  RequestHeaders headers;                     // with each request; a tenant is X-Scope-OrgID
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);  // of each request
  std::size_t depth = 100;  // traces that one search may return; more are searched for in halves
  std::size_t answer_bytes_max = std::size_t{2} << 30;  // of one answer, on the disk
  std::size_t polls_equal = 3;  // as JaegerOptions has it; every poll takes all traces
  std::chrono::nanoseconds settle =
      std::chrono::seconds(10);  // at most; 0: the first answer counts
  std::chrono::nanoseconds poll_pause = std::chrono::milliseconds(50);  // between two polls
};

// Tempo counts time in whole seconds: the window is widened to them.
std::string tempo_search_url(const TempoOptions& options, const TraceQuery& query);
std::string tempo_trace_url(const TempoOptions& options, std::string_view trace_id);

// All traces of these searches, each once, as OTLP JSON lines in `file`, which is whole or absent.
// Fails as JaegerClient does.
Result<Fetched> fetch_tempo(const TempoOptions& options, const std::vector<TraceQuery>& queries,
                            const std::string& file);
// One trace.  not_found when there is none of that id.
Result<Fetched> fetch_tempo_trace(const TempoOptions& options, std::string_view trace_id,
                                  const std::string& file);

// The spans of files in any form that SpanReader reads, as OTLP JSON lines in `to`, which is whole
// or absent.  What is damaged is left out, and in `report`.  Fails with file_open_failed,
// file_read_failed, file_write_failed.
Result<Fetched> copy_as_otlp(const std::vector<std::string>& files, const std::string& to,
                             ReadReport& report);

}  // namespace spanwire::inspect
