// spanwire view: the traces of several files in the terminal or as a page.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/inspect/html.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/terminal.hpp"
#include "spanwire/inspect/tree.hpp"
#include "spanwire/inspect/verify.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

constexpr std::size_t kProblemsPrintedMax = 10;

struct ViewOptions {
  std::vector<std::string> files;
  std::string trace;
  std::string html;
  std::size_t width = 0;
  std::size_t limit = 20;
  std::size_t spans = 2'000;
  bool all = false;
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
bool read_all(const std::vector<std::string>& files, inspect::Reader& reader) {
  bool good = true;
  for (const std::string& file : files) {
    if (const Result<void> read = reader.read_file(file); !read) {
      complain(read.error().message());
      good = false;
    }
  }
  const inspect::ReadReport& report = reader.report();
  for (std::size_t i = 0; i < report.problems.size() && i < kProblemsPrintedMax; ++i) {
    const inspect::Problem& problem = report.problems[i];
    complain(problem.file + ':' + std::to_string(problem.line) + ": " + problem.text);
  }
  if (report.problem_count > kProblemsPrintedMax) {
    complain("and " + std::to_string(report.problem_count - kProblemsPrintedMax) +
             " more problems");
  }
  return good && report.problem_count == 0;
}

bool write_page(const ViewOptions& options, const inspect::Reader& reader,
                const std::vector<inspect::Tree>& trees,
                const std::vector<const inspect::Tree*>& chosen, std::size_t left_out) {
  const inspect::TraceSet& traces = reader.traces();
  inspect::Evidence evidence;
  evidence.traces = &traces;
  evidence.trees = &trees;
  evidence.read = &reader.report();
  evidence.now_ns = Clock::system().wall().time_since_epoch().count();
  const inspect::Verdict verdict = inspect::verify(evidence, inspect::Expectations());
  inspect::HtmlOptions page;
  page.traces_left_out = left_out;
  page.verdict = &verdict;
  if (!write_file(options.html, inspect::render_html(traces, chosen, page))) return false;
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
  const bool whole = read_all(options.files, reader);
  const inspect::TraceSet& traces = reader.traces();
  const std::vector<inspect::Tree> trees = inspect::build_trees(traces);
  std::vector<const inspect::Tree*> chosen = newest(trees, options.limit);
  if (!options.trace.empty()) {
    const Result<const inspect::Tree*> found = inspect::find_tree(trees, options.trace);
    if (!found) {
      complain(found.error().message());
      return found.error().code() == Errc::invalid_argument ? kExitUsage : kExitFailed;
    }
    chosen = {*found};
  }
  if (trees.empty()) complain("no spans in " + options.files.front());
  if (!options.html.empty()) {
    const std::size_t left_out = options.trace.empty() ? trees.size() - chosen.size() : 0;
    if (!write_page(options, reader, trees, chosen, left_out)) return kExitFailed;
  } else if (!options.trace.empty() || trees.size() == 1) {
    print(inspect::render_tree(traces, *chosen.front(), terminal_options(options)));
  } else if (!trees.empty()) {
    print(inspect::render_list(traces, trees, options.limit, terminal_options(options)));
    print("\nOne of them: spanwire view --trace ID ...\n");
  }
  return whole && !trees.empty() ? kExitOk : kExitFailed;
}

}  // namespace

void add_view(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ViewOptions>();
  CLI::App* command = app.add_subcommand("view", "Show the traces in files of OTLP JSON lines");
  command->add_option("FILE", options->files, "Files of one or more processes; - is standard input")
      ->required();
  command->add_option("--trace", options->trace, "Show this one; the beginning of its id will do")
      ->type_name("ID");
  command->add_option("--html", options->html, "Write a page that needs nothing else")
      ->type_name("OUT");
  command->add_option("--width", options->width, "Columns; default: the terminal's, or 100")
      ->type_name("N")
      ->check(CLI::Range(inspect::kWidthMin, inspect::kWidthMax));
  command->add_option("--limit", options->limit, "Traces in the list or the page")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_option("--spans", options->spans, "Lines of a tree in the terminal")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_flag("--all", options->all, "A line for each of many like spans");
  command->footer(
      "Examples:\n"
      "  spanwire view frontend.jsonl worker-*.jsonl\n"
      "  spanwire view traces/*.jsonl --trace 4bf92f35\n"
      "  spanwire view traces/*.jsonl --html trace.html\n"
      "  zcat old.jsonl.gz | spanwire view -\n"
      "\n"
      "Colour is left out with NO_COLOR set or when the output is no terminal.  The exit code is "
      "1\n"
      "when something could not be read; what could be read is shown.");
  command->callback([options, &exit_code] { exit_code = view(*options); });
}

}  // namespace spanwire::tools
