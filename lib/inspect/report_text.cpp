// A verdict as text for a terminal and as annotations of GitHub.
#include <algorithm>

#include "lib/inspect/report_parts.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kNameColumns = 36;
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string paint(std::string_view text, std::string_view colour, const ReportOptions& options) {
  if (!options.colour) return std::string(text);
  return std::string(colour).append(text).append(kPlain);
}

// Why a gate has no outcome: the reasons of its rules, each once.
std::string reasons_of(const Verdict& verdict, std::size_t gate) {
  std::string reasons;
  for (const RuleInfo& rule : rules()) {
    if (rule.gate != gate || rule.level != Level::error) continue;
    const std::string& reason = verdict.of(rule.rule).reason;
    if (reason.empty() || reasons.find(reason) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  return reasons;
}

std::string gate_line(const Verdict& verdict, std::size_t gate, const ReportOptions& options) {
  const Outcome outcome = gate_outcome(verdict, gate, options.strict);
  std::string line = fit("G" + std::to_string(gate), 5) + fit(gate_name(gate), kNameColumns);
  if (outcome == Outcome::pass) return line + paint("pass", kGreen, options) + '\n';
  const bool missing = verdict.gate(gate) == Outcome::not_evaluated;
  line += outcome == Outcome::fail ? paint("FAIL", kRed, options) : "not evaluated";
  if (missing) line += paint(" (" + reasons_of(verdict, gate) + ')', kDim, options);
  return line + '\n';
}

std::string heading(const RuleInfo& rule, const RuleVerdict& verdict,
                    const ReportOptions& options) {
  const bool failed = fails(verdict, options.strict);
  const std::string_view colour = failed ? kRed : verdict.level == Level::warning ? kYellow : kDim;
  const std::string_view word = failed               ? "FAIL"
                                : verdict.count == 0 ? "waived"
                                                     : name(verdict.level);
  std::string text = paint(word, colour, options);
  text += ' ' + std::string(rule.id);
  if (rule.gate != 0) text += " (G" + std::to_string(rule.gate) + ')';
  if (verdict.outcome == Outcome::not_evaluated) return text + ": not evaluated: " + verdict.reason;
  text += ": " + counted(verdict.count, "finding");
  if (verdict.waived > 0) text += ", " + std::to_string(verdict.waived) + " waived";
  return text;
}

std::string rule_text(const RuleInfo& rule, const RuleVerdict& verdict,
                      const ReportOptions& options) {
  std::string text =
      heading(rule, verdict, options) + "\n  wants: " + std::string(rule.wants) + '\n';
  std::size_t shown = 0;
  for (const Finding& finding : verdict.findings) {
    if (!finding.waived.empty() || shown == options.findings_per_rule) continue;
    ++shown;
    text += "  - " + finding_text(finding) + '\n';
  }
  if (verdict.count > shown) text += "  - and " + std::to_string(verdict.count - shown) + " more\n";
  if (verdict.count > 0 && !rule.causes.empty()) {
    text += paint("  likely: " + std::string(rule.causes), kDim, options) + '\n';
  }
  return text;
}

std::string last_line(const Verdict& verdict, const ReportOptions& options) {
  std::size_t passed = 0;
  std::size_t missing = 0;
  std::string failed;
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    if (fails(item, options.strict)) {
      failed.append(failed.empty() ? "" : ", ").append(rule.id);
    } else if (item.outcome == Outcome::pass) {
      ++passed;
    } else {
      ++missing;
    }
  }
  const std::string counts =
      std::to_string(passed) + " rules pass, " + std::to_string(missing) + " not evaluated";
  if (failed.empty()) return paint("PASS", kGreen, options) + ": " + counts + '\n';
  return paint("FAIL", kRed, options) + ": " + failed + "; " + counts + '\n';
}

// Trees that are no damage: their spans were not sampled, and kept for how they ended.
std::string partial_line(std::size_t traces, std::string_view why) {
  if (traces == 0) return {};
  return counted(traces, "trace") + " partial: kept for " + std::string(why) + '\n';
}

// Of a workflow command: `property` in its head, else in its text.
std::string command_text(std::string_view text, bool property) {
  std::string made;
  for (const char c : printable(text)) {
    if (c == '%') {
      made += "%25";
    } else if (property && c == ':') {
      made += "%3A";
    } else if (property && c == ',') {
      made += "%2C";
    } else {
      made += c;
    }
  }
  return made;
}

std::string command(std::string_view kind, const RuleInfo& rule, std::string_view text) {
  const std::string gate = rule.gate == 0 ? "" : "G" + std::to_string(rule.gate) + ' ';
  return "::" + std::string(kind) + " title=" +
         command_text(gate + std::string(rule.id) + ": " + std::string(rule.wants), true) +
         "::" + command_text(text, false) + '\n';
}

}  // namespace

Outcome gate_outcome(const Verdict& verdict, std::size_t gate, bool strict) {
  const Outcome outcome = verdict.gate(gate);
  if (outcome != Outcome::not_evaluated || !strict) return outcome;
  for (const RuleInfo& rule : rules()) {
    if (rule.gate == gate && fails(verdict.of(rule.rule), strict)) return Outcome::fail;
  }
  return outcome;
}

bool fails(const RuleVerdict& verdict, bool strict) {
  if (verdict.outcome == Outcome::fail) return true;
  return strict && verdict.level == Level::error && verdict.outcome == Outcome::not_evaluated;
}

std::string finding_text(const Finding& finding) {
  std::string text = finding.service;
  if (!finding.name.empty()) text += (text.empty() ? "'" : " '") + finding.name + '\'';
  if (finding.trace) text += " trace " + finding.trace.hex().str();
  if (finding.span) text += " span " + finding.span.hex().str();
  text += (text.empty() ? "" : ": ") + finding.measured;
  if (finding.expected != info(finding.rule).wants) text += "; expected: " + finding.expected;
  return printable(text);
}

std::string report_text(const Verdict& verdict, const ReportOptions& options) {
  std::string text = counted(verdict.spans, "span") + " in " + counted(verdict.traces, "trace") +
                     ", " + counted(verdict.services, "service") + ", " +
                     counted(verdict.processes, "process", "processes");
  if (!options.source.empty()) text += " (" + printable(options.source) + ')';
  text += '\n';
  text += partial_line(verdict.kept_for_errors, "its error");
  text += partial_line(verdict.kept_for_time, "its time");
  text += '\n';
  for (std::size_t gate = 1; gate <= kGateCount; ++gate) {
    if (options.quiet && gate_outcome(verdict, gate, options.strict) != Outcome::fail) continue;
    text += gate_line(verdict, gate, options);
  }
  text += '\n';
  for (const Level level : {Level::error, Level::warning, Level::info}) {
    if (options.quiet && level != Level::error) break;
    for (const RuleInfo& rule : rules()) {
      const RuleVerdict& item = verdict.of(rule.rule);
      if (item.level != level) continue;
      if (item.count == 0 && item.waived == 0 && !fails(item, options.strict)) continue;
      text += rule_text(rule, item, options) + '\n';
    }
  }
  return text + last_line(verdict, options);
}

std::string report_github(const Verdict& verdict, const ReportOptions& options) {
  std::string text;
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    const std::string_view kind = item.level == Level::error     ? "error"
                                  : item.level == Level::warning ? "warning"
                                                                 : "notice";
    if (item.outcome == Outcome::not_evaluated) {
      if (fails(item, options.strict)) text += command(kind, rule, "not evaluated: " + item.reason);
      continue;
    }
    std::size_t shown = 0;
    for (const Finding& finding : item.findings) {
      if (!finding.waived.empty() || shown == options.findings_per_rule) continue;
      ++shown;
      text += command(kind, rule, finding_text(finding));
    }
    if (item.count > shown) {
      text += command(kind, rule, "and " + std::to_string(item.count - shown) + " more");
    }
  }
  return text;
}

std::string rules_markdown() {
  std::string text =
      "| rule | level | gate | holds when | likely causes when it does not |\n"
      "|---|---|---|---|---|\n";
  for (const RuleInfo& rule : rules()) {
    text += "| `" + std::string(rule.id) + "` | " + std::string(name(rule.level)) + " | " +
            (rule.gate == 0 ? std::string() : "G" + std::to_string(rule.gate)) + " | " +
            std::string(rule.wants) + " | " + std::string(rule.causes) + " |\n";
  }
  return text;
}

}  // namespace spanwire::inspect
