#include "spanwire/inspect/expectations.hpp"

#include <gtest/gtest.h>

#include "tests/inspect/verify_cases.hpp"

namespace spanwire::inspect {
namespace {

TEST(Expectations, ReadsEveryMember) {
  const auto read = parse_expectations(R"({
    "services": ["a", "b"],
    "requests": [{"service": "a", "name": "POST *", "count": 3, "services": ["b"],
                  "edges": [{"from": "a", "to": "b", "at_least": 2, "at_most": 4}],
                  "names": ["x"]}],
    "request_count": 7,
    "events": [{"span": "work", "order": ["one", "two|three"]}],
    "log_patterns": ["oops"],
    "run_id": "r-1", "external_parents": true, "prompts": true,
    "skew_ms": 1.5, "outside_parent_ms": 20, "depth_max": 9,
    "levels": {"tree.orphan": "warning", "content.secret": "off"},
    "waivers": [{"rule": "links.target", "service": "b", "name": "n", "trace": "4b",
                 "reason": "store", "expires": "2027-01-31"}]})");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->services, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(read->requests.size(), 1u);
  EXPECT_EQ(read->requests[0].count, 3u);
  EXPECT_EQ(read->requests[0].edges[0].at_least, 2u);
  EXPECT_EQ(read->requests[0].edges[0].at_most, 4u);
  EXPECT_EQ(read->request_count, 7u);
  EXPECT_EQ(read->events.back().order[1], "two|three");
  EXPECT_EQ(read->log_patterns, std::vector<std::string>{"oops"});
  EXPECT_EQ(read->run_id, "r-1");
  EXPECT_TRUE(read->external_parents);
  EXPECT_TRUE(read->prompts);
  EXPECT_EQ(read->skew_ns, 1'500'000);
  EXPECT_EQ(read->outside_parent_ns, 20'000'000);
  EXPECT_EQ(read->depth_max, 9u);
  EXPECT_EQ(read->levels[static_cast<std::size_t>(Rule::tree_orphan)], Level::warning);
  EXPECT_EQ(read->levels[static_cast<std::size_t>(Rule::content_secret)], Level::off);
  ASSERT_EQ(read->waivers.size(), 1u);
  EXPECT_EQ(read->waivers[0].rule, Rule::links_target);
}

TEST(Expectations, AnEmptyFileExpectsWhatTheRulesSay) {
  const auto read = parse_expectations("{}");
  ASSERT_TRUE(read);
  for (const RuleInfo& rule : rules()) {
    EXPECT_EQ(read->levels[static_cast<std::size_t>(rule.rule)], rule.level);
  }
  EXPECT_FALSE(read->log_patterns.empty());
  EXPECT_EQ(read->events.size(), 2u);
}

// A name that was typed wrongly must not switch a check off.
TEST(Expectations, NamesTheMemberThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "not JSON, at byte 2"},
      {R"({"version": 1e999})", "a number is beyond what a double holds"},
      {"[]", "not an object"},
      {R"({"service": []})", "service: unknown"},
      {R"({"services": "a"})", "services: not a list"},
      {R"({"services": [1]})", "services: not a list of texts"},
      {R"({"requests": [3]})", "requests[0].not an object"},
      {R"({"requests": [{"service": "a"}]})", "requests[0].needs the name of a root span"},
      {R"({"requests": [{"name": "a", "edgse": []}]})", "requests[0].edgse: unknown"},
      {R"({"requests": [{"name": "a", "edges": [{"from": "b"}]}]})",
       "requests[0].edges[0].needs from and to"},
      {R"({"requests": [{"name": "a", "edges": [{"from": "b", "to": "c", "at_least": 2,
          "at_most": 1}]}]})",
       "at_least is more than at_most"},
      {R"({"requests": [{"name": "a", "count": -1}]})", "requests[0].count: not a number"},
      {R"({"events": [{"span": "a"}]})", "events[0].needs span and order"},
      {R"({"skew_ms": "1"})", "skew_ms: not a number of milliseconds"},
      {R"({"skew_ms": -1})", "skew_ms: out of range"},
      {R"({"prompts": 1})", "prompts: not true or false"},
      {R"({"levels": {"tree.orphans": "off"}})", "levels: there is no rule 'tree.orphans'"},
      {R"({"levels": {"tree.orphan": "fatal"}})", "levels.tree.orphan: not one of off"},
      {R"({"waivers": [{"rule": "x.y", "reason": "r", "expires": "2027-01-31"}]})",
       "waivers[0].rule: there is no rule 'x.y'"},
      {R"({"waivers": [{"rule": "tree.orphan", "expires": "2027-01-31"}]})",
       "waivers[0].needs a reason"},
      {R"({"waivers": [{"rule": "tree.orphan", "reason": "r"}]})", "waivers[0].expires: not a day"},
      {R"({"waivers": [{"rule": "tree.orphan", "reason": "r", "expires": "2027-13-01"}]})",
       "waivers[0].expires: not a day"},
  };
  for (const auto& [text, error] : cases) {
    const auto read = parse_expectations(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Errc::file_malformed) << text;
    EXPECT_NE(read.error().detail().find(error), std::string_view::npos)
        << text << ": " << read.error().detail();
  }
}

TEST(Expectations, ADraftIsMetByWhatItWasMadeOfAndNotByLess) {
  testing::GoodTraces traces;
  const std::string draft = traces.draft();
  const auto read = parse_expectations(draft);
  ASSERT_TRUE(read) << read.error().message() << draft;
  ASSERT_EQ(read->requests.size(), 1u);
  EXPECT_EQ(read->requests[0].name, "POST /v1/chat");
  EXPECT_EQ(read->requests[0].services.size(), 3u);
  EXPECT_EQ(read->requests[0].edges.size(), 2u);
  traces.expected = *read;
  EXPECT_TRUE(traces.judge().passed(false));
  traces.remove(testing::kReceived);
  EXPECT_EQ(traces.judge().of(Rule::propagation_edges).count, 1u);
  EXPECT_EQ(traces.judge().of(Rule::propagation_services).count, 1u);
}

// What only some of the traces have is allowed and not demanded.
TEST(Expectations, ADraftDemandsWhatAllTracesHave) {
  testing::GoodTraces traces;
  traces.remove(testing::kReceived);
  const auto read = parse_expectations(traces.draft());
  ASSERT_TRUE(read);
  ASSERT_EQ(read->requests.size(), 1u);
  EXPECT_EQ(read->requests[0].services, (std::vector<std::string>{"frontend", "prefill"}));
  for (const ExpectedEdge& edge : read->requests[0].edges) {
    EXPECT_EQ(edge.at_least, edge.to == "decode" ? 0u : 1u);
    EXPECT_EQ(edge.at_most, 1u);
  }
}

Expectations drafted(testing::GoodTraces& traces) {
  auto read = parse_expectations(traces.draft());
  EXPECT_TRUE(read) << read.error().message();
  return read.value_or(Expectations());
}

// As it is made from files alone: no backend, no log, no second source.
TEST(Expectations, ADraftIsMetUnderStrictBySuchTraces) {
  testing::GoodTraces traces;
  traces.logs.clear();
  traces.backend = {};
  traces.expected = drafted(traces);
  const Verdict verdict = traces.judge();
  for (const RuleInfo& rule : rules()) EXPECT_NE(verdict.of(rule.rule).outcome, Outcome::fail);
  EXPECT_TRUE(verdict.passed(true));
  EXPECT_EQ(traces.expected.levels[static_cast<std::size_t>(Rule::log_clean)], Level::off);
  EXPECT_EQ(traces.expected.levels[static_cast<std::size_t>(Rule::tree_orphan)], Level::error);
}

TEST(Expectations, ADraftLeavesPartialTreesOut) {
  testing::GoodTraces traces;
  traces.trace = 0x77;
  Span& kept = traces.span(traces.front, 0x50, 0x99, "slow", 0, 900);
  kept.attributes.push_back({std::string(kPartialAttribute), Value{true}});
  traces.expected = drafted(traces);
  ASSERT_EQ(traces.expected.requests.size(), 1u);
  EXPECT_TRUE(traces.judge().passed(false));
}

TEST(Expectations, ADraftHasAStarWhereANameVaries) {
  testing::GoodTraces traces;
  traces.of(testing::kRequest).name = "POST /users/17/chat";
  traces.of(0x100 + testing::kRequest).name = "POST /users/4/chat";
  traces.expected = drafted(traces);
  ASSERT_EQ(traces.expected.requests.size(), 1u);
  EXPECT_EQ(traces.expected.requests[0].name, "POST /users/*");
  EXPECT_TRUE(traces.judge().passed(false));
}

TEST(Expectations, ADraftKnowsTheEventsThatAllHaveInOneOrder) {
  testing::GoodTraces traces;
  const auto events = [](Span& span, std::vector<const char*> names) {
    span.events.clear();
    for (const char* name : names) {
      span.events.push_back({span.start_ns + 10 * std::ssize(span.events), name, {}});
    }
  };
  Span& first = traces.of(testing::kStep);
  Span& second = traces.of(0x100 + testing::kStep);
  events(first, {"begun", "token", "done", "token"});
  events(second, {"begun", "retry", "token", "done"});
  traces.expected = drafted(traces);
  const ExpectedEvents& found = traces.expected.events.back();
  EXPECT_EQ(found.span, "step");
  EXPECT_EQ(found.order, (std::vector<std::string>{"begun", "token", "done"}));
  EXPECT_TRUE(traces.judge().passed(false));
  events(second, {"token", "begun", "done"});
  EXPECT_NE(drafted(traces).events.back().span, "step") << "there is no one order";
}

TEST(Expectations, ADraftOfTracesThatBeginOutsideExpectsThat) {
  testing::GoodTraces traces;
  for (const unsigned id : {0u + testing::kRequest, 0x100u + testing::kRequest}) {
    traces.of(id).parent = testing::span_id(0x99);
    traces.of(id).flags = 0x303;
  }
  traces.expected = drafted(traces);
  EXPECT_TRUE(traces.expected.external_parents);
  EXPECT_TRUE(traces.judge().passed(false));
}

}  // namespace
}  // namespace spanwire::inspect
