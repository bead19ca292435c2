// Rules about times.
#include <algorithm>
#include <charconv>
#include <map>

#include "lib/inspect/case.hpp"
#include "lib/inspect/clocks.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::int64_t kYear2000 = 946'684'800'000'000'000;
constexpr std::int64_t kDay = 86'400'000'000'000;
// Jaeger gives a span that ends before its start a length, and says so in an attribute.
constexpr std::string_view kWarningsAttribute = "@jaeger@warnings";
constexpr std::string_view kOriginalEnd = "Original end timestamp: ";

std::string with_sign(std::int64_t nanoseconds) {
  return (nanoseconds < 0 ? "-" : "") + duration_text(nanoseconds < 0 ? -nanoseconds : nanoseconds);
}

// Whether Jaeger moved an end that lay before the start; one that was equal to it is no fault.
bool was_backwards(const Span& span) {
  const std::string warnings = text_of(span.attributes, kWarningsAttribute);
  const std::size_t at = warnings.find(kOriginalEnd);
  if (at == std::string::npos) return false;
  // "2026-11-21 04:56:58.988306789 +0000 UTC", trailing zeros of the fraction left out.
  std::string original = warnings.substr(at + kOriginalEnd.size());
  original.resize(std::min(original.find(" +0000"), original.size()));
  const std::string start_ms = time_text(span.start_ns);
  if (original.substr(0, 19) != start_ms.substr(0, 19)) return original < start_ms;
  std::string fraction = original.size() > 20 ? original.substr(20) : std::string();
  fraction.resize(9, '0');
  std::int64_t nanoseconds = 0;
  const auto [end, error] = std::from_chars(fraction.data(), fraction.data() + 9, nanoseconds);
  return error == std::errc() && nanoseconds < span.start_ns % 1'000'000'000;
}

void check_span(Case& of, const Span& span) {
  if (span.backwards || was_backwards(span)) {
    of.add(Rule::time_backwards, span, "ends before it starts");
  }
  if (span.start_ns < kYear2000) {
    of.add(Rule::time_epoch, span, "starts " + time_text(span.start_ns));
  } else if (of.evidence().now_ns > 0 && span.start_ns > of.evidence().now_ns + kDay) {
    of.add(Rule::time_epoch, span, "starts " + time_text(span.start_ns) + ", in the future");
  } else if (of.evidence().now_ns > 0 && span.end_ns > of.evidence().now_ns + kDay) {
    of.add(Rule::time_epoch, span, "ends " + time_text(span.end_ns) + ", in the future");
  }
  for (const SpanEvent& event : span.events) {
    if (event.time_ns >= span.start_ns && event.time_ns <= span.end_ns) continue;
    const std::int64_t off =
        event.time_ns < span.start_ns ? event.time_ns - span.start_ns : event.time_ns - span.end_ns;
    of.add(Rule::time_event_outside, span,
           "event '" + event.name + "' " +
               (off < 0 ? duration_text(-off) + " before the start"
                        : duration_text(off) + " behind the end"));
    return;
  }
}

bool is_async(const Span& span) {
  return span.kind == SpanKind::producer || span.kind == SpanKind::consumer;
}

void check_inside(Case& of, const Span& span, const Span& parent) {
  if (is_async(span) || is_async(parent)) return;
  const std::int64_t slack = of.expected().outside_parent_ns;
  const std::int64_t early = parent.start_ns - span.start_ns;
  const std::int64_t late = span.end_ns - parent.end_ns;
  if (early <= slack && late <= slack) return;
  of.add(Rule::time_outside_parent, span,
         early > slack ? "starts " + duration_text(early) + " before " + describe(of, parent)
                       : "ends " + duration_text(late) + " behind " + describe(of, parent));
}

// What the spans of two processes say about their clocks, and which of them say it.
struct Pair {
  ClockBounds bounds;
  const Span* lowest = nullptr;
  const Span* highest = nullptr;
};
using Pairs = std::map<std::pair<std::uint32_t, std::uint32_t>, Pair>;

void measure(Pairs& pairs, const Span& child, const Span& parent) {
  Pair& pair = pairs[{parent.process, child.process}];
  const ClockBounds before = pair.bounds;
  pair.bounds.narrow(clock_bounds(ClockSpan(parent), ClockSpan(child)));
  if (pair.bounds.at_least != before.at_least) pair.lowest = &child;
  if (pair.bounds.at_most != before.at_most) pair.highest = &child;
}

std::string clocks_text(const ClockBounds& bounds, const std::string& service) {
  if (bounds.at_least == ClockBounds::kNone) {
    return "its clock is at least " + duration_text(-bounds.at_most) + " behind " + service;
  }
  return "its clock is between " + with_sign(bounds.low()) + " and " + with_sign(bounds.high()) +
         " ahead of " + service;
}

void check_skew(Case& of, const Pairs& pairs) {
  const std::int64_t slack = of.expected().skew_ns;
  for (const auto& [processes, pair] : pairs) {
    if (!pair.bounds.apart(slack)) continue;
    const Span& shown = pair.bounds.low() > slack ? *pair.lowest : *pair.highest;
    const std::string& service = of.evidence().traces->processes[processes.first].service;
    of.add(Rule::time_skew, shown, clocks_text(pair.bounds, service),
           "at most " + duration_text(slack) + " apart");
  }
}

void check_window(Case& of) {
  const auto& backend = of.evidence().backend;
  if (!backend || (backend->window_start == 0 && backend->window_end == 0)) {
    of.skip(Rule::time_window, "no time window was asked for");
    return;
  }
  for (const Span& span : of.spans()) {
    if (span.start_ns >= backend->window_start && span.start_ns <= backend->window_end) continue;
    of.add(Rule::time_window, span, "starts " + time_text(span.start_ns),
           time_text(backend->window_start) + " to " + time_text(backend->window_end));
  }
}

}  // namespace

void check_times(Case& of) {
  Pairs pairs;
  for (std::size_t i = 0; i < of.spans().size(); ++i) {
    const Span& span = of.spans()[i];
    check_span(of, span);
    const std::size_t above = of.parent(i);
    if (above == kNone) continue;
    const Span& parent = of.spans()[above];
    if (span.process == parent.process) {
      check_inside(of, span, parent);
    } else {
      measure(pairs, span, parent);
    }
  }
  if (pairs.empty()) of.skip(Rule::time_skew, "no call crosses processes");
  check_skew(of, pairs);
  check_window(of);
}

}  // namespace spanwire::inspect
