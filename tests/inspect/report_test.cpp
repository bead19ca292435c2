#include "spanwire/inspect/report.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/inspect/verify_cases.hpp"

namespace spanwire::inspect {
namespace {

using testing::GoodTraces;
using testing::kReceived;
using testing::kStep;

// Something of each kind: an error, a warning, a note, a waiver, a hostile name.
Verdict broken() {
  GoodTraces traces;
  traces.expected.requests.clear();
  testing::lose_context(traces);
  traces.of(kStep).dropped = 3;
  traces.of(kReceived).name = "GET";
  traces.of(kReceived).events = {{traces.of(kReceived).start_ns - 5, "<a> & \"b\"\x1b[31m,\n", {}}};
  traces.of(kStep).links.push_back(testing::link_to(traces.of(kStep)));
  traces.expected.waivers = {
      {Rule::links_self, "prefill", "", "", "known, being mended", "2027-01-31"}};
  return traces.judge();
}

ReportOptions plain() {
  ReportOptions options;
  options.source = "traces.jsonl";
  return options;
}

std::string golden(const char* file, const std::string& text) {
  const std::string path = std::string(SPANWIRE_SOURCE_DIR) + "/tests/inspect/golden/" + file;
  if (std::getenv("SPANWIRE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream in(path);
  std::stringstream expected;
  expected << in.rdbuf();
  return expected.str();
}

// SPANWIRE_UPDATE_GOLDEN=1 writes the files; the difference is then for a reviewer to judge.
TEST(Report, IsThatOfTheGoldenFiles) {
  ReportOptions strict = plain();
  strict.strict = true;
  ReportOptions quiet = plain();
  quiet.quiet = true;
  ReportOptions colour = plain();
  colour.colour = true;
  const Verdict verdict = broken();
  const std::pair<const char*, std::string> cases[] = {
      {"verify.txt", report_text(verdict, plain())},
      {"verify_strict.txt", report_text(verdict, strict)},
      {"verify_quiet.txt", report_text(verdict, quiet)},
      {"verify_colour.txt", report_text(verdict, colour)},
      {"verify_good.txt", report_text(GoodTraces().judge(), plain())},
      {"verify.junit.txt", report_junit(verdict, plain())},
      {"verify_strict.junit.txt", report_junit(verdict, strict)},
      {"verify.github.txt", report_github(verdict, plain())},
      {"verify.json", report_json(verdict, plain())},
  };
  for (const auto& [file, text] : cases) EXPECT_EQ(text, golden(file, text)) << file;
}

// What a span carries can neither end a line, nor a command, nor an element.
TEST(Report, TextsOfSpansStayTexts) {
  const Verdict verdict = broken();
  for (const std::string& text : {report_text(verdict, plain()), report_junit(verdict, plain()),
                                  report_github(verdict, plain())}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\n,"), std::string::npos);
  }
  EXPECT_EQ(report_junit(verdict, plain()).find("<a>"), std::string::npos);
}

TEST(Report, ShowsAsManyFindingsAsAskedAndCountsTheRest) {
  GoodTraces traces;
  for (Span& span : traces.set.spans) span.dropped = 1;
  ReportOptions options = plain();
  options.findings_per_rule = 2;
  const std::string text = report_text(traces.judge(), options);
  EXPECT_NE(text.find("completeness.dropped: 12 findings"), std::string::npos) << text;
  EXPECT_NE(text.find("  - and 10 more\n"), std::string::npos) << text;
}

TEST(Report, JsonSaysTheSameAsTheVerdict) {
  const Verdict verdict = broken();
  const auto json = nlohmann::json::parse(report_json(verdict, plain()));
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["gates"].size(), kGateCount);
  ASSERT_EQ(json["rules"].size(), kRuleCount);
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    EXPECT_EQ(json["rules"][i]["id"], rules()[i].id);
    EXPECT_EQ(json["rules"][i]["findings"], verdict.rules[i].count);
    EXPECT_EQ(json["rules"][i]["outcome"], name(verdict.rules[i].outcome));
  }
}

TEST(Rules, HaveIdsThatAreFoundAgain) {
  for (const RuleInfo& rule : rules()) {
    EXPECT_EQ(rule_of(rule.id), rule.rule);
    EXPECT_LE(rule.gate, kGateCount);
    EXPECT_FALSE(rule.wants.empty());
  }
  EXPECT_EQ(rule_of("tree.nonsense"), std::nullopt);
  EXPECT_EQ(level_of("warning"), Level::warning);
  EXPECT_EQ(level_of("fatal"), std::nullopt);
}

}  // namespace
}  // namespace spanwire::inspect
