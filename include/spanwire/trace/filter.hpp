// Samplers that keep noise and floods out, decided before anything is recorded: what they drop is
// not sampled, so that everything below it follows and no span is left without its parent.
#pragma once

#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/trace/sampler.hpp"

namespace spanwire::trace {

// Which spans are noise.
struct FilterRule {
  enum class Subject : std::uint8_t {
    name,       // the span's name
    path,       // url.path, http.target, http.route or rpc.method; or the name, or what stands
                // behind the method in it ("GET /metrics")
    attribute,  // the text of one attribute that is given at the start
  };
  Subject subject = Subject::path;
  bool prefix = false;  // it begins with `value`, instead of being it
  std::string key;      // of the attribute
  std::string value;

  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

// Scrapes and health checks: /metrics, /health, /healthz, /livez, /readyz, /live, /ready, /ping,
// gRPC's health service and spanwire/health.
std::vector<FilterRule> default_noise();

// "name=x", "path=/x", "attribute.key=x"; with ^= for a prefix.  Fails with invalid_argument.
Result<FilterRule> parse_filter_rule(std::string_view text);

// Drops what matches any of the rules, asks `inner` for the rest (null: parent-based, roots always
// on).  Counted: spanwire.trace.spans_filtered.
SamplerPtr filtered(std::vector<FilterRule> rules, SamplerPtr inner);

// What all filters of this process have dropped, in a forked child since the fork.
std::uint64_t spans_filtered() noexcept;

// Samples at most about `per_second` spans in a second, with a burst of as many: for roots, so put
// it under parent_based().  At most 0: never.
SamplerPtr rate_limited(double per_second, const Clock& clock = Clock::system());

// Roots by what they are called: the first entry whose prefix the name has decides, else
// `otherwise`.  Put it under parent_based().
struct PathSampler {
  std::string prefix;
  SamplerPtr sampler;
};
SamplerPtr by_path(std::vector<PathSampler> entries, SamplerPtr otherwise);

}  // namespace spanwire::trace
