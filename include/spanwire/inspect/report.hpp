// A verdict for people and for machines.  Texts of spans are made safe to print.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "spanwire/inspect/verify.hpp"

namespace spanwire::inspect {

struct ReportOptions {
  bool strict = false;                // what could fail and was not evaluated fails
  bool colour = false;                // text only: ANSI colours
  bool quiet = false;                 // text only: what fails and nothing else
  std::size_t findings_per_rule = 5;  // shown of each rule, in text and annotations
  std::string source;                 // what was judged, for headings
};

// Gates, then the findings with what was measured, what is expected and the likely causes.
std::string report_text(const Verdict& verdict, const ReportOptions& options);
// Everything that is kept, one object.
std::string report_json(const Verdict& verdict, const ReportOptions& options);
// JUnit XML: a suite for the gates and one for the rules outside of them, a case for each.
std::string report_junit(const Verdict& verdict, const ReportOptions& options);
// Workflow commands of GitHub Actions, a line a finding: ::error title=...::...
std::string report_github(const Verdict& verdict, const ReportOptions& options);

// The rules as a table of Markdown: docs/rules.md holds it.
std::string rules_markdown();

}  // namespace spanwire::inspect
