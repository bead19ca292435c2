// Each rule has three outcomes: the table of broken traces has the failures, here are the others.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/inspect/verify_cases.hpp"

namespace spanwire::inspect {
namespace {

using testing::GoodTraces;
using testing::kRequest;
using testing::kServed;
using testing::kStep;
using testing::link_to;

// The same as it is judged with a run id, a second source, events and a link.
GoodTraces complete() {
  GoodTraces traces;
  traces.expected.run_id = "run-7";
  for (Process& process : traces.set.processes) process.instance = "run-7";
  traces.expected.events.push_back({"step", {"begun", "done"}});
  for (Span& span : traces.set.spans) {
    if (span.name != "step") continue;
    span.events = {{span.start_ns + 10, "begun", {}}, {span.start_ns + 20, "done", {}}};
  }
  traces.of(kStep).links.push_back(link_to(traces.of(kRequest)));
  traces.against = traces.set;
  return traces;
}

TEST(VerifyOutcomes, EveryRulePassesWhereThereIsSomethingToJudge) {
  GoodTraces plain;
  GoodTraces full = complete();
  const Verdict first = plain.judge();
  const Verdict second = full.judge();
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& a = first.of(rule.rule);
    const RuleVerdict& b = second.of(rule.rule);
    EXPECT_NE(a.outcome, Outcome::fail) << rule.id;
    EXPECT_NE(b.outcome, Outcome::fail) << rule.id;
    EXPECT_TRUE(a.outcome == Outcome::pass || b.outcome == Outcome::pass)
        << rule.id << ": " << a.reason << "; " << b.reason;
  }
  for (int gate = 1; gate <= 14; ++gate) EXPECT_EQ(second.gate(gate), Outcome::pass) << gate;
}

std::map<std::string, std::string> reasons(const Verdict& verdict) {
  std::map<std::string, std::string> found;
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    if (item.outcome == Outcome::not_evaluated) found[std::string(rule.id)] = item.reason;
  }
  return found;
}

// One span without anything around it: what needs more says so.
TEST(VerifyOutcomes, ARuleWithoutAnythingToJudgeSaysWhy) {
  GoodTraces traces;
  for (const unsigned id : {testing::kCall, kServed, kStep, testing::kOnward, testing::kReceived}) {
    traces.remove(id);
    traces.remove(0x100 + id);
  }
  traces.set.spans.resize(1);
  traces.of(kRequest).flags = 0;
  const std::vector<Tree> trees = build_trees(traces.set);
  Evidence evidence;
  evidence.traces = &traces.set;
  evidence.trees = &trees;
  evidence.now_ns = traces.now_ns;
  const std::map<std::string, std::string> expected = {
      {"completeness.events", "no span whose events are known"},
      {"completeness.requests", "no requests are expected"},
      {"content.names_expected", "no names are expected"},
      {"ids.base64", "nothing is known of how it was read"},
      {"ids.copied", "nothing is known of how it was read"},
      {"ids.malformed", "nothing is known of how it was read"},
      {"ids.zero", "nothing is known of how it was read"},
      {"links.on_root", "no span has a link"},
      {"links.self", "no span has a link"},
      {"links.target", "no span has a link"},
      {"links.elsewhere", "no span has a link"},
      {"log.clean", "no log was given"},
      {"probe.not_empty", "no backend was probed"},
      {"propagation.edges", "no edges are expected"},
      {"propagation.flags", "no parent and child both carry W3C flags"},
      {"propagation.lost", "no span is a call"},
      {"propagation.parent_kind", "no trace crosses processes"},
      {"propagation.remote_flag", "no span says where its parent is"},
      {"propagation.server_missing", "no span is a call"},
      {"propagation.services", "no services are expected in a trace"},
      {"propagation.skipped_hop", "no span is a call"},
      {"read.damaged", "nothing is known of how it was read"},
      {"resource.run_id", "no run id is expected"},
      {"services.present", "no services are expected"},
      {"sink.same", "no second source was given"},
      {"time.skew", "no call crosses processes"},
      {"time.window", "no time window was asked for"},
      {"traces.foreign", "no service was asked for"},
      {"traces.truncated", "no search with a depth"},
      {"traces.unstable", "no backend was polled"}};
  EXPECT_EQ(reasons(verify(evidence, Expectations())), expected);
}

TEST(VerifyOutcomes, EveryRuleCanBeSwitchedOff) {
  for (const RuleInfo& rule : rules()) {
    GoodTraces traces;
    traces.expected.levels[static_cast<std::size_t>(rule.rule)] = Level::off;
    const Verdict verdict = traces.judge();
    EXPECT_EQ(verdict.of(rule.rule).outcome, Outcome::not_evaluated) << rule.id;
    EXPECT_EQ(verdict.of(rule.rule).reason, "switched off") << rule.id;
  }
}

TEST(VerifyOutcomes, WithoutSpansOnlyWhatAsksForThemIsJudged) {
  const TraceSet nothing;
  const std::vector<Tree> no_trees;
  Evidence evidence;
  evidence.traces = &nothing;
  evidence.trees = &no_trees;
  const std::map<std::string, std::string> why = reasons(verify(evidence, Expectations()));
  std::set<std::string> judged;
  for (const RuleInfo& rule : rules()) {
    if (why.count(std::string(rule.id)) == 0) judged.insert(std::string(rule.id));
  }
  EXPECT_EQ(judged, (std::set<std::string>{"traces.not_empty", "waiver.expired", "waiver.unused"}));
}

}  // namespace
}  // namespace spanwire::inspect
