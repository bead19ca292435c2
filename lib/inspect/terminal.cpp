#include "spanwire/inspect/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kDurationColumns = 9;
constexpr std::size_t kServiceColumnsMax = 20;
constexpr std::size_t kBarColumnsMin = 12;

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[31m";
// Told apart on dark and light grounds, and without red, which means an error.
constexpr std::array<std::string_view, 6> kServiceColours = {"\x1b[36m", "\x1b[35m", "\x1b[34m",
                                                             "\x1b[32m", "\x1b[33m", "\x1b[96m"};

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + ' ' + std::string(count == 1 ? one : many);
}

// Without the blanks at the end that fit() left.
void end_line(std::string& out) {
  while (!out.empty() && out.back() == ' ') out.pop_back();
  out += '\n';
}

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
    shown_ = std::min(tree.nodes.size(), options.rows_max);
    measure();
  }

  std::string render() {
    head();
    std::vector<bool> open;  // whether the ancestor at that depth has siblings behind it
    for (std::size_t i = 0; i < shown_; ++i) {
      const Node& node = tree_.nodes[i];
      open.resize(node.depth);
      row(node, open);
      open.push_back(!node.last);
    }
    foot();
    return std::move(out_);
  }

 private:
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

  void measure() {
    std::size_t label_columns = 0;
    std::size_t service_columns = 0;
    for (std::size_t i = 0; i < shown_; ++i) {
      const Node& node = tree_.nodes[i];
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
    const std::size_t columns = columns_of(duration);
    out_.append(kDurationColumns > columns ? kDurationColumns - columns : 0, ' ');
    out_ += duration;
    out_ += "  ";
    bar(node, error ? kRed : colour);
    out_ += '\n';
    note(node, open);
  }

  // In eighths of a column on the right edge; anything at all shows as at least one eighth.
  void bar(const Node& node, std::string_view colour) {
    static constexpr std::array<std::string_view, 8> kEighths = {"",  "▏", "▎", "▍",
                                                                 "▌", "▋", "▊", "▉"};
    const Span& item = span(node);
    const double total = std::max(1.0, static_cast<double>(tree_.end_ns - tree_.start_ns));
    const double start = static_cast<double>(item.start_ns + node.shift_ns - tree_.start_ns);
    const double length = static_cast<double>(item.end_ns - item.start_ns);
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
    if (shown_ < tree_.nodes.size()) {
      lines.push_back("and " + plural(tree_.nodes.size() - shown_, "more span", "more spans"));
    }
    if (tree_.roots > 1) {
      lines.push_back(plural(tree_.roots, "root", "roots") + ": " +
                      plural(tree_.orphans, "span", "spans") + " without their parent, " +
                      plural(tree_.cycles, "cycle", "cycles"));
    }
    if (tree_.shifted) lines.push_back("clocks differ: spans are shifted by the measured offset");
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
  std::size_t shown_ = 0;
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

std::string render_list(const TraceSet& traces, const std::vector<Tree>& trees, std::size_t limit,
                        const TextOptions& options) {
  const std::size_t width = std::clamp(options.width, kWidthMin, kWidthMax);
  const std::size_t shown = std::min(limit, trees.size());
  // Everything but the name: id, start, duration, spans, errors and the gaps between them.
  constexpr std::size_t kIdColumns = 16;
  constexpr std::size_t kSpansColumns = 6;
  const bool with_time = width >= 90;
  const std::size_t time_columns = with_time ? 25 : 0;
  const std::size_t name_columns =
      width - kIdColumns - 2 - time_columns - kDurationColumns - 2 - kSpansColumns - 2 - 8;
  std::string out = options.colour ? std::string(kBold) : std::string();
  std::string line = fit("trace", kIdColumns + 2);
  if (with_time) line += fit("start (UTC)", time_columns);
  line += " duration   spans  errors  name";
  out += line + (options.colour ? std::string(kReset) : std::string()) + '\n';
  for (std::size_t i = trees.size() - shown; i < trees.size(); ++i) {
    const Tree& tree = trees[i];
    const Span& root = traces.spans[tree.nodes.front().span];
    const auto right = [](const std::string& text, std::size_t columns) {
      const std::size_t used = columns_of(text);
      return std::string(columns > used ? columns - used : 0, ' ') + text;
    };
    out += tree.id.hex().view().substr(0, kIdColumns);
    out += "  ";
    if (with_time) out += fit(time_text(tree.start_ns), time_columns);
    out +=
        right(duration_text(tree.end_ns - tree.start_ns, options.ascii), kDurationColumns) + "  ";
    out += right(std::to_string(tree.nodes.size()), kSpansColumns) + "  ";
    const std::string errors = right(tree.errors > 0 ? std::to_string(tree.errors) : "", 6);
    out += options.colour && tree.errors > 0 ? std::string(kRed) + errors + std::string(kReset)
                                             : errors;
    const std::string& service = traces.processes[root.process].service;
    out +=
        "  " + fit(printable(service) + ": " + printable(root.name), name_columns, options.ascii);
    end_line(out);
  }
  if (shown < trees.size()) {
    out += "and " + plural(trees.size() - shown, "older trace", "older traces") + '\n';
  }
  return out;
}

}  // namespace spanwire::inspect
