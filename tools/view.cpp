// spanwire view: traces of files, folders and servers in the terminal or as a page.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/inspect/html.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/terminal.hpp"
#include "spanwire/inspect/tree.hpp"
#include "spanwire/inspect/verify.hpp"
#include "tools/command.hpp"
#include "tools/trace_sources.hpp"

namespace spanwire::tools {
namespace {

constexpr std::size_t kProblemsPrintedMax = 10;

struct ViewOptions {
  std::vector<std::string> sources;
  QueryArguments query;
  std::string trace;
  bool last = false;
  std::string html;
  std::size_t width = 0;
  std::size_t limit = 20;
  std::size_t spans = 2'000;
  bool all = false;
  bool as_recorded = false;
};

inspect::TextOptions terminal_options(const ViewOptions& options) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size.ws_col = 0;
  inspect::TextOptions text = inspect::text_options(
      is_terminal, size.ws_col, [](const char* name) -> const char* { return std::getenv(name); });
  if (options.width > 0) text.width = options.width;
  text.rows_max = options.spans;
  text.fold_runs = !options.all;
  return text;
}

// Problems go to standard error, so that the tree can be piped.
bool tell_problems(const inspect::ReadReport& report) {
  for (std::size_t i = 0; i < report.problems.size() && i < kProblemsPrintedMax; ++i) {
    const inspect::Problem& problem = report.problems[i];
    complain(problem.file + ':' + std::to_string(problem.line) + ": " + problem.text);
  }
  if (report.problem_count > kProblemsPrintedMax) {
    complain("and " + std::to_string(report.problem_count - kProblemsPrintedMax) +
             " more problems");
  }
  return report.problem_count == 0;
}

// What cannot be read costs itself only: the rest is shown, and the exit code is 1.
int read_files(const std::vector<std::string>& sources, inspect::Reader& reader) {
  int code = kExitOk;
  for (const std::string& source : sources) {
    const Result<std::vector<std::string>> files = files_of({source});
    if (!files) {
      complain(files.error().message());
      code = kExitFailed;
      continue;
    }
    for (const std::string& file : *files) {
      if (const Result<void> read = reader.read_file(file); !read) {
        complain(read.error().message());
        code = kExitFailed;
      }
    }
  }
  return tell_problems(reader.report()) ? code : kExitFailed;
}

// Servers, and folders of runs, with what is known beside the spans.
int read_backend(const ViewOptions& options, inspect::Reader& reader,
                 std::optional<inspect::BackendAnswers>& backend) {
  QueryArguments query = options.query;
  query.trace = options.trace;
  query.polls = 1;  // somebody is waiting
  Result<JudgedSource> source = read_judged(options.sources, query, reader);
  if (!source) return complain_of(source.error());
  backend = std::move(source->backend);
  return tell_problems(reader.report()) ? kExitOk : kExitFailed;
}

bool write_page(const ViewOptions& options, const inspect::Reader& reader,
                const std::vector<inspect::Tree>& trees,
                const std::vector<const inspect::Tree*>& chosen, std::size_t left_out,
                std::optional<inspect::BackendAnswers> backend) {
  const inspect::TraceSet& traces = reader.traces();
  inspect::Evidence evidence;
  evidence.traces = &traces;
  evidence.trees = &trees;
  evidence.read = &reader.report();
  evidence.backend = std::move(backend);
  evidence.now_ns = Clock::system().wall().time_since_epoch().count();
  inspect::Expectations expected;
  expected.services = options.query.services;
  const inspect::Verdict verdict = inspect::verify(evidence, expected);
  inspect::HtmlOptions page;
  page.traces_left_out = left_out;
  page.verdict = &verdict;
  if (const auto written =
          inspect::write_whole_file(options.html, inspect::render_html(traces, chosen, page));
      !written) {
    complain(written.error().message());
    return false;
  }
  print("wrote " + options.html + '\n');
  return true;
}

// The newest first: that is the one that is looked for.
std::vector<const inspect::Tree*> newest(const std::vector<inspect::Tree>& trees,
                                         std::size_t limit) {
  std::vector<const inspect::Tree*> chosen;
  for (auto tree = trees.rbegin(); tree != trees.rend() && chosen.size() < limit; ++tree) {
    chosen.push_back(&*tree);
  }
  return chosen;
}

int view(const ViewOptions& options) {
  inspect::Reader reader;
  std::optional<inspect::BackendAnswers> backend;
  const bool asked = options.sources.size() == 1 && is_backend_source(options.sources.front());
  const int read =
      asked ? read_backend(options, reader, backend) : read_files(options.sources, reader);
  const inspect::TraceSet& traces = reader.traces();
  if (traces.spans.empty()) {
    complain("no spans in " + options.sources.front());
    return read == kExitOk ? kExitFailed : read;
  }
  const std::vector<inspect::Tree> trees = inspect::build_trees(
      traces, options.as_recorded ? inspect::ClockUse::as_recorded : inspect::ClockUse::corrected);
  std::vector<const inspect::Tree*> chosen = newest(trees, options.last ? 1 : options.limit);
  const bool one = options.last || !options.trace.empty();
  if (!options.trace.empty()) {
    const Result<const inspect::Tree*> found = inspect::find_tree(trees, options.trace);
    if (!found) {
      complain(found.error().message());
      return found.error().code() == Errc::invalid_argument ? kExitUsage : kExitFailed;
    }
    chosen = {*found};
  }
  if (!options.html.empty()) {
    const std::size_t left_out = one ? 0 : trees.size() - chosen.size();
    if (!write_page(options, reader, trees, chosen, left_out, std::move(backend))) {
      return kExitFailed;
    }
  } else if (one || trees.size() == 1) {
    print(inspect::render_tree(traces, *chosen.front(), terminal_options(options)));
  } else {
    print(inspect::render_list(traces, trees, options.limit, terminal_options(options)));
    print("\nOne of them: spanwire view --trace ID ..., or --last\n");
  }
  return read;
}

void add_options(CLI::App& command, ViewOptions& to) {
  command
      .add_option("SOURCE", to.sources,
                  "Files of OTLP JSON, folders of them or of a run, or the\n"
                  "address of a server; - is standard input")
      ->required();
  CLI::Option* const trace =
      command.add_option("--trace", to.trace, "Show this one; the beginning of its id will do")
          ->type_name("ID");
  command.add_flag("--last", to.last, "Show the newest one")->excludes(trace);
  command.add_option("--html", to.html, "Write a page that needs nothing else")->type_name("OUT");
  command.add_option("--service", to.query.services, "Of a server: which services")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command
      .add_option("--start", to.query.start, "Of a server: from 2026-11-21T09:30:00Z, or 10m ago")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_option("--end", to.query.end, "Of a server: to, the same way")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_option("--width", to.width, "Columns; default: the terminal's, or 100")
      ->type_name("N")
      ->check(CLI::Range(inspect::kWidthMin, inspect::kWidthMax));
  command.add_option("--limit", to.limit, "Traces in the list or the page")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--spans", to.spans, "Lines of a tree in the terminal")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_flag("--all", to.all, "A line for each of many like spans");
  command.add_flag("--as-recorded", to.as_recorded,
                   "Leave clocks that contradict each other as they are");
}

}  // namespace

void add_view(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ViewOptions>();
  CLI::App* command =
      app.add_subcommand("view", "Show traces of files, folders and servers, here or as a page");
  add_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  spanwire view frontend.jsonl worker-*.jsonl\n"
      "  spanwire view traces/*.jsonl --trace 4bf92f35\n"
      "  spanwire view traces/ --last\n"
      "  spanwire view traces/*.jsonl --html trace.html\n"
      "  spanwire view runs/7 --html run.html\n"
      "  spanwire view http://127.0.0.1:16686 --service sglang --start 10m --last\n"
      "  spanwire view old.jsonl.gz\n"
      "\n"
      "Colour is left out with NO_COLOR set or when the output is no terminal.  Exit codes: 0 all\n"
      "shown, 1 something could not be read (what could be is shown), 2 the command line is "
      "wrong,\n"
      "3 a server is not reachable, 4 its answer is not understood.");
  command->callback([options, &exit_code] { exit_code = view(*options); });
}

}  // namespace spanwire::tools
