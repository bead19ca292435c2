// LiveTraces: what has been received, trace by trace, and when one is finished.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "spanwire/base/clock.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::tools {

// Exporters send every five seconds by OpenTelemetry's default; a trace with gaps waits longer.
inline constexpr std::chrono::milliseconds kSettle{1000};
inline constexpr std::chrono::milliseconds kPatience{11'000};

struct LiveOptions {
  std::size_t memory_bytes_max = 256u << 20;      // of spans; the oldest traces make room
  std::chrono::nanoseconds settle = kSettle;      // of silence, for a trace without gaps
  std::chrono::nanoseconds patience = kPatience;  // for one whose root or parents are missing
};

// Complete in itself: its processes and scopes are its own.
struct LiveTrace {
  trace::TraceId id;
  std::uint64_t number = 0;  // in the order in which they came
  inspect::TraceSet set;
  MonotonicTime last{};         // when its last span came
  MonotonicTime due{};          // when it is looked at next
  std::size_t spans_shown = 0;  // so many of its spans were there when it was shown
  std::size_t bytes = 0;
  std::unordered_multimap<trace::SpanId, std::size_t> index;
  std::unordered_map<std::uint32_t, std::uint32_t> processes;  // by their number in the reader
  std::unordered_map<std::uint32_t, std::uint32_t> scopes;

  bool is_new() const noexcept { return set.spans.size() > spans_shown; }
  // Has a root, and every parent.
  bool is_complete() const;
};

// One thread at a time.
class LiveTraces final : public inspect::SpanReader {
 public:
  enum class Why { settled, incomplete, no_room, stopping };
  using Show = std::function<void(const LiveTrace&, Why)>;

  // `show` is told of each finished trace, and again when spans come later.
  LiveTraces(const LiveOptions& options, Show show);

  struct Taken {
    bool anything = false;  // not only blanks
    std::size_t spans = 0;
    std::size_t left_out = 0;
    std::size_t problems = 0;
    std::string first_problem;
  };
  // One request, as one line of OTLP JSON.
  Taken take(std::string_view line, MonotonicTime now);
  // Shows those whose time has come.
  void settle(MonotonicTime now);
  // Shows the rest.
  void finish();

  // The oldest first.
  const std::list<LiveTrace>& traces() const noexcept { return traces_in_order_; }
  std::uint64_t seen() const noexcept { return traces_seen_; }
  std::size_t dropped() const noexcept { return dropped_; }        // traces, to make room
  std::size_t duplicates() const noexcept { return duplicates_; }  // spans that came twice

 private:
  void on_span(inspect::Span& span) override;
  LiveTrace& trace_of(const trace::TraceId& id);
  void show(LiveTrace& trace, Why why);
  void make_room();
  void bound_tables();

  LiveOptions options_;
  Show show_;
  std::list<LiveTrace> traces_in_order_;
  std::unordered_map<trace::TraceId, std::list<LiveTrace>::iterator> by_id_;
  std::map<std::uint64_t, LiveTrace*> waiting_;  // to be shown, by their number
  std::uint64_t traces_seen_ = 0;
  MonotonicTime now_{};
  std::size_t spans_taken_ = 0;
  std::size_t bytes_ = 0;
  std::size_t processes_measured_ = 0;
  std::size_t table_bytes_ = 0;
  std::size_t dropped_ = 0;
  std::size_t duplicates_ = 0;
};

}  // namespace spanwire::tools
