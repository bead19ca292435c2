// What a set of traces is expected to look like: one JSON file, kept beside the system that it
// speaks of.  docs/how-to/gates-in-ci.md shows one; `spanwire verify --draft` writes the first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/rules.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kNoMaximum = std::numeric_limits<std::size_t>::max();

// Calls from one service to another within one trace: spans of `to` whose parent is one of `from`.
struct ExpectedEdge {
  std::string from;
  std::string to;
  std::size_t at_least = 1;
  std::size_t at_most = kNoMaximum;
};

// A kind of request, known by its root span.
struct ExpectedRequest {
  std::string service;
  std::string name;                  // a `*` at its end stands for anything
  std::optional<std::size_t> count;  // traces of this kind; none: at least one
  std::vector<std::string> services;
  std::vector<ExpectedEdge> edges;
  std::vector<std::string> names;
};

// Events that a span of this name has, by time.  "a|b": one of the two.
struct ExpectedEvents {
  std::string span;
  std::vector<std::string> order;
};

// A finding that is known and accepted, for a while.  Empty texts match everything.
struct Waiver {
  Rule rule = Rule::tree_orphan;
  std::string service;
  std::string name;
  std::string trace;  // the beginning of its id
  std::string reason;
  std::string expires;  // the last day on which it counts, "2027-01-31" (UTC)
};

struct Expectations {
  Expectations();  // the levels of rules(), the events of vLLM's journeys, the patterns of
                   // log.clean

  std::vector<std::string> services;
  std::vector<ExpectedRequest> requests;
  std::optional<std::size_t> request_count;  // traces whose root is a server span or none's child
  std::vector<ExpectedEvents> events;
  std::vector<std::string> log_patterns;  // texts, in any case
  std::string run_id;
  bool external_parents = false;  // requests come with a context from outside
  bool prompts = false;           // texts of users and models may be recorded
  std::int64_t skew_ns = 5'000'000;
  std::int64_t outside_parent_ns = 1'000'000;
  std::size_t depth_max = 100;
  std::array<Level, kRuleCount> levels{};
  std::vector<Waiver> waivers;
};

// Reads an expectation file.  Fails with file_malformed and a sentence that names the member: text
// that is not JSON, a member that is unknown or of another type, a rule that does not exist, a
// waiver without a reason or without a day.
Result<Expectations> parse_expectations(std::string_view text);

}  // namespace spanwire::inspect
