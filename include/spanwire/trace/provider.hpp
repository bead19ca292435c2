// The provider: what makes spans record, and takes the recorded ones to the exporters.  One per
// process; without one, contexts are passed on and nothing is recorded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/resource.hpp"
#include "spanwire/trace/sampler.hpp"

namespace spanwire::trace {

inline constexpr std::size_t kThreadsMax = 4096;
inline constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// What one span may hold; the rest is left out and counted in the span.
struct SpanLimits {
  std::size_t attributes_max = 128;
  std::size_t events_max = 128;
  std::size_t links_max = 128;
  // Of a span that stands for a batch (WholeSpan::batch), instead of links_max.
  std::size_t batch_links_max = 4096;
  std::size_t event_attributes_max = 128;
  std::size_t link_attributes_max = 128;
  // Characters (not bytes) of a text, also inside arrays; longer ones are cut.
  std::size_t value_chars_max = kNoLimit;
  // Of the whole record.
  std::size_t bytes_max = 1u << 20;
};

struct ProviderOptions {
  // Over Resource::of_process(): what is set here wins.
  Resource resource;
  // Null: parent-based, roots always on.
  std::shared_ptr<const Sampler> sampler;
  SpanLimits limits;
  // Tail keep: unsampled spans are watched until they end; those that end in error are exported
  // all the same, marked spanwire.partial = true, with the context of any unsampled span.  Filtered
  // spans and those of Recorder are not watched.
  bool keep_errors = false;
  // The same for those that took longer; 0: none do.
  std::chrono::nanoseconds keep_slower_than{0};
  // How many of these spans are kept in a second at most, with a burst of as many.
  double keep_per_second_max = 1000;
  // Each gets every span, and none waits for another.  A span counts as exported when one of them
  // delivered it.  With none, spans have ids and are sampled, for the processes behind this one,
  // but nothing is recorded.
  std::vector<std::unique_ptr<Exporter>> exporters;

  // How long a span waits at most before it is exported; earlier when a ring is half full.
  std::chrono::milliseconds schedule_delay{5000};
  // For one batch and exporter; 0 for no limit.
  std::chrono::milliseconds export_timeout{30000};
  std::size_t batch_spans_max = 512;
  // Ended spans that wait, over all threads; 0: the rings alone are the bound.  Setting it costs a
  // shared counter per span.
  std::size_t queue_spans_max = 0;
  // Copies of spans that wait for one exporter beside others, besides the batch that it is at; of
  // them too no more than queue_spans_max, if set.  A lone exporter takes them from the rings.
  std::size_t exporter_queue_bytes_max = 16u << 20;
  // Ended spans wait in a ring per thread: room for 32,768 small ones (up to 384 bytes).  Rounded
  // up to a power of two; memory is committed as it is first used, 64 KiB at a time, where more
  // than 1 MiB waits in pages of 2 MiB.
  std::size_t ring_bytes_per_thread = 32768 * 384;
  // Spans open at a time, about: each thread keeps up to 64 places ready.
  std::size_t open_spans_max = 65536;
  // For spans that outgrow their place of about 900 bytes.
  std::size_t arena_bytes_max = 64u << 20;
  // At the end of a process that did not call shutdown(): as if it had, with this timeout; 0: not.
  std::chrono::milliseconds exit_timeout{2000};
  // Of the times in spans.  Must outlive the process.  Waiting is always real time.
  const Clock* clock = &Clock::system();
};

// What tail keep does, behind other words: ", keeps failed spans, keeps spans over 500 ms"; empty
// where it is off.
std::string keep_text(const ProviderOptions& options);

// Counters since init(), in a forked child since the fork.  Exact once no thread records:
// recorded = exported + lost.total() + queued + open.
struct TraceStats {
  std::uint64_t started = 0;   // spans, recorded or not, while a provider was set
  std::uint64_t recorded = 0;  // those that the sampler wanted, and kept ones
  std::uint64_t kept = 0;      // of these, unsampled ones that were kept for how they ended
  std::uint64_t filtered = 0;  // those that trace::filtered() kept out
  std::uint64_t ended = 0;     // recorded ones that were ended
  std::uint64_t exported = 0;
  LossCounts lost;
  std::uint64_t queued = 0;  // ended, on their way to the exporters
  std::uint64_t open = 0;
  std::uint64_t misused = 0;             // calls on a span after end() or after it was moved from
  std::uint64_t discarded_in_child = 0;  // copies of the parent's spans, which the parent exports
};

// What became of the spans at one exporter.  Exact once no thread records and nothing is exported:
// every span that the provider took to its exporters is here exported, lost or queued; those that
// it lost before (ring_full, queue_full, too_many_open, too_many_threads) are not.
struct ExporterStats {
  std::string name;  // "file"; "otlp-2" for the second of a name
  std::uint64_t exported = 0;
  LossCounts lost;
  std::uint64_t queued = 0;    // also those that it is exporting
  std::uint64_t failures = 0;  // batches, also in part, and flushes
  Error cause;                 // of the latest failure
  std::uint64_t batches = 0;   // that it was given, and how long it had them
  std::chrono::nanoseconds time{0};
  std::chrono::nanoseconds longest{0};

  // "file: exported 12, lost 3 (refused 3), 0 queued, 1 failure, 2 batches of 1.500 ms, at most
  // 2.000 ms; last failure: connect_failed: ..."
  std::string to_string() const;
};

// What force_flush() achieved during the call, shutdown() since init().
struct FlushReport {
  bool in_time = false;        // the export thread finished before the deadline
  std::uint64_t exported = 0;  // by one exporter at least
  std::uint64_t missed = 0;    // of those: lost to another one; exporter_stats() says to which
  LossCounts lost;
  std::uint64_t queued = 0;  // still waiting
  std::uint64_t open = 0;    // not ended; after shutdown() they are lost
  Error cause;               // of the latest failed export, or Errc::export_timeout

  // Everything that was ended is where it should be: at every exporter.
  bool complete() const noexcept {
    return in_time && queued == 0 && missed == 0 && lost.total() == 0 && cause == Error();
  }
  // "exported 12 spans, lost 3 (export_failed 3), 1 still open: connect_failed: ..."
  std::string to_string() const;
};

// Safe from any thread; lives for ever and acts on the process's current provider, also in a forked
// child, which has one of its own with the same options.
class Provider {
 public:
  // Exports what has been ended before the call.
  FlushReport force_flush(std::chrono::nanoseconds timeout);
  // Stops recording, exports what has been ended, closes the exporters; never takes longer than
  // `timeout`, whatever the exporters do.  Their own deadline is earlier, by a quarter of `timeout`
  // or by 250 ms, so that their thread ends in time too.  Later calls return at once with the same
  // report.
  FlushReport shutdown(std::chrono::nanoseconds timeout);
  TraceStats stats() const;
  // In the order of ProviderOptions::exporters; empty before the first span is recorded.
  std::vector<ExporterStats> exporter_stats() const;
  // One line of level info with all of these numbers, for when something has to be found out.
  void log_stats() const;
  // Brings the registry's numbers of tracing (docs/metrics.md) up to date, as the export thread
  // does with each round: call it before metrics_snapshot() to see this moment.
  void publish_stats() const;
  // Of this process.
  Resource resource() const;
};

// Starts tracing.  While a provider is active, a second call logs that, with both settings, and
// returns it unchanged; of calls at the same time one is the first.
// After shutdown() a new one can be started; spans of the old one that are ended later are counted
// there as lost.
Provider& init(ProviderOptions options);

// The active provider; null before init() and after shutdown().
Provider* provider() noexcept;

}  // namespace spanwire::trace
