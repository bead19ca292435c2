// Spans as trees, one a trace: what hangs under what, in the order to show it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

// A client span's estimate of its peer's wall clock less its own, in nanoseconds.
inline constexpr std::string_view kClockOffsetAttribute = "spanwire.clock_offset_ns";

// On a span that was not sampled and kept for how it ended: what was around it is not missing.
inline constexpr std::string_view kPartialAttribute = "spanwire.partial";
bool is_partial(const Span& span) noexcept;
// "partial: kept for its error", "partial: kept for its time".
std::string_view why_partial(const Span& span) noexcept;

struct Node {
  std::size_t span = 0;        // index into TraceSet::spans
  std::size_t parent = kNone;  // index into Tree::nodes; kNone for a root
  std::uint32_t depth = 0;
  std::uint32_t descendants = 0;  // the nodes behind this one that are below it
  bool last = true;               // of its siblings
  bool orphan = false;            // has a parent's id, and no such span was read nor is_partial()
  bool partial = false;           // a top of which is_partial() says so
  bool cycle = false;             // its parents lead back to itself: the edge was cut here
  // To be added to this span's times for display: how its process's clock differs from that of the
  // process that nobody calls.  Zero unless times contradict each other by any other reading.
  std::int64_t shift_ns = 0;
};

struct Tree {
  trace::TraceId id;
  std::vector<Node> nodes;  // parents before children, siblings by start: the order of the rows
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::size_t roots = 0;
  std::size_t orphans = 0;
  std::size_t partials = 0;
  std::size_t cycles = 0;
  std::size_t errors = 0;
  std::size_t processes = 0;
  bool shifted = false;  // some node's clock was corrected
};

// Whether shift_ns is worked out, from all traces together: by what client spans measured
// (kClockOffsetAttribute), else from the times of spans whose parent is in another process.
enum class ClockUse : std::uint8_t { corrected, as_recorded };

// Every span is in exactly one tree, exactly once, whatever its parents say.  Trees by start, the
// oldest first.  Linear but for sorting; no recursion.
std::vector<Tree> build_trees(const TraceSet& traces, ClockUse clocks = ClockUse::corrected);

// The trees whose id starts with `id` (hex, any case, at least one digit).  Fails with
// invalid_argument (not hex), not_found, or already_exists when several match.
Result<const Tree*> find_tree(const std::vector<Tree>& trees, std::string_view id);

}  // namespace spanwire::inspect
