// A breakage for each rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "spanwire/inspect/verify.hpp"
#include "tests/inspect/verify_cases.hpp"

namespace spanwire::inspect {
namespace {

using testing::GoodTraces;
using testing::kCall;
using testing::kOnward;
using testing::kReceived;
using testing::kRequest;
using testing::kServed;
using testing::kStart;
using testing::kStep;
using testing::link_to;
using testing::lose_context;
using testing::set_text;
using testing::span_id;

constexpr std::int64_t kMs = 1'000'000;

struct Broken {
  Rule rule;
  std::function<void(GoodTraces&)> breakage;
  const char* measured;        // a part of the first finding's text
  std::set<Rule> others = {};  // that must speak too, because one thing implies the other
};

void add_problem(GoodTraces& g, ProblemKind kind) {
  g.read.problems.push_back({"f", 3, "what it was", kind});
  ++g.read.problem_count;
}

// One breakage a rule.  Whatever else is found at level error is listed: a rule that speaks of what
// another one is about is a rule too many.
const std::vector<Broken>& broken_sources() {
  static const std::vector<Broken> cases = {
      {Rule::services_present, [](GoodTraces& g) { g.backend.services = {"frontend", "decode"}; },
       "not among the services: decode, frontend"},
      {Rule::probe_not_empty, [](GoodTraces& g) { g.backend.probe_traces = 0; },
       "a zero trace id blinds the search"},
      {Rule::traces_not_empty, [](GoodTraces& g) { g.set.spans.clear(); }, "0 spans"},
      {Rule::traces_foreign, [](GoodTraces& g) { g.backend.asked = {"router"}; },
       "no span of router"},
      {Rule::traces_truncated, [](GoodTraces& g) { g.backend.truncated = true; },
       "2 traces at a depth of 100"},
      {Rule::traces_unstable, [](GoodTraces& g) { g.backend.stable = false; }, "still growing"},
      {Rule::sink_same,
       [](GoodTraces& g) {
         g.against = g.set;
         g.against->spans.pop_back();
       },
       "not in the second source"},
      {Rule::log_clean,
       [](GoodTraces& g) { g.logs[0].text += "E Failed to export traces to h:4317\n"; },
       "server.log:2: e failed to export traces"},
      {Rule::read_damaged, [](GoodTraces& g) { add_problem(g, ProblemKind::damaged); },
       "f:3: what"},
      {Rule::ids_zero, [](GoodTraces& g) { add_problem(g, ProblemKind::zero_id); }, "f:3: what"},
      {Rule::ids_malformed, [](GoodTraces& g) { add_problem(g, ProblemKind::base64_as_hex); },
       "f:3: what"},
      {Rule::ids_base64, [](GoodTraces& g) { g.read.base64_ids = 2; }, "2 ids in base64"},
      {Rule::ids_copied, [](GoodTraces& g) { g.read.duplicates = 1; }, "1 span stored twice"},
  };
  return cases;
}

const std::vector<Broken>& broken_trees() {
  static const std::vector<Broken> cases = {
      {Rule::ids_duplicate,
       [](GoodTraces& g) {
         Span twin = g.of(kStep);
         twin.name = "other";
         g.set.spans.push_back(twin);
       },
       "the id of prefill 'step'"},
      {Rule::ids_shared, [](GoodTraces& g) { g.of(0x100 + kStep).id = span_id(kStep); },
       "also in trace 4bf9"},
      {Rule::ids_short,
       [](GoodTraces& g) {
         for (Span& span : g.set.spans) {
           auto bytes = span.trace.bytes();
           std::fill_n(bytes.begin(), 8, std::uint8_t{0});
           span.trace = trace::TraceId(bytes);
         }
       },
       "first 64 bits are zero"},
      {Rule::tree_orphan, [](GoodTraces& g) { g.of(kStep).parent = span_id(0x77); },
       "parent 0000000000000077 is not there"},
      {Rule::tree_self_parent, [](GoodTraces& g) { g.of(kStep).parent = span_id(kStep); },
       "lead back to itself"},
      {Rule::tree_cycle,
       [](GoodTraces& g) {
         Span other = g.of(kStep);
         other.id = span_id(0x70);
         other.parent = span_id(kStep);
         g.of(kStep).parent = other.id;
         g.set.spans.push_back(other);
       },
       "lead back to itself"},
      {Rule::tree_roots, [](GoodTraces& g) { g.of(kStep).parent = {}; }, "2 roots, among them"},
      {Rule::tree_no_root,
       [](GoodTraces& g) { g.remove(kRequest); },
       "no span without a parent",
       {Rule::tree_orphan, Rule::completeness_requests}},
      {Rule::tree_client_root, [](GoodTraces& g) { g.of(kRequest).kind = SpanKind::client; },
       "a client span"},
      {Rule::tree_depth, [](GoodTraces& g) { g.expected.depth_max = 4; }, "5 levels deep"},
  };
  return cases;
}

const std::vector<Broken>& broken_links() {
  static const std::vector<Broken> cases = {
      {Rule::links_target,
       [](GoodTraces& g) {
         g.of(kStep).links.push_back(link_to(g.of(kStep)));
         g.of(kStep).links[0].span = span_id(0x77);
       },
       "no span 0000000000000077 in trace"},
      {Rule::links_self, [](GoodTraces& g) { g.of(kStep).links.push_back(link_to(g.of(kStep))); },
       "a link to itself"},
      {Rule::links_elsewhere,
       [](GoodTraces& g) {
         g.of(kStep).links.push_back(link_to(g.of(kStep)));
         g.of(kStep).links[0].trace = testing::trace_id(0x77);
       },
       "a link into trace 00000000000000000000000000000077"},
      {Rule::links_on_root,
       [](GoodTraces& g) { g.of(kRequest).links.push_back(link_to(g.of(kStep))); },
       "a link to span 0000000000000004"},
  };
  return cases;
}

const std::vector<Broken>& broken_propagation() {
  static const std::vector<Broken> cases = {
      {Rule::propagation_lost,
       lose_context,
       "from frontend to prefill: prefill 'llm/prefill' (0000000000000003) began trace",
       {Rule::propagation_services, Rule::propagation_edges, Rule::content_names_expected,
        Rule::traces_foreign}},
      {Rule::propagation_server_missing,
       [](GoodTraces& g) { g.remove(kReceived); },
       "from prefill to its peer: answered, and no span below it",
       {Rule::propagation_services, Rule::propagation_edges}},
      {Rule::propagation_skipped_hop,
       [](GoodTraces& g) {
         g.remove(kOnward);
         g.of(kReceived).parent = span_id(kCall);
       },
       "beside prefill 'llm/prefill'",
       {Rule::propagation_edges}},
      {Rule::propagation_parent_kind,
       [](GoodTraces& g) {
         g.remove(kOnward);
         g.of(kReceived).parent = span_id(kServed);
       },
       "server below server prefill 'llm/prefill'"},
      {Rule::propagation_edges,
       [](GoodTraces& g) {
         g.expected.requests[0].edges[0].at_most = 0;
         g.expected.requests[0].edges[0].at_least = 0;
       },
       "from frontend to prefill: once"},
      {Rule::propagation_services,
       [](GoodTraces& g) { g.expected.requests[0].services.push_back("router"); },
       "no span of router"},
      {Rule::propagation_remote_flag, [](GoodTraces& g) { g.of(kServed).flags = 0x103; },
       "a local parent, which is in another process"},
      {Rule::propagation_flags,
       [](GoodTraces& g) {
         for (const unsigned id : {kServed, kStep, kOnward, kReceived}) g.of(id).flags &= ~2u;
       },
       "01 from frontend to prefill"},
  };
  return cases;
}

const std::vector<Broken>& broken_times() {
  static const std::vector<Broken> cases = {
      {Rule::time_backwards, [](GoodTraces& g) { g.of(kStep).backwards = true; },
       "ends before it starts"},
      {Rule::time_outside_parent, [](GoodTraces& g) { g.of(kStep).end_ns += 5 * kMs; },
       "ends 4.55 ms behind prefill 'llm/prefill'"},
      {Rule::time_skew,
       [](GoodTraces& g) {
         for (Span& span : g.set.spans) {
           if (span.process == g.decode) span.start_ns += 20 * kMs, span.end_ns += 20 * kMs;
         }
       },
       "its clock is between 19.9 ms and 20.1 ms ahead of prefill"},
      {Rule::time_window, [](GoodTraces& g) { g.backend.window_start = kStart + 1; }, "starts 20"},
      {Rule::time_epoch,
       [](GoodTraces& g) {
         for (Span& span : g.set.spans) span.start_ns /= 1'000, span.end_ns /= 1'000;
       },
       "starts 1970-01-21"},
      {Rule::time_event_outside,
       [](GoodTraces& g) { g.of(kStep).events = {{kStart, "early", {}}}; },
       "event 'early' 200 µs before the start"},
  };
  return cases;
}

const std::vector<Broken>& broken_content() {
  static const std::vector<Broken> cases = {
      {Rule::completeness_requests, [](GoodTraces& g) { g.expected.request_count = 3; },
       "2 requests traced"},
      {Rule::completeness_events,
       [](GoodTraces& g) {
         g.of(kStep).name = "llm_core";
         g.expected.requests[0].names.clear();
         g.of(kStep).events = {{kStart + 210'000, "journey.SCHEDULED", {}},
                               {kStart + 220'000, "journey.QUEUED", {}},
                               {kStart + 230'000, "journey.FIRST_TOKEN", {}},
                               {kStart + 240'000, "journey.FINISHED", {}}};
       },
       "journey.SCHEDULED before journey.QUEUED"},
      {Rule::completeness_dropped, [](GoodTraces& g) { g.of(kStep).dropped = 3; }, "3 dropped"},
      {Rule::content_name_empty,
       [](GoodTraces& g) {
         g.of(kStep).name = "empty-span-name";
         g.expected.requests[0].names.clear();
       },
       "empty-span-name"},
      {Rule::content_name_generic,
       [](GoodTraces& g) {
         g.of(kStep).name = "HTTP GET";
         g.expected.requests[0].names.clear();
       },
       "HTTP GET"},
      {Rule::content_only_generic,
       [](GoodTraces& g) {
         for (Span& span : g.set.spans) {
           if (span.process == g.decode) span.name = "GET";
         }
       },
       "all of its 2 spans"},
      {Rule::content_names_expected,
       [](GoodTraces& g) { g.expected.requests[0].names.push_back("warm*"); }, "no span 'warm*'"},
      {Rule::content_name_variable,
       [](GoodTraces& g) {
         g.of(kStep).name = "step 7f3a90bc";
         g.expected.requests[0].names.clear();
       },
       "step 7f3a90bc"},
      {Rule::content_value_long,
       [](GoodTraces& g) { set_text(g.of(kStep), "k", std::string(60'000, 'a')); },
       "k has 60000 bytes"},
  };
  return cases;
}

const std::vector<Broken>& broken_values() {
  static const std::vector<Broken> cases = {
      {Rule::content_secret,
       [](GoodTraces& g) { set_text(g.of(kStep), "h", "Bearer abcdefgh12345678"); },
       "h holds a bearer token"},
      {Rule::content_prompt, [](GoodTraces& g) { set_text(g.of(kStep), "gen_ai.prompt", "hello"); },
       "gen_ai.prompt has 5 bytes"},
      {Rule::content_conventions, [](GoodTraces& g) { set_text(g.of(kStep), "rpc.method", "m"); },
       "rpc.* without rpc.system.name"},
      {Rule::resource_service_name,
       [](GoodTraces& g) {
         g.set.processes.push_back({"missing-service-name", "i", g.set.processes[0].attributes});
       },
       "no service.name"},
      {Rule::resource_instance_id, [](GoodTraces& g) { g.set.processes[1].instance = ""; },
       "no service.instance.id"},
      {Rule::resource_instance_shared, [](GoodTraces& g) { g.set.processes[1].instance = "f-1"; },
       "f-1 is the id of process h/11 and of h/12"},
      {Rule::resource_process, [](GoodTraces& g) { g.set.processes[1].attributes.resize(1); },
       "no host.name"},
      {Rule::resource_run_id, [](GoodTraces& g) { g.expected.run_id = "run-1"; }, "f-1"},
  };
  return cases;
}

const std::vector<Broken>& broken_waivers() {
  static const std::vector<Broken> cases = {
      {Rule::waiver_expired,
       [](GoodTraces& g) {
         g.expected.waivers = {{Rule::links_self, "", "", "", "why", "2026-11-20"}};
       },
       "of links.self (why), expired on 2026-11-20"},
      {Rule::waiver_unused,
       [](GoodTraces& g) {
         g.expected.waivers = {{Rule::links_self, "", "", "", "why", "2027-11-20"}};
       },
       "of links.self (why) waived nothing"},
  };
  return cases;
}

const std::vector<Broken>& all_broken() {
  static const std::vector<Broken> all = [] {
    std::vector<Broken> made;
    for (const auto* group :
         {&broken_sources(), &broken_trees(), &broken_links(), &broken_propagation(),
          &broken_times(), &broken_content(), &broken_values(), &broken_waivers()}) {
      made.insert(made.end(), group->begin(), group->end());
    }
    return made;
  }();
  return all;
}

std::string ids_of(const std::set<Rule>& rules) {
  std::string text;
  for (const Rule rule : rules) text.append(info(rule).id).append(" ");
  return text;
}

std::set<Rule> speaking(const Verdict& verdict, Level at_least) {
  std::set<Rule> found;
  for (const RuleInfo& rule : rules()) {
    if (verdict.of(rule.rule).count > 0 && rule.level >= at_least) found.insert(rule.rule);
  }
  return found;
}

TEST(VerifyRules, IsContentWithAGoodTrace) {
  GoodTraces good;
  const Verdict verdict = good.judge();
  EXPECT_EQ(ids_of(speaking(verdict, Level::info)), "");
  EXPECT_TRUE(verdict.passed(false));
  EXPECT_EQ(verdict.spans, 12u);
  EXPECT_EQ(verdict.traces, 2u);
  EXPECT_EQ(verdict.services, 3u);
}

TEST(VerifyRules, EveryRuleHasABrokenTrace) {
  std::set<Rule> covered;
  for (const Broken& item : all_broken()) covered.insert(item.rule);
  for (const RuleInfo& rule : rules()) EXPECT_EQ(covered.count(rule.rule), 1u) << rule.id;
}

TEST(VerifyRules, EveryRuleFindsWhatIsBrokenAndNothingElseFails) {
  for (const Broken& item : all_broken()) {
    const RuleInfo& rule = info(item.rule);
    GoodTraces traces;
    item.breakage(traces);
    const Verdict verdict = traces.judge();
    const RuleVerdict& found = verdict.of(item.rule);
    ASSERT_GT(found.count, 0u) << rule.id << ": " << found.reason;
    EXPECT_NE(found.findings[0].measured.find(item.measured), std::string::npos)
        << rule.id << ": " << found.findings[0].measured;
    EXPECT_EQ(found.outcome, rule.level == Level::error ? Outcome::fail : Outcome::pass) << rule.id;
    std::set<Rule> expected = item.others;
    if (rule.level == Level::error) expected.insert(item.rule);
    EXPECT_EQ(ids_of(speaking(verdict, Level::error)), ids_of(expected)) << rule.id;
    if (rule.gate != 0 && rule.level == Level::error) {
      EXPECT_EQ(verdict.gate(rule.gate), Outcome::fail) << rule.id;
    }
  }
}

}  // namespace
}  // namespace spanwire::inspect
