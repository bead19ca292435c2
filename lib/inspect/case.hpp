// What the rules work on: the evidence, indexed once, and the verdict as it grows.  Internal.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "spanwire/inspect/verify.hpp"

namespace spanwire::inspect {

class Case {
 public:
  Case(const Evidence& evidence, const Expectations& expected, Verdict& verdict);

  const Evidence& evidence() const noexcept { return evidence_; }
  const Expectations& expected() const noexcept { return expected_; }
  const std::vector<Span>& spans() const noexcept { return evidence_.traces->spans; }
  const std::vector<Tree>& trees() const noexcept { return *evidence_.trees; }
  const Process& process(const Span& span) const {
    return evidence_.traces->processes[span.process];
  }
  const std::string& service(const Span& span) const { return process(span).service; }

  // Positions are indices into spans().
  const Node& node(std::size_t position) const {
    const Place place = places_[position];
    return trees()[place.tree].nodes[place.node];
  }
  // kNone for a root and for an orphan.
  std::size_t parent(std::size_t position) const;
  const std::vector<std::size_t>& children(std::size_t position) const {
    return children_[position];
  }
  std::size_t find_span(const trace::TraceId& trace, const trace::SpanId& span) const;

  bool wants(Rule rule) const noexcept;
  bool failed(Rule rule) const noexcept;
  // Says why a rule has no outcome.
  void skip(Rule rule, std::string reason);
  // Findings of a span, of a whole trace, of a service, of the set.
  void add(Rule rule, const Span& span, std::string measured, std::string expected = {});
  void add(Rule rule, const Tree& tree, std::string measured, std::string expected = {});
  void add(Rule rule, std::string service, std::string measured, std::string expected = {});
  void finish();

 private:
  struct Place {
    std::uint32_t tree = 0;
    std::uint32_t node = 0;
  };

  void add(Finding finding);
  const Waiver* waiver_of(const Finding& finding);
  void check_waivers();

  const Evidence& evidence_;
  const Expectations& expected_;
  Verdict& verdict_;
  std::vector<Place> places_;
  std::vector<std::vector<std::size_t>> children_;
  std::unordered_multimap<trace::SpanId, std::size_t> by_id_;
  std::vector<std::size_t> waiver_uses_;
};

// "decode 'llm/decode/generate' (00f067aa0ba902b7)"
std::string describe(const Case& of, const Span& span);
// One a group; each names the rules it skips.
void check_sources(Case& of);
void check_ids(Case& of);
void check_tree(Case& of);
void check_propagation(Case& of);
void check_flags(Case& of);
void check_times(Case& of);
void check_requests(Case& of);
void check_events(Case& of);
void check_links(Case& of);
void check_names(Case& of);
void check_values(Case& of);
void check_resources(Case& of);

}  // namespace spanwire::inspect
