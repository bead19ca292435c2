// Traces as timelines: Perfetto's native format, and Chrome's JSON for what reads only that.  Each
// process and each thread is a track, each span a slice, and arrows lead from a span to what it
// caused in another process or thread and along its links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {

enum class TimelineFormat : std::uint8_t { perfetto, chrome };

// Slices that are open at the same time; further ones are left out and counted.
inline constexpr std::size_t kOpenSlicesMax = 1'000'000;
// Threads over all processes; slices of further ones are on their process's own track.
inline constexpr std::size_t kThreadsMax = 65'536;
// Traces that one request id may be in; further ones are left out.
inline constexpr std::size_t kRequestTracesMax = 65'536;
// One event of a profile that is merged.
inline constexpr std::size_t kProfileEventBytesMax = 16u << 20;
// Memory for sorting, unless told otherwise.
inline constexpr std::size_t kConvertMemoryBytes = 256u << 20;

struct ConvertProgress {
  bool reading = true;            // else writing
  std::uint64_t bytes = 0;        // of the present file
  std::uint64_t spans = 0;        // read, or written
  std::uint64_t spans_total = 0;  // 0 while reading
};

struct ConvertOptions {
  TimelineFormat format = TimelineFormat::perfetto;  // of the output
  std::vector<std::string> files{};  // OTLP JSON lines, plain or by gzip; "-": stdin
  std::string output;                // "-" is standard output
  bool track_per_request = false;    // a track for each trace, not for each process and thread
  std::string trace;                 // only traces whose id begins with this; hex of any case
  std::string service;               // only spans of this service
  // Only traces in which a span has this request id, and batches that link to them.
  std::string request;
  std::int64_t from_ns = 0;  // only spans that end at or after this; since 1970
  // And start before this.
  std::int64_t to_ns = std::numeric_limits<std::int64_t>::max();
  // Spans whose number at one time is drawn as a counter for each process; at most 31 names.
  std::vector<std::string> counters = {"queue", "prefill_waiting", "decode_waiting"};
  std::string merge;  // a profile of torch, Chrome JSON, plain or by gzip
  std::optional<std::int64_t> merge_offset_ns{};  // added to its times; else its own base is
  // Clocks of processes that contradict each other are drawn as they are; else they are moved.
  bool clocks_as_recorded = false;
  std::size_t memory_bytes = kConvertMemoryBytes;  // for sorting; the rest beside the output
  std::function<void(const ConvertProgress&)> on_progress{};  // called now and then
};

struct MovedClock {
  std::string process;
  std::int64_t shift_ns = 0;  // was added to its times
};

struct ConvertReport {
  ReadReport read;
  std::uint64_t spans = 0;   // read in all
  std::uint64_t slices = 0;  // written: spans - filtered - duplicates - too_many_open + merged
  std::uint64_t filtered = 0;
  std::uint64_t duplicates = 0;     // the same span again: written once
  std::uint64_t too_many_open = 0;  // left out: kOpenSlicesMax
  std::uint64_t without_end = 0;    // drawn without length: no end, or one before the start
  std::uint64_t flows = 0;
  std::uint64_t dangling = 0;       // parents and links whose other end is not here
  std::uint64_t merged = 0;         // slices of the profile
  std::uint64_t merge_skipped = 0;  // its events that are no slices, or not readable
  std::vector<MovedClock> clocks;   // those that were moved
  std::uint64_t bytes = 0;          // of the output
  std::uint64_t bytes_on_disk = 0;  // that sorting had to put there
};

// Reads the files and writes the timeline.  The output is there whole or not at all: it is written
// beside its place and renamed.  Memory is bounded by memory_bytes, the longest line, and what is
// open at one time, not by the input.  Damage in the input costs what is damaged and is in the
// report.  Fails with invalid_argument (an option that is wrong, a profile whose clock is unknown),
// file_open_failed, file_read_failed, file_malformed (a profile that is not Chrome JSON),
// file_write_failed (a full disk, too), not_found (no span passes the filters).
Result<ConvertReport> convert(const ConvertOptions& options);

}  // namespace spanwire::inspect
