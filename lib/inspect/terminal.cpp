#include "spanwire/inspect/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "lib/inspect/paint.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kServiceColumnsMax = 20;
constexpr std::size_t kBarColumnsMin = 12;
constexpr std::size_t kRunShownMax = 6;  // a longer run of like siblings is folded
constexpr std::size_t kRunKept = 3;

// Told apart on dark and light grounds, and without red, which means an error.
constexpr std::array<std::string_view, 6> kServiceColours = {"\x1b[36m", "\x1b[35m", "\x1b[34m",
                                                             "\x1b[32m", "\x1b[33m", "\x1b[96m"};

// Two instances of one service in a trace need more than its name.
std::vector<std::string> process_names(const TraceSet& traces, const Tree& tree) {
  std::map<std::string, std::set<std::uint32_t>> by_service;
  for (const Node& node : tree.nodes) {
    const std::uint32_t process = traces.spans[node.span].process;
    by_service[traces.processes[process].service].insert(process);
  }
  std::vector<std::string> names(traces.processes.size());
  for (const auto& [service, processes] : by_service) {
    for (const std::uint32_t process : processes) {
      names[process] = printable(service);
      const std::string& instance = traces.processes[process].instance;
      if (processes.size() > 1 && !instance.empty()) {
        const std::string text = printable(instance);
        // A generated id is told apart by its beginning.
        names[process] += '/' + (columns_of(text) > 12 ? fit(text, 9) : text);
      }
    }
  }
  return names;
}

class TreeText {
 public:
  TreeText(const TraceSet& traces, const Tree& tree, const TextOptions& options)
      : traces_(traces), tree_(tree), options_(options), names_(process_names(traces, tree)) {
    width_ = std::clamp(options.width, kWidthMin, kWidthMax);
    list_rows();
    measure();
  }

  std::string render() {
    head();
    std::vector<bool> open;  // whether the ancestor at that depth has siblings behind it
    for (const Row& next : rows_) {
      const Node& node = tree_.nodes[next.node];
      open.resize(node.depth);
      if (next.count == 1) {
        row(node, open);
      } else {
        run_row(next, open);
      }
      open.push_back(!node.last);
    }
    foot();
    return std::move(out_);
  }

 private:
  struct Row {
    std::size_t node;
    std::size_t count;  // more than 1: a run of siblings in one line
  };

  const Span& span(const Node& node) const { return traces_.spans[node.span]; }

  std::string_view glyph(std::string_view unicode, std::string_view plain) const {
    return options_.ascii ? plain : unicode;
  }

  void paint(std::string_view colour, std::string_view text) {
    if (options_.colour) out_ += colour;
    out_ += text;
    if (options_.colour) out_ += kReset;
  }

  std::string_view colour_of(std::uint32_t process) {
    const auto [item, fresh] = colours_.try_emplace(process, colours_.size());
    return kServiceColours[item->second % kServiceColours.size()];
  }

  std::string label(const Node& node) const {
    const Span& item = span(node);
    std::string text;
    if (item.status == SpanStatus::error) text = glyph("✗ ", "! ");
    text += item.name.empty() ? "(no name)" : printable(item.name);
    if (item.kind == SpanKind::client || item.kind == SpanKind::producer) {
      text += glyph(" →", " >");
    }
    return text;
  }

  // The childless siblings from `first` on that differ in nothing but their times.
  std::size_t run_from(std::size_t first) const {
    const Node& node = tree_.nodes[first];
    const Span& like = span(node);
    std::size_t count = 0;
    for (std::size_t i = first; i < tree_.nodes.size(); ++i, ++count) {
      const Node& next = tree_.nodes[i];
      const Span& item = span(next);
      if (next.parent != node.parent || next.parent == kNone || next.descendants > 0 ||
          item.name != like.name || item.process != like.process || item.kind != like.kind ||
          item.status == SpanStatus::error) {
        break;
      }
    }
    return count;
  }

  void list_rows() {
    std::size_t i = 0;
    while (i < tree_.nodes.size() && rows_.size() < options_.rows_max) {
      const std::size_t run = options_.fold_runs ? run_from(i) : 0;
      if (run <= kRunShownMax) {
        rows_.push_back({i, 1});
        ++i;
        continue;
      }
      for (std::size_t k = 0; k < kRunKept; ++k) rows_.push_back({i + k, 1});
      rows_.push_back({i + kRunKept, run - kRunKept});
      i += run;
    }
    left_out_ = tree_.nodes.size() - i;
  }

  void measure() {
    std::size_t label_columns = 0;
    std::size_t service_columns = 0;
    for (const Row& next : rows_) {
      const Node& node = tree_.nodes[next.node];
      label_columns =
          std::max(label_columns, columns_of(label(node)) + std::size_t{3} * node.depth);
      service_columns = std::max(service_columns, columns_of(names_[span(node).process]));
    }
    service_ = std::min(service_columns, kServiceColumnsMax);
    const std::size_t fixed = service_ + kDurationColumns + 6;
    const std::size_t most = width_ - fixed - kBarColumnsMin;
    label_ = std::min(label_columns, std::max(most / 2 + most / 8, std::size_t{12}));
    bar_ = width_ - fixed - label_;
  }

  void head() {
    paint(kBold, "trace " + tree_.id.hex().str());
    out_ += '\n';
    std::string facts = time_text(tree_.start_ns) + " UTC, " +
                        duration_text(tree_.end_ns - tree_.start_ns, options_.ascii) + ", " +
                        plural(tree_.nodes.size(), "span", "spans") + " in " +
                        plural(tree_.processes, "process", "processes");
    if (tree_.errors > 0) facts += ", " + plural(tree_.errors, "error", "errors");
    paint(kDim, fit(facts, std::min(width_, columns_of(facts)), options_.ascii));
    out_ += "\n\n";
  }

  std::string branch(const Node& node, const std::vector<bool>& open) const {
    std::string text;
    for (std::size_t depth = 1; depth < node.depth; ++depth) {
      text += open[depth] ? glyph("│  ", "|  ") : "   ";
    }
    if (node.depth > 0) text += node.last ? glyph("└─ ", "`- ") : glyph("├─ ", "|- ");
    // A tree deeper than the column is wide keeps its last levels.
    const std::size_t own = std::min<std::size_t>(columns_of(label(node)), 12);
    const std::size_t room = label_ > own ? label_ - own : 0;
    std::string_view rest = text;
    std::size_t columns = columns_of(rest);
    if (columns <= room) return text;
    while (columns + 1 > room && !rest.empty()) {
      rest.remove_prefix(decode_utf8(rest).bytes);
      --columns;
    }
    return std::string(glyph("…", "~")) + std::string(rest);
  }

  void row(const Node& node, const std::vector<bool>& open) {
    const Span& item = span(node);
    const bool error = item.status == SpanStatus::error;
    const std::string tree = branch(node, open);
    const std::size_t used = columns_of(tree);
    paint(kDim, tree);
    const std::string text = fit(label(node), label_ > used ? label_ - used : 0, options_.ascii);
    if (error) {
      paint(kRed, text);
    } else {
      out_ += text;
    }
    out_ += "  ";
    const std::string_view colour = colour_of(item.process);
    paint(colour, fit(names_[item.process], service_, options_.ascii));
    out_ += "  ";
    const std::string duration = duration_text(item.end_ns - item.start_ns, options_.ascii);
    out_ += right_aligned(duration, kDurationColumns) + "  ";
    bar(item.start_ns + node.shift_ns, item.end_ns - item.start_ns, error ? kRed : colour);
    out_ += '\n';
    note(node, open);
  }

  // One line for many: their time from the first's start to the last's end.
  void run_row(const Row& run, const std::vector<bool>& open) {
    Node node = tree_.nodes[run.node];
    node.last = tree_.nodes[run.node + run.count - 1].last;
    std::int64_t start = span(node).start_ns;
    std::int64_t end = start;
    for (std::size_t i = run.node; i < run.node + run.count; ++i) {
      const Span& item = span(tree_.nodes[i]);
      start = std::min(start, item.start_ns);
      end = std::max(end, item.end_ns);
    }
    const std::string tree = branch(node, open);
    const std::size_t used = columns_of(tree);
    paint(kDim, tree);
    const std::string text = std::string(glyph("⋮ ", ": ")) + std::to_string(run.count) + " more";
    paint(kDim, fit(text, label_ > used ? label_ - used : 0, options_.ascii));
    out_.append(service_ + 4, ' ');
    const std::string duration = duration_text(end - start, options_.ascii);
    out_ += right_aligned(duration, kDurationColumns) + "  ";
    bar(start + node.shift_ns, end - start, kDim);
    out_ += '\n';
  }

  // In eighths of a column on the right edge; anything at all shows as at least one eighth.
  void bar(std::int64_t from_ns, std::int64_t length_ns, std::string_view colour) {
    static constexpr std::array<std::string_view, 8> kEighths = {"",  "▏", "▎", "▍",
                                                                 "▌", "▋", "▊", "▉"};
    const double total = std::max(1.0, static_cast<double>(tree_.end_ns - tree_.start_ns));
    const double start = static_cast<double>(from_ns - tree_.start_ns);
    const double length = static_cast<double>(length_ns);
    const auto columns = static_cast<double>(bar_);
    auto first = static_cast<std::size_t>(start / total * columns);
    first = std::min(first, bar_ - 1);
    // Columns are whole on the left, so the fraction that was cut there goes to the right.
    const double width =
        start / total * columns - static_cast<double>(first) + length / total * columns;
    auto eighths = static_cast<std::size_t>(width * 8.0 + 0.5);
    eighths = std::clamp<std::size_t>(eighths, 1, (bar_ - first) * 8);
    out_.append(first, ' ');
    std::string text;
    if (options_.ascii) {
      text.assign(std::max<std::size_t>(1, (eighths + 4) / 8), '#');
    } else {
      for (std::size_t i = 0; i < eighths / 8; ++i) text += "█";
      text += kEighths[eighths % 8];
    }
    paint(colour, text);
  }

  // A second line under a span, where something is wrong with it.
  void note(const Node& node, const std::vector<bool>& open) {
    const Span& item = span(node);
    std::string text;
    if (item.status == SpanStatus::error) {
      text = printable(item.status_message);
      if (text.empty()) text = printable(text_of(item.attributes, "error.type"));
    }
    if (node.partial) text = std::string(why_partial(item)) + (text.empty() ? "" : ": " + text);
    if (node.orphan) text = "parent " + item.parent.hex().str() + " is not in these files";
    if (node.cycle) text = "its parents lead back to itself: cut here";
    if (text.empty()) return;
    std::string prefix;
    for (std::size_t depth = 1; depth < node.depth; ++depth) {
      prefix += open[depth] ? glyph("│  ", "|  ") : "   ";
    }
    if (node.depth > 0) prefix += node.last ? "   " : glyph("│  ", "|  ");
    prefix += node.descendants > 0 ? glyph("│  ", "|  ") : "   ";
    if (columns_of(prefix) + 20 > width_) prefix = "   ";
    const std::size_t room = width_ - columns_of(prefix);
    paint(kDim, prefix);
    paint(item.status == SpanStatus::error ? kRed : kDim,
          fit(text, std::min(room, columns_of(text)), options_.ascii));
    out_ += '\n';
  }

  void foot() {
    std::vector<std::string> lines;
    if (left_out_ > 0) {
      lines.push_back("and " + plural(left_out_, "more span", "more spans"));
    }
    if (tree_.roots > 1) {
      lines.push_back(plural(tree_.roots, "root", "roots") + ": " +
                      plural(tree_.orphans, "span", "spans") + " without their parent, " +
                      (tree_.partials != 0 ? std::to_string(tree_.partials) + " partial, " : "") +
                      plural(tree_.cycles, "cycle", "cycles"));
    }
    if (tree_.shifted)
      lines.push_back("clocks differ: processes are shifted until their calls agree");
    if (lines.empty()) return;
    out_ += '\n';
    for (const std::string& line : lines) {
      paint(kDim, fit(line, std::min(width_, columns_of(line)), options_.ascii));
      out_ += '\n';
    }
  }

  const TraceSet& traces_;
  const Tree& tree_;
  const TextOptions& options_;
  std::vector<std::string> names_;
  std::map<std::uint32_t, std::size_t> colours_;
  std::size_t width_ = 0;
  std::vector<Row> rows_;
  std::size_t left_out_ = 0;
  std::size_t label_ = 0;
  std::size_t service_ = 0;
  std::size_t bar_ = 0;
  std::string out_;
};

}  // namespace

TextOptions text_options(bool is_terminal, std::size_t terminal_columns,
                         const char* (*get)(const char* name)) {
  const auto value = [&](const char* name) {
    const char* text = get(name);
    return std::string_view(text != nullptr ? text : "");
  };
  TextOptions options;
  options.colour = is_terminal && value("NO_COLOR").empty() && value("TERM") != "dumb";
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = value(variable);
    if (locale.empty()) continue;
    options.ascii = locale == "C" || locale == "POSIX";
    break;
  }
  const int columns = std::atoi(std::string(value("COLUMNS")).c_str());
  if (terminal_columns > 0) {
    options.width = terminal_columns;
  } else if (columns > 0) {
    options.width = static_cast<std::size_t>(columns);
  }
  return options;
}

std::string render_tree(const TraceSet& traces, const Tree& tree, const TextOptions& options) {
  return TreeText(traces, tree, options).render();
}

}  // namespace spanwire::inspect
