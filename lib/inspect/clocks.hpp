// How far the clocks of processes are apart, as spans say whose parent is in another process: no
// span starts before what caused it, and what a client waited for had ended when it went on.  What
// cannot be so by one clock was written by two.  Internal to inspect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

// What one clock explains: times that were rounded, or read a little later than they say.
inline constexpr std::int64_t kClockSlackNs = 100'000;
// About three years: what is beyond is not a clock that is off but damage.
inline constexpr std::int64_t kClockShiftMaxNs = 100'000'000'000'000'000;
// Pairs of processes; calls between further ones say nothing.
inline constexpr std::size_t kClockPairsMax = 65'536;

// Where a process reads its clock: host.id, else host.name of its resource; empty: it does not say.
std::string clock_host(const Process& process);
// Processes of one host have one clock: what disagrees there was read at another moment than it
// says.
inline bool one_clock(std::string_view host, std::string_view other) noexcept {
  return !host.empty() && host == other;
}

// Of the child's clock less its parent's.
struct ClockBounds {
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

  std::int64_t at_least = kNone;  // kNone: nothing says so
  std::int64_t at_most = -(kNone + 1);
  std::optional<std::int64_t> measured{};  // by the client, of the call that left least doubt
  std::int64_t doubt = -(kNone + 1);       // of that call

  void narrow(const ClockBounds& other) noexcept;
  // Calls that contradict each other (a clock that drifted, a server that went on when its client
  // was gone) leave the bounds the wrong way round: what is between them is as good as any.
  std::int64_t low() const noexcept;
  std::int64_t high() const noexcept;
  // Whether they cannot be one clock.
  bool apart(std::int64_t slack_ns = kClockSlackNs) const noexcept;
  // 0 unless apart(): within the bounds, as measured if somebody did, else in their middle.
  std::int64_t estimate() const noexcept;
};

// The facts of a span that count here.
struct ClockSpan {
  ClockSpan() = default;
  explicit ClockSpan(const Span& span) noexcept;

  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  SpanKind kind = SpanKind::unspecified;
  bool failed = false;                     // with an error: a client may not have waited
  std::optional<std::int64_t> measured{};  // kClockOffsetAttribute
};

// What a child says about its clock and that of its parent; nothing where its times are damage.
ClockBounds clock_bounds(const ClockSpan& parent, const ClockSpan& child) noexcept;

// All processes of some traces.  One thread at a time.
class Clocks {
 public:
  // Nothing where both processes are the same.
  void add(std::uint32_t parent_process, const ClockSpan& parent, std::uint32_t child_process,
           const ClockSpan& child);
  // Of a call between processes that have one clock.
  void add_one_clock(std::uint32_t parent_process, std::uint32_t child_process);
  // What is to be added to the times of each process, so that all agree with the ones that nobody
  // calls; empty where no clocks are apart.
  std::vector<std::int64_t> shifts() const;

 private:
  std::map<std::pair<std::uint32_t, std::uint32_t>, ClockBounds> pairs_;
};

}  // namespace spanwire::inspect
