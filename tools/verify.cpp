// spanwire verify: judges traces by the rules, for people and for CI.
#include "spanwire/inspect/verify.hpp"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/inspect/report.hpp"
#include "spanwire/inspect/terminal.hpp"
#include "spanwire/inspect/text.hpp"
#include "tools/command.hpp"
#include "tools/trace_sources.hpp"

namespace spanwire::tools {
namespace {

struct VerifyArguments {
  std::vector<std::string> sources;
  std::string expect;
  std::string draft;
  QueryArguments query;
  std::vector<std::string> logs;
  std::string against;
  std::size_t requests = 0;
  std::string format = "text";
  std::string json;
  std::string junit;
  std::size_t findings = 5;
  bool strict = false;
  bool quiet = false;
  bool list_rules = false;
};

Result<inspect::Expectations> expectations_of(const VerifyArguments& arguments) {
  inspect::Expectations expected;
  if (!arguments.expect.empty()) {
    const Result<std::string> text = read_whole_file(arguments.expect);
    if (!text) return fail(Errc::invalid_argument, std::string(text.error().detail()));
    Result<inspect::Expectations> parsed = inspect::parse_expectations(*text);
    if (!parsed) {
      return fail(parsed.error().code(),
                  arguments.expect + ": " + std::string(parsed.error().detail()));
    }
    expected = std::move(*parsed);
  }
  const QueryArguments& query = arguments.query;
  expected.services.insert(expected.services.end(), query.services.begin(), query.services.end());
  if (!query.run_id.empty()) expected.run_id = query.run_id;
  if (arguments.requests > 0) expected.request_count = arguments.requests;
  return expected;
}

// A log that cannot be read leaves its rule without an outcome.
std::vector<inspect::LogText> logs_of(const std::vector<std::string>& paths) {
  std::vector<inspect::LogText> logs;
  for (const std::string& path : paths) {
    Result<std::string> text = read_whole_file(path);
    logs.push_back({path, text.value_or(""), text ? "" : "it cannot be read"});
    if (!text) complain(text.error().message());
  }
  return logs;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string made;
  for (const std::string& text : texts) made += (made.empty() ? "" : " ") + text;
  return made;
}

// The reports that were asked for; false when one could not be written.
bool report(const inspect::Verdict& verdict, const VerifyArguments& arguments,
            const std::string& run) {
  inspect::ReportOptions options;
  options.strict = arguments.strict;
  options.quiet = arguments.quiet;
  options.findings_per_rule = arguments.findings;
  options.source = joined(arguments.sources);
  options.colour = inspect::text_options(::isatty(STDOUT_FILENO) == 1, 0, [](const char* name) {
                     return static_cast<const char*>(std::getenv(name));
                   }).colour;
  if (arguments.format == "json") {
    print(inspect::report_json(verdict, options));
  } else if (arguments.format == "junit") {
    print(inspect::report_junit(verdict, options));
  } else if (arguments.format == "github") {
    print(inspect::report_github(verdict, options));
  } else {
    print(inspect::report_text(verdict, options));
  }
  const auto write = [](const std::string& path, const std::string& text) {
    const Result<void> written =
        path.empty() ? Result<void>() : inspect::write_whole_file(path, text);
    if (!written) complain(written.error().message());
    return written.has_value();
  };
  const std::string json = inspect::report_json(verdict, options);
  const std::string junit = inspect::report_junit(verdict, options);
  bool written = write(arguments.json, json);
  written = write(arguments.junit, junit) && written;
  if (run.empty()) return written;
  written = write(run + '/' + std::string(inspect::kVerdictFile), json) && written;
  return write(run + '/' + std::string(inspect::kVerdictJunitFile), junit) && written;
}

// The draft, and a word about what in these traces no expectation makes good.
int write_draft(const VerifyArguments& arguments, const inspect::Evidence& evidence) {
  const std::string draft = inspect::draft_expectations(evidence);
  if (!write_file(arguments.draft, draft)) return kExitFailed;
  const Result<inspect::Expectations> expected = inspect::parse_expectations(draft);
  if (!expected) return complain_of(expected.error());
  const inspect::Verdict verdict = inspect::verify(evidence, *expected);
  for (const inspect::RuleInfo& rule : inspect::rules()) {
    const inspect::RuleVerdict& item = verdict.of(rule.rule);
    if (item.outcome != inspect::Outcome::fail) continue;
    complain("these traces do not pass it: " + std::string(rule.id) + ", " +
             inspect::counted(item.count, "finding"));
  }
  return kExitOk;
}

int judge(const VerifyArguments& arguments, const inspect::Reader& reader,
          const inspect::Expectations& expected, inspect::Evidence evidence,
          const std::string& run) {
  const std::vector<inspect::Tree> trees = inspect::build_trees(reader.traces());
  evidence.traces = &reader.traces();
  evidence.trees = &trees;
  evidence.read = &reader.report();
  evidence.now_ns = Clock::system().wall().time_since_epoch().count();
  if (!arguments.draft.empty()) return write_draft(arguments, evidence);
  const inspect::Verdict verdict = inspect::verify(evidence, expected);
  if (!report(verdict, arguments, run)) return kExitFailed;
  return verdict.passed(arguments.strict) ? kExitOk : kExitFailed;
}

int verify(const VerifyArguments& arguments) {
  if (arguments.list_rules) {
    print(inspect::rules_markdown());
    return kExitOk;
  }
  if (arguments.sources.empty()) {
    complain("verify: what? A file, a folder or a URL");
    return kExitUsage;
  }
  const Result<inspect::Expectations> expected = expectations_of(arguments);
  if (!expected) return complain_of(expected.error());
  inspect::Evidence evidence;
  inspect::Reader reader;
  Result<JudgedSource> source = read_judged(arguments.sources, arguments.query, reader);
  if (!source) return complain_of(source.error());
  evidence.backend = std::move(source->backend);
  evidence.logs = logs_of(arguments.logs.empty() ? source->logs : arguments.logs);
  inspect::Reader against;
  if (!arguments.against.empty()) {
    QueryArguments query = arguments.query;
    query.run.clear();
    if (const auto read = read_judged({arguments.against}, query, against); !read) {
      return complain_of(read.error());
    }
    evidence.against = &against.traces();
  }
  if (reader.traces().spans.empty() && reader.report().problem_count > 0) {
    const inspect::Problem& first = reader.report().problems.front();
    complain(first.file + ':' + std::to_string(first.line) + ": " + first.text);
    return kExitNotUnderstood;
  }
  return judge(arguments, reader, *expected, std::move(evidence), source->run);
}

void add_options(CLI::App& command, VerifyArguments& to) {
  command.add_option("SOURCE", to.sources,
                     "Files of OTLP JSON, a folder of them or of a run, Jaeger's\n"
                     "address; - is standard input");
  command.add_option("--expect", to.expect, "What is expected, and what is waived")
      ->type_name("FILE");
  command.add_option("--draft", to.draft, "Write an expectation file that SOURCE meets")
      ->type_name("FILE");
  command.add_option("--requests", to.requests, "How many requests were sent")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--log", to.logs,
                  "A server's log to look through for errors of tracing;\nof a run: all of its "
                  "logs, but Jaeger's own")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  command
      .add_option("--against", to.against,
                  "The same spans from another place, a file, a\nfolder or an address")
      ->type_name("SOURCE");
  add_query_options(command, to.query);
  command.add_flag("--strict", to.strict, "What could not be evaluated fails");
  command.add_option("--format", to.format, "On standard output")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json", "junit", "github"}));
  command.add_option("--json", to.json, "Write a report as JSON too")->type_name("FILE");
  command.add_option("--junit", to.junit, "Write a report as JUnit XML too")->type_name("FILE");
  command.add_option("--findings", to.findings, "Shown of each rule")
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("-q,--quiet", to.quiet, "Only what fails");
  command.add_flag("--rules", to.list_rules, "Print the table of all rules");
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command =
      app.add_subcommand("verify", "Judge traces by gates and rules; for CI and for people");
  add_options(*command, *arguments);
  command->footer(
      "Examples:\n"
      "  spanwire verify traces/*.jsonl\n"
      "  spanwire verify good/*.jsonl --draft expectations.json\n"
      "  spanwire verify traces/ --expect expectations.json --strict --junit verify.xml\n"
      "  spanwire verify traces.jsonl --service frontend --service decode --requests 24\n"
      "  spanwire verify traces/ --format github --log logs/server.log\n"
      "  spanwire verify runs/7 --service sglang --run-id 7\n"
      "  spanwire verify http://127.0.0.1:16686 --service sglang --start 10m --run runs/7\n"
      "\n"
      "--service: it must be there; Jaeger is asked for it, as it is for --start, --end, --depth.\n"
      "--run-id: service.instance.id of every resource.  The reports of a run lie in its folder.\n"
      "Exit codes: 0 all pass, 1 a rule failed, 2 the command line or the expectation file is\n"
      "wrong, 3 a source cannot be reached or read, 4 nothing in it can be understood.\n"
      "Rules, levels and what to do about them: docs/rules.md.");
  command->callback([arguments, &exit_code] { exit_code = verify(*arguments); });
}

}  // namespace spanwire::tools
