#include "spanwire/inspect/verify.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "spanwire/inspect/report.hpp"
#include "tests/inspect/verify_cases.hpp"

namespace spanwire::inspect {
namespace {

using testing::GoodTraces;
using testing::kCall;
using testing::kRequest;
using testing::kServed;
using testing::kStart;
using testing::kStep;
using testing::link_to;
using testing::lose_context;
using testing::set_text;
using testing::span_id;

TEST(Verify, SaysWhyARuleHasNoOutcome) {
  GoodTraces traces;
  TraceSet nothing;
  const std::vector<Tree> no_trees;
  Evidence evidence;
  evidence.traces = &nothing;
  evidence.trees = &no_trees;
  const Verdict verdict = verify(evidence, Expectations());
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    EXPECT_EQ(item.outcome == Outcome::not_evaluated, !item.reason.empty()) << rule.id;
  }
  EXPECT_EQ(verdict.of(Rule::traces_not_empty).outcome, Outcome::fail);
  EXPECT_EQ(verdict.gate(3), Outcome::fail);
  EXPECT_EQ(verdict.gate(7), Outcome::not_evaluated);
}

// Strict: what could have failed and was not looked at fails; what only warns does not.
TEST(Verify, StrictWantsEverythingEvaluated) {
  GoodTraces traces;
  traces.expected.run_id.clear();
  Verdict verdict = traces.judge();
  EXPECT_TRUE(verdict.passed(false));
  EXPECT_FALSE(verdict.passed(true));
  for (const RuleInfo& rule : rules()) {
    if (verdict.of(rule.rule).outcome == Outcome::not_evaluated) {
      traces.expected.levels[static_cast<std::size_t>(rule.rule)] = Level::off;
    }
  }
  verdict = traces.judge();
  EXPECT_TRUE(verdict.passed(true));
  EXPECT_EQ(verdict.of(Rule::resource_run_id).reason, "switched off");
}

TEST(Verify, LevelsComeFromTheExpectations) {
  GoodTraces traces;
  traces.of(kStep).dropped = 1;
  traces.expected.levels[static_cast<std::size_t>(Rule::completeness_dropped)] = Level::error;
  EXPECT_FALSE(traces.judge().passed(false));
  traces.expected.levels[static_cast<std::size_t>(Rule::completeness_dropped)] = Level::off;
  EXPECT_EQ(traces.judge().of(Rule::completeness_dropped).count, 0u);
}

struct WaiverCase {
  const char* name;
  Waiver waiver;
  bool waived;
};

TEST(Verify, AWaiverCoversWhatItNamesUntilItsDay) {
  const WaiverCase cases[] = {
      {"all", {Rule::links_self, "", "", "", "r", "2026-11-21"}, true},
      {"this", {Rule::links_self, "prefill", "step", "4bf92f", "r", "2027-01-01"}, true},
      {"another service", {Rule::links_self, "decode", "", "", "r", "2027-01-01"}, false},
      {"another name", {Rule::links_self, "", "stop", "", "r", "2027-01-01"}, false},
      {"another trace", {Rule::links_self, "", "", "5b", "r", "2027-01-01"}, false},
      {"another rule", {Rule::links_target, "", "", "", "r", "2027-01-01"}, false},
      {"yesterday's", {Rule::links_self, "", "", "", "r", "2026-11-20"}, false},
  };
  for (const WaiverCase& item : cases) {
    GoodTraces traces;
    traces.of(kStep).links.push_back(link_to(traces.of(kStep)));
    traces.expected.waivers = {item.waiver};
    const Verdict verdict = traces.judge();
    EXPECT_EQ(verdict.passed(false), item.waived) << item.name;
    EXPECT_EQ(verdict.of(Rule::links_self).waived, item.waived ? 1u : 0u) << item.name;
    EXPECT_EQ(verdict.of(Rule::links_self).findings[0].waived, item.waived ? "r" : "") << item.name;
  }
}

// Requests from outside bring a context: their first span has a parent that nobody here recorded.
TEST(Verify, AParentOutsideIsGoodWhereItIsExpected) {
  GoodTraces traces;
  traces.of(kRequest).parent = span_id(0x77);
  EXPECT_FALSE(traces.judge().passed(false));
  traces.expected.external_parents = true;
  EXPECT_TRUE(traces.judge().passed(false));
  traces.of(kStep).parent = span_id(0x78);
  EXPECT_FALSE(traces.judge().passed(false)) << "a second one is an orphan";
}

TEST(Verify, APartialTreeIsGoodWhereItIsMarked) {
  GoodTraces traces;
  traces.of(kStep).parent = span_id(0x77);
  traces.of(kStep).attributes.push_back({"spanwire.partial", Value{true}});
  const Verdict failed = traces.judge();
  EXPECT_EQ(failed.of(Rule::tree_orphan).count, 0u);
  EXPECT_EQ(failed.kept_for_errors + failed.kept_for_time, 1u);
}

// What was around a kept span was not sampled: no server span below a call, no request above it.
TEST(Verify, OnlyKeptSpansAreNoFailure) {
  GoodTraces traces;
  Span call = traces.of(kCall);
  call.parent = span_id(0x77);
  call.status = SpanStatus::error;
  call.flags &= ~1u;
  call.attributes.push_back({"spanwire.partial", Value{true}});
  traces.set.spans = {call};
  traces.expected = Expectations();
  traces.expected.services = {"frontend"};
  const Verdict verdict = traces.judge();
  EXPECT_EQ(verdict.of(Rule::tree_orphan).count, 0u);
  EXPECT_EQ(verdict.of(Rule::tree_no_root).count, 0u);
  EXPECT_EQ(verdict.of(Rule::propagation_server_missing).count, 0u);
  EXPECT_TRUE(verdict.passed(false));
  EXPECT_EQ(verdict.kept_for_errors, 1u);
  EXPECT_NE(report_text(verdict, {}).find("1 trace partial: kept for its error\n"),
            std::string::npos);
  // Without the mark it is all of that.
  traces.set.spans[0].attributes.pop_back();
  EXPECT_EQ(traces.judge().of(Rule::tree_orphan).count, 1u);
  EXPECT_EQ(traces.judge().of(Rule::propagation_server_missing).count, 1u);
}

// A server that does not trust its caller's context links to it, in a trace of its own.
TEST(Verify, ALinkInPlaceOfAParentIsNoLostContext) {
  GoodTraces traces;
  const SpanLink link = link_to(traces.of(kCall));
  lose_context(traces);
  traces.of(kServed).links.push_back(link);
  EXPECT_EQ(traces.judge().of(Rule::propagation_lost).count, 0u);
}

// Some SDKs and stores have no low byte; zeros of those say nothing.
TEST(Verify, FlagsThatNobodyWritesAreNotCompared) {
  GoodTraces traces;
  for (Span& span : traces.set.spans) span.flags &= ~0xFFu;
  const Verdict verdict = traces.judge();
  EXPECT_EQ(verdict.of(Rule::propagation_flags).outcome, Outcome::not_evaluated);
  for (Span& span : traces.set.spans) span.flags = 0;
  EXPECT_EQ(traces.judge().of(Rule::propagation_remote_flag).outcome, Outcome::not_evaluated);
}

TEST(Verify, ARequestThatWasGivenUpMayMissEvents) {
  GoodTraces traces;
  traces.expected.requests[0].names.clear();
  traces.of(kStep).name = "llm_request";
  traces.of(kStep).events = {{kStart + 210'000, "api.ARRIVED", {}},
                             {kStart + 220'000, "api.ABORTED", {}}};
  EXPECT_EQ(traces.judge().of(Rule::completeness_events).count, 0u);
  traces.of(kStep).events[1].name = "api.DEPARTED";
  EXPECT_EQ(traces.judge().of(Rule::completeness_events).count, 2u);
}

TEST(Verify, FindsWhatJaegerMended) {
  GoodTraces traces;
  Span& span = traces.of(kStep);
  span.start_ns = kStart + 200'000;
  const auto warn = [&](const char* end) {
    span.attributes = {
        {"@jaeger@warnings",
         Value{Value::Array{Value{std::string("Negative duration detected, sanitizing end "
                                              "timestamp. Original end timestamp: ") +
                                  end + " +0000 UTC, adjusted to: x"}}}}};
    return traces.judge().of(Rule::time_backwards).count;
  };
  EXPECT_EQ(warn("2026-11-21 09:40:00.0002"), 0u) << "equal: no length is not backwards";
  EXPECT_EQ(warn("2026-11-21 09:40:00.000199999"), 1u);
  EXPECT_EQ(warn("2026-11-21 09:39:59.9"), 1u);
  EXPECT_EQ(warn("nonsense"), 0u);
}

TEST(Verify, ProseIsNoSecretAndAMaskIsNone) {
  for (const auto& [key, value] : std::vector<std::pair<const char*, const char*>>{
           {"k", "Basic understanding of bearer tokens"},
           {"k", "Bearer ****************"},
           {"http.request.header.authorization", "[\"REDACTED\"]"},
           {"gen_ai.usage.input_tokens", "12345678901234567890"},
           {"k", "risk-assessment-of-the-year-2026"}}) {
    GoodTraces traces;
    set_text(traces.of(kStep), key, value);
    EXPECT_EQ(traces.judge().of(Rule::content_secret).count, 0u) << value;
  }
  for (const auto& [key, value] : std::vector<std::pair<const char*, const char*>>{
           {"http.request.header.authorization", "whatever"},
           {"db.password", "hunter2"},
           {"k", "curl -H 'Authorization: Basic dXNlcjpwYXNzd29yZDEy'"},
           {"k", "-----BEGIN RSA PRIVATE KEY-----"},
           {"k", "AKIAIOSFODNN7EXAMPLE0"}}) {
    GoodTraces traces;
    set_text(traces.of(kStep), key, value);
    const Verdict verdict = traces.judge();
    ASSERT_EQ(verdict.of(Rule::content_secret).count, 1u) << value;
    EXPECT_EQ(verdict.of(Rule::content_secret).findings[0].measured.find(value), std::string::npos)
        << "the secret itself is not told";
  }
}

}  // namespace
}  // namespace spanwire::inspect
