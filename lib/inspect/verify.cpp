#include "spanwire/inspect/verify.hpp"

#include <algorithm>
#include <set>

#include "lib/inspect/case.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

// The day of a time, "2026-11-21": what waivers expire by.
std::string day_of(std::int64_t nanoseconds) { return time_text(nanoseconds).substr(0, 10); }

bool matches(const Waiver& waiver, const Finding& finding) {
  return waiver.rule == finding.rule &&
         (waiver.service.empty() || waiver.service == finding.service) &&
         (waiver.name.empty() || waiver.name == finding.name) &&
         (waiver.trace.empty() ||
          (finding.trace && finding.trace.hex().view().starts_with(waiver.trace)));
}

}  // namespace

Case::Case(const Evidence& evidence, const Expectations& expected, Verdict& verdict)
    : evidence_(evidence),
      expected_(expected),
      verdict_(verdict),
      places_(spans().size()),
      children_(spans().size()),
      waiver_uses_(expected.waivers.size()) {
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    verdict_.rules[i].level = expected.levels[i];
    if (expected.levels[i] == Level::off) skip(static_cast<Rule>(i), "switched off");
  }
  for (std::size_t t = 0; t < trees().size(); ++t) {
    const Tree& tree = trees()[t];
    for (std::size_t n = 0; n < tree.nodes.size(); ++n) {
      const Node& node = tree.nodes[n];
      places_[node.span] = {static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(n)};
      if (node.parent != kNone) children_[tree.nodes[node.parent].span].push_back(node.span);
    }
  }
  by_id_.reserve(spans().size());
  for (std::size_t i = 0; i < spans().size(); ++i) by_id_.emplace(spans()[i].id, i);
}

std::size_t Case::parent(std::size_t position) const {
  const Place place = places_[position];
  const std::vector<Node>& nodes = trees()[place.tree].nodes;
  const std::size_t parent = nodes[place.node].parent;
  return parent == kNone ? kNone : nodes[parent].span;
}

std::size_t Case::find_span(const trace::TraceId& trace, const trace::SpanId& span) const {
  const auto [first, last] = by_id_.equal_range(span);
  for (auto item = first; item != last; ++item) {
    if (spans()[item->second].trace == trace) return item->second;
  }
  return kNone;
}

bool Case::wants(Rule rule) const noexcept {
  return verdict_.of(rule).outcome != Outcome::not_evaluated;
}

bool Case::failed(Rule rule) const noexcept { return verdict_.of(rule).outcome == Outcome::fail; }

void Case::skip(Rule rule, std::string reason) {
  RuleVerdict& verdict = verdict_.rules[static_cast<std::size_t>(rule)];
  if (verdict.outcome == Outcome::not_evaluated) return;
  verdict.outcome = Outcome::not_evaluated;
  verdict.reason = std::move(reason);
}

void Case::add(Rule rule, const Span& span, std::string measured, std::string expected) {
  add({rule,
       Level::error,
       span.trace,
       span.id,
       service(span),
       span.name,
       std::move(measured),
       std::move(expected),
       {}});
}

void Case::add(Rule rule, const Tree& tree, std::string measured, std::string expected) {
  const Span& top = spans()[tree.nodes.front().span];
  add({rule,
       Level::error,
       tree.id,
       {},
       service(top),
       top.name,
       std::move(measured),
       std::move(expected),
       {}});
}

void Case::add(Rule rule, std::string service, std::string measured, std::string expected) {
  add({rule,
       Level::error,
       {},
       {},
       std::move(service),
       {},
       std::move(measured),
       std::move(expected),
       {}});
}

void Case::add(Finding finding) {
  if (!wants(finding.rule)) return;
  RuleVerdict& verdict = verdict_.rules[static_cast<std::size_t>(finding.rule)];
  finding.level = verdict.level;
  if (finding.expected.empty()) finding.expected = info(finding.rule).wants;
  if (const Waiver* waiver = waiver_of(finding)) {
    finding.waived = waiver->reason;
    ++verdict.waived;
  } else {
    ++verdict.count;
    if (verdict.level == Level::error) verdict.outcome = Outcome::fail;
  }
  if (verdict.findings.size() < kFindingsKeptMax) verdict.findings.push_back(std::move(finding));
}

const Waiver* Case::waiver_of(const Finding& finding) {
  const std::string today = day_of(evidence_.now_ns);
  for (std::size_t i = 0; i < expected_.waivers.size(); ++i) {
    const Waiver& waiver = expected_.waivers[i];
    if (!matches(waiver, finding)) continue;
    ++waiver_uses_[i];
    if (waiver.expires >= today) return &waiver;
  }
  return nullptr;
}

void Case::check_waivers() {
  const std::string today = day_of(evidence_.now_ns);
  for (std::size_t i = 0; i < expected_.waivers.size(); ++i) {
    const Waiver& waiver = expected_.waivers[i];
    const std::string text = "of " + std::string(info(waiver.rule).id) + " (" + waiver.reason + ')';
    if (waiver.expires < today) {
      add(Rule::waiver_expired, waiver.service, text + ", expired on " + waiver.expires);
    } else if (waiver_uses_[i] == 0) {
      add(Rule::waiver_unused, waiver.service, text + " waived nothing");
    }
  }
}

void Case::finish() {
  check_waivers();
  std::set<std::string> services;
  for (const Process& process : evidence_.traces->processes) services.insert(process.service);
  verdict_.spans = spans().size();
  verdict_.traces = trees().size();
  for (const Tree& tree : trees()) {
    if (tree.partials == 0) continue;
    const bool failed = std::any_of(tree.nodes.begin(), tree.nodes.end(), [this](const Node& node) {
      return node.partial && spans()[node.span].status == SpanStatus::error;
    });
    ++(failed ? verdict_.kept_for_errors : verdict_.kept_for_time);
  }
  verdict_.services = services.size();
  verdict_.processes = evidence_.traces->processes.size();
}

std::string describe(const Case& of, const Span& span) {
  return of.service(span) + " '" + span.name + "' (" + span.id.hex().str() + ')';
}

std::string_view name(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "fail";
    case Outcome::not_evaluated:
      break;
  }
  return "not evaluated";
}

Outcome Verdict::gate(std::size_t number) const noexcept {
  Outcome outcome = Outcome::not_evaluated;
  for (const RuleInfo& rule : inspect::rules()) {
    if (rule.gate != number) continue;
    if (of(rule.rule).outcome == Outcome::fail) return Outcome::fail;
    // What only warns does not make a gate.
    if (of(rule.rule).outcome == Outcome::pass && of(rule.rule).level == Level::error) {
      outcome = Outcome::pass;
    }
  }
  return outcome;
}

bool Verdict::passed(bool strict) const noexcept {
  return std::none_of(rules.begin(), rules.end(), [strict](const RuleVerdict& rule) {
    if (rule.outcome == Outcome::fail) return true;
    return strict && rule.level == Level::error && rule.outcome == Outcome::not_evaluated;
  });
}

Verdict verify(const Evidence& evidence, const Expectations& expected) {
  Verdict verdict;
  Case of(evidence, expected, verdict);
  check_sources(of);
  if (evidence.traces->spans.empty()) {
    for (const RuleInfo& rule : rules()) {
      if (rule.rule >= Rule::ids_duplicate && rule.rule < Rule::waiver_expired) {
        of.skip(rule.rule, "there are no spans");
      }
    }
  }
  check_ids(of);
  check_tree(of);
  check_propagation(of);
  check_flags(of);
  check_times(of);
  check_requests(of);
  check_events(of);
  check_links(of);
  check_names(of);
  check_values(of);
  check_resources(of);
  of.finish();
  return verdict;
}

}  // namespace spanwire::inspect
