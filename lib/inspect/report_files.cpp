// A verdict as JSON and as JUnit XML.
#include <nlohmann/json.hpp>

#include "lib/inspect/report_parts.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Finding& finding) {
  Json json;
  if (finding.trace) json["trace_id"] = finding.trace.hex().str();
  if (finding.span) json["span_id"] = finding.span.hex().str();
  if (!finding.service.empty()) json["service"] = finding.service;
  if (!finding.name.empty()) json["name"] = finding.name;
  json["measured"] = finding.measured;
  json["expected"] = finding.expected;
  if (!finding.waived.empty()) json["waived"] = finding.waived;
  return json;
}

Json json_of(const RuleInfo& rule, const RuleVerdict& verdict) {
  Json json = {{"id", rule.id}, {"level", name(verdict.level)}};
  if (rule.gate != 0) json["gate"] = rule.gate;
  json["outcome"] = name(verdict.outcome);
  if (verdict.outcome == Outcome::not_evaluated) json["reason"] = verdict.reason;
  json["findings"] = verdict.count;
  json["waived"] = verdict.waived;
  json["wants"] = rule.wants;
  if (!verdict.findings.empty()) {
    json["likely_causes"] = rule.causes;
    Json details = Json::array();
    for (const Finding& finding : verdict.findings) details.push_back(json_of(finding));
    json["details"] = std::move(details);
  }
  return json;
}

std::string xml(std::string_view text) {
  std::string made;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        made += "&amp;";
        break;
      case '<':
        made += "&lt;";
        break;
      case '>':
        made += "&gt;";
        break;
      case '"':
        made += "&quot;";
        break;
      default:
        made += c;
    }
  }
  return made;
}

struct Suite {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t skipped = 0;
  std::string cases;

  void add(const std::string& class_name, const std::string& name, Outcome outcome,
           const std::string& message, const std::string& body) {
    ++tests;
    cases += "    <testcase classname=\"" + class_name + "\" name=\"" + xml(name) + "\"";
    if (outcome == Outcome::pass) {
      cases += body.empty() ? "/>\n"
                            : ">\n      <system-out>" + body + "</system-out>\n    </testcase>\n";
    } else if (outcome == Outcome::fail) {
      ++failures;
      cases += ">\n      <failure message=\"" + xml(message) + "\">" + body +
               "</failure>\n    </testcase>\n";
    } else {
      ++skipped;
      cases += ">\n      <skipped message=\"" + xml(message) + "\"/>\n    </testcase>\n";
    }
  }

  std::string text(const std::string& name) const {
    return "  <testsuite name=\"" + name + "\" tests=\"" + std::to_string(tests) +
           "\" failures=\"" + std::to_string(failures) + "\" errors=\"0\" skipped=\"" +
           std::to_string(skipped) + "\">\n" + cases + "  </testsuite>\n";
  }
};

std::string findings_of(const RuleVerdict& verdict) {
  std::string body;
  for (const Finding& finding : verdict.findings) {
    if (finding.waived.empty()) body += xml(finding_text(finding)) + '\n';
  }
  if (verdict.count + verdict.waived > verdict.findings.size()) {
    body += "and " + std::to_string(verdict.count + verdict.waived - verdict.findings.size()) +
            " more\n";
  }
  return body;
}

std::string failed_rules(const Verdict& verdict, std::size_t gate, bool strict) {
  std::string ids;
  for (const RuleInfo& rule : rules()) {
    if (rule.gate != gate || !fails(verdict.of(rule.rule), strict)) continue;
    ids.append(ids.empty() ? "" : ", ").append(rule.id);
  }
  return ids;
}

Suite gates_of(const Verdict& verdict, bool strict) {
  Suite suite;
  for (std::size_t gate = 1; gate <= kGateCount; ++gate) {
    const Outcome outcome = gate_outcome(verdict, gate, strict);
    std::string body;
    for (const RuleInfo& rule : rules()) {
      if (rule.gate == gate && outcome == Outcome::fail) body += findings_of(verdict.of(rule.rule));
    }
    suite.add(
        "spanwire.gates", 'G' + std::to_string(gate) + ' ' + std::string(gate_name(gate)), outcome,
        outcome == Outcome::fail ? failed_rules(verdict, gate, strict) : "not evaluated", body);
  }
  return suite;
}

Suite rules_of(const Verdict& verdict, bool strict) {
  Suite suite;
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    const bool failed = fails(item, strict);
    const bool missing = item.outcome == Outcome::not_evaluated;
    suite.add("spanwire.rules", std::string(rule.id), failed ? Outcome::fail : item.outcome,
              missing ? "not evaluated: " + item.reason : std::string(rule.wants),
              findings_of(item));
  }
  return suite;
}

}  // namespace

std::string report_json(const Verdict& verdict, const ReportOptions& options) {
  Json gates = Json::array();
  for (std::size_t gate = 1; gate <= kGateCount; ++gate) {
    gates.push_back({{"gate", gate},
                     {"name", gate_name(gate)},
                     {"outcome", name(gate_outcome(verdict, gate, options.strict))}});
  }
  Json all = Json::array();
  for (const RuleInfo& rule : rules()) all.push_back(json_of(rule, verdict.of(rule.rule)));
  const Json report = {{"passed", verdict.passed(options.strict)},
                       {"strict", options.strict},
                       {"source", options.source},
                       {"spans", verdict.spans},
                       {"traces", verdict.traces},
                       {"kept_for_errors", verdict.kept_for_errors},
                       {"kept_for_time", verdict.kept_for_time},
                       {"services", verdict.services},
                       {"processes", verdict.processes},
                       {"gates", std::move(gates)},
                       {"rules", std::move(all)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string report_junit(const Verdict& verdict, const ReportOptions& options) {
  const Suite gates = gates_of(verdict, options.strict);
  const Suite all = rules_of(verdict, options.strict);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"spanwire verify\" "
         "tests=\"" +
         std::to_string(gates.tests + all.tests) + "\" failures=\"" +
         std::to_string(gates.failures + all.failures) + "\" skipped=\"" +
         std::to_string(gates.skipped + all.skipped) + "\">\n" + gates.text("gates") +
         all.text("rules") + "</testsuites>\n";
}

}  // namespace spanwire::inspect
