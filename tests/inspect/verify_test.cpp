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
using testing::kReceived;
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

TEST(Verify, SecretsAreFoundInAllTexts) {
  const auto secrets = [](auto change) {
    GoodTraces traces;
    change(traces);
    return traces.judge().of(Rule::content_secret).count;
  };
  constexpr const char* kKey = "sk-abcdefghij0123456789abcdef";
  EXPECT_EQ(secrets([](auto& g) { g.of(kStep).status_message = std::string("bad key ") + kKey; }),
            1u);
  EXPECT_EQ(secrets([](auto& g) { g.of(kStep).name = "GET /x?api_key=abcd"; }), 1u);
  EXPECT_EQ(secrets([](auto& g) {
              const Value arguments{"serve --api-key hunter2 --port 80"};
              g.set.processes[0].attributes.push_back({"process.command_line", arguments});
            }),
            1u);
  EXPECT_EQ(secrets([](auto& g) {
              const Value::Array words{{std::string("--api-key")}, {std::string("hunter2")}};
              g.set.processes[0].attributes.push_back({"process.command_args", {words}});
            }),
            1u);
  EXPECT_EQ(secrets([](auto& g) {
              const Value::Map members{{"user", {std::string("u")}},
                                       {"password", {std::string("p")}}};
              g.of(kStep).attributes.push_back({"login", {members}});
            }),
            1u);
  EXPECT_EQ(
      secrets([](auto& g) { set_text(g.of(kStep), "u", "postgres://bob:hunter2@db:5432/x"); }), 1u);
  EXPECT_EQ(secrets([](auto& g) { set_text(g.of(kStep), "u", "postgres://bob:****@db:5432/x"); }),
            0u);
  EXPECT_EQ(secrets([](auto& g) { set_text(g.of(kStep), "u", "http://[::1]:80/a@b:c"); }), 0u);
  EXPECT_EQ(secrets([](auto& g) { set_text(g.of(kStep), "c", "serve --password --port 80"); }), 0u);
}

TEST(Verify, NamesThatDifferInTheirNumbersVary) {
  const auto varying = [](const char* begin, int count) {
    GoodTraces traces;
    traces.trace = 0x77;
    for (int i = 0; i < count; ++i) {
      traces.span(traces.decode, 0x50 + static_cast<unsigned>(i), 0, begin + std::to_string(i), i,
                  1);
    }
    return traces.judge().of(Rule::content_name_variable).count;
  };
  EXPECT_EQ(varying("layer ", 10), 0u);
  EXPECT_EQ(varying("request-", 30), 1u) << "told once";
  EXPECT_EQ(varying("GET /users/", 3), 3u);
  EXPECT_EQ(varying("GET /v", 3), 0u);
}

// Names of HTTP's two sides seldom agree; whom the client named and its path do.
TEST(Verify, AContextLostOnHttpIsFoundByAddressAndPath) {
  const auto lost = [](const char* called, const char* host, const char* path) {
    GoodTraces traces;
    lose_context(traces);
    Span& call = traces.of(testing::kCall);
    call.name = "POST";
    call.attributes.clear();
    set_text(call, "url.full", called);
    Span& served = traces.of(kServed);
    served.name = "POST /v1/generate";
    served.attributes.clear();
    set_text(served, "server.address", host);
    set_text(served, "url.path", path);
    return traces.judge().of(Rule::propagation_lost).count;
  };
  EXPECT_EQ(lost("http://prefill:8000/v1/generate?x=1", "prefill", "/v1/generate"), 1u);
  EXPECT_EQ(lost("http://other:8000/v1/generate", "prefill", "/v1/generate"), 0u);
  EXPECT_EQ(lost("http://prefill:8000/v1/other", "prefill", "/v1/generate"), 0u);
}

TEST(Verify, AContextLostOnAQueueIsFoundByItsName) {
  GoodTraces traces;
  lose_context(traces);
  Span& sent = traces.of(testing::kCall);
  sent.kind = SpanKind::producer;
  sent.name = "publish jobs";
  sent.attributes.clear();
  set_text(sent, "messaging.destination.name", "jobs");
  Span& taken = traces.of(kServed);
  taken.kind = SpanKind::consumer;
  taken.name = "process jobs";
  set_text(taken, "messaging.destination.name", "jobs");
  EXPECT_EQ(traces.judge().of(Rule::propagation_lost).count, 1u);
}

// A client of another library does not say that it was answered; others of its like do.
TEST(Verify, ACallWithoutItsServerSpanIsFoundBesideOthersThatHaveIt) {
  GoodTraces traces;
  for (Span& span : traces.set.spans) {
    if (span.kind == SpanKind::client) span.attributes.clear();
  }
  traces.remove(kReceived);
  EXPECT_EQ(traces.judge().of(Rule::propagation_server_missing).count, 1u);
  traces.of(testing::kOnward).status = SpanStatus::error;
  EXPECT_EQ(traces.judge().of(Rule::propagation_server_missing).count, 0u)
      << "it may never have arrived";
  traces.of(testing::kOnward).status = SpanStatus::unset;
  traces.remove(0x100 + kReceived);
  EXPECT_EQ(traces.judge().of(Rule::propagation_server_missing).count, 0u)
      << "a peer that is not traced";
}

TEST(Verify, EveryServiceThatWasAskedForMayBeInATrace) {
  GoodTraces traces;
  traces.backend.asked = {"router", "decode"};
  EXPECT_EQ(traces.judge().of(Rule::traces_foreign).outcome, Outcome::pass);
  traces.backend.asked = {"router", "encode"};
  const Verdict verdict = traces.judge();
  ASSERT_EQ(verdict.of(Rule::traces_foreign).count, 2u);
  EXPECT_EQ(verdict.of(Rule::traces_foreign).findings[0].measured, "no span of router or encode");
}

TEST(Verify, ALogThatSaysNothingIsNoCleanOne) {
  GoodTraces traces;
  traces.logs.push_back({"worker.log", "", ""});
  EXPECT_EQ(traces.judge().of(Rule::log_clean).reason, "worker.log is empty");
  traces.logs.back().problem = "it cannot be read";
  EXPECT_EQ(traces.judge().of(Rule::log_clean).reason, "worker.log: it cannot be read");
  EXPECT_EQ(traces.judge().gate(4), Outcome::not_evaluated);
  traces.logs[0].text = "ModuleNotFoundError: No module named 'opentelemetry'\n";
  EXPECT_EQ(traces.judge().gate(4), Outcome::fail);
}

TEST(Verify, LogsOfEnginesAndSdksAreUnderstood) {
  for (const char* line :
       {"RuntimeError: opentelemetry package is not installed!!!",
        "ValueError: OpenTelemetry is not available. Unable to configure",
        "ImportError: cannot import name 'x' from 'opentelemetry.sdk.trace'",
        "/usr/bin/python3: No module named opentelemetry",
        "Transient error Service Unavailable encountered while exporting span batch, retrying in "
        "1s.",
        "Overriding of current TracerProvider is not allowed",
        "traces export: context deadline exceeded",
        "[OTLP TRACE GRPC Exporter] Export() failed: connection refused",
        "Queue is full, likely spans will be dropped.", "Exporting failed. Dropping data."}) {
    GoodTraces traces;
    traces.logs[0].text = line;
    EXPECT_EQ(traces.judge().of(Rule::log_clean).count, 1u) << line;
  }
}

// A level of one's own counts for the gate, too.
TEST(Verify, AGateIsMadeByWhatIsAnErrorHere) {
  GoodTraces traces;
  traces.expected.levels[static_cast<std::size_t>(Rule::log_clean)] = Level::warning;
  traces.logs[0].text = "failed to export\n";
  EXPECT_EQ(traces.judge().gate(4), Outcome::not_evaluated);
}

}  // namespace
}  // namespace spanwire::inspect
