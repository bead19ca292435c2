// Two sets of traces side by side: how long the spans of each name take, which are new, which are
// missing.  Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {

// The spans of one service and name on one side.
struct NameTimes {
  std::size_t spans = 0;
  std::size_t errors = 0;
  std::int64_t median_ns = 0;  // of their durations
  std::int64_t p90_ns = 0;
  std::int64_t total_ns = 0;
};

struct ComparedName {
  std::string service;
  std::string name;
  NameTimes a;  // no spans: new in b
  NameTimes b;  // no spans: missing in b

  // b's median by a's; none where one side has no spans, or a's took no time.
  std::optional<double> ratio() const noexcept;
};

struct Comparison {
  std::size_t traces_a = 0;
  std::size_t traces_b = 0;
  // What both have, the largest change of the whole time first; then what is missing in b, then
  // what is new.
  std::vector<ComparedName> names;
};

// Only those of `trees_a` and `trees_b` count.
Comparison compare(const TraceSet& a, const std::vector<const Tree*>& trees_a, const TraceSet& b,
                   const std::vector<const Tree*>& trees_b);

std::string comparison_text(const Comparison& comparison);
std::string comparison_json(const Comparison& comparison);

}  // namespace spanwire::inspect
