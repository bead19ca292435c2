// Judges a set of traces by the rules of rules.hpp.  Pure: no I/O, no clock; one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/inspect/expectations.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/rules.hpp"
#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kFindingsKeptMax = 100;  // of one rule; all are counted

// What a backend was asked, and what it said beside the spans.  Absent parts leave their rules
// without an outcome.
struct BackendAnswers {
  std::optional<std::vector<std::string>> services;
  std::optional<std::size_t> probe_traces;
  std::vector<std::string> asked;  // the services asked for; empty: all
  std::optional<std::size_t> depth;
  bool truncated = false;
  std::optional<bool> stable;     // absent: not polled
  std::int64_t window_start = 0;  // nanoseconds since 1970; both zero: no window
  std::int64_t window_end = 0;
};

struct LogText {
  std::string name;
  std::string text;
  std::string problem;  // why it could not be read; empty when it was
};

struct Evidence {
  const TraceSet* traces = nullptr;
  const std::vector<Tree>* trees = nullptr;
  const ReadReport* read = nullptr;
  std::optional<BackendAnswers> backend;
  std::vector<LogText> logs;
  const TraceSet* against = nullptr;  // the same spans from another place
  std::int64_t now_ns = 0;            // wall clock
};

enum class Outcome : std::uint8_t { pass, fail, not_evaluated };
std::string_view name(Outcome outcome) noexcept;

struct Finding {
  Rule rule = Rule::tree_orphan;
  Level level = Level::error;
  trace::TraceId trace;  // zero: of no one trace
  trace::SpanId span;
  std::string service;
  std::string name;
  std::string measured;
  std::string expected;
  std::string waived;  // the reason, when a waiver covers it
};

struct RuleVerdict {
  Outcome outcome = Outcome::pass;
  Level level = Level::error;
  std::string reason;     // why it was not evaluated
  std::size_t count = 0;  // of findings that are not waived
  std::size_t waived = 0;
  std::vector<Finding> findings;  // the first kFindingsKeptMax, waived ones too
};

struct Verdict {
  std::array<RuleVerdict, kRuleCount> rules;
  std::size_t spans = 0;
  std::size_t traces = 0;
  std::size_t kept_for_errors = 0;  // partial trees, by is_partial(): why their tops were kept
  std::size_t kept_for_time = 0;
  std::size_t services = 0;
  std::size_t processes = 0;

  const RuleVerdict& of(Rule rule) const noexcept { return rules[static_cast<std::size_t>(rule)]; }
  // Fails with one of its rules; passes when at least one was evaluated and none fails.
  Outcome gate(std::size_t number) const noexcept;
  // Whether nothing of level error was found; `strict`: and all that could find one was evaluated.
  bool passed(bool strict) const noexcept;
};

Verdict verify(const Evidence& evidence, const Expectations& expected);

// An expectation file that this evidence, taken to be good, meets: a kind of request for each kind
// of root, with the services, edges and names that all of its traces have; the events that all
// spans of a name have in one order; and `off` for the rules that nothing is there for, so that
// strict() passes too.  Numbers and ids in names become a `*`.  Partial trees say nothing.
std::string draft_expectations(const Evidence& evidence);

}  // namespace spanwire::inspect
