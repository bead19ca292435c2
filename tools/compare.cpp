// spanwire compare: two runs, or two traces, side by side.
#include "spanwire/inspect/compare.hpp"

#include <algorithm>
#include <memory>

#include "tools/command.hpp"
#include "tools/trace_sources.hpp"

namespace spanwire::tools {
namespace {

struct CompareArguments {
  std::string a;
  std::string b;
  std::string trace_a;
  std::string trace_b;
  std::string format = "text";
  double ratio_max = 0;
  bool same_names = false;
};

struct Side {
  inspect::Reader reader;
  std::vector<inspect::Tree> trees;
  std::vector<const inspect::Tree*> chosen;
};

Result<void> read_side(const std::string& source, const std::string& trace, Side& side) {
  SPANWIRE_TRY_VOID(read_judged({source}, QueryArguments(), side.reader));
  side.trees = inspect::build_trees(side.reader.traces());
  if (trace.empty()) {
    for (const inspect::Tree& tree : side.trees) side.chosen.push_back(&tree);
  } else {
    SPANWIRE_TRY(const inspect::Tree* tree, inspect::find_tree(side.trees, trace));
    side.chosen.push_back(tree);
  }
  if (side.chosen.empty()) return fail(Errc::not_found, source + ": no spans");
  return {};
}

// Which of the bounds that were asked for does not hold.
bool holds(const inspect::Comparison& comparison, const CompareArguments& arguments) {
  bool good = true;
  for (const inspect::ComparedName& name : comparison.names) {
    const bool one_sided = name.a.spans == 0 || name.b.spans == 0;
    if (arguments.same_names && one_sided) {
      complain(name.service + " '" + name.name + "' is " +
               (name.a.spans == 0 ? "new in B" : "missing in B"));
      good = false;
    }
    const std::optional<double> ratio = name.ratio();
    if (arguments.ratio_max > 0 && ratio && *ratio > arguments.ratio_max) {
      complain(name.service + " '" + name.name + "' takes " + std::to_string(*ratio) +
               " times as long");
      good = false;
    }
  }
  return good;
}

int compare(const CompareArguments& arguments) {
  Side a;
  Side b;
  if (const auto read = read_side(arguments.a, arguments.trace_a, a); !read) {
    return complain_of(read.error());
  }
  if (const auto read = read_side(arguments.b, arguments.trace_b, b); !read) {
    return complain_of(read.error());
  }
  const inspect::Comparison comparison =
      inspect::compare(a.reader.traces(), a.chosen, b.reader.traces(), b.chosen);
  print(arguments.format == "json" ? inspect::comparison_json(comparison)
                                   : inspect::comparison_text(comparison));
  return holds(comparison, arguments) ? kExitOk : kExitFailed;
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command =
      app.add_subcommand("compare", "Two runs, or two traces, side by side: times, missing, new");
  command->add_option("A", arguments->a, "A file, a folder of files, or of a run")->required();
  command->add_option("B", arguments->b, "The other; may be the same")->required();
  command->add_option("--trace-a", arguments->trace_a, "This trace of A only")->type_name("ID");
  command->add_option("--trace-b", arguments->trace_b, "This trace of B only")->type_name("ID");
  command->add_option("--format", arguments->format, "On standard output")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  command->add_option("--ratio-max", arguments->ratio_max, "Fail if a median of B is longer by it")
      ->type_name("R")
      ->check(CLI::PositiveNumber);
  command->add_flag("--same-names", arguments->same_names, "Fail if names are missing or new");
  command->footer(
      "Examples:\n"
      "  spanwire compare runs/7 runs/8\n"
      "  spanwire compare before.jsonl after.jsonl --ratio-max 1.2 --same-names\n"
      "  spanwire compare runs/7 runs/7 --trace-a 4bf92f --trace-b 00f067\n"
      "\n"
      "Exit codes: 0 all bounds hold, 1 one does not, 2 the command line is wrong, 3 a source\n"
      "cannot be read or has no spans.");
  command->callback([arguments, &exit_code] { exit_code = compare(*arguments); });
}

}  // namespace spanwire::tools
