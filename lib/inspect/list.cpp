#include <algorithm>

#include "lib/inspect/paint.hpp"
#include "spanwire/inspect/terminal.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kIdColumns = 16;
constexpr std::size_t kTimeColumns = 25;
constexpr std::size_t kTimeFromWidth = 90;  // narrower lists leave the start out
constexpr std::size_t kCountColumns = 6;

std::string row(const TraceSet& traces, const Tree& tree, std::size_t width,
                const TextOptions& options) {
  const Span& root = traces.spans[tree.nodes.front().span];
  const bool with_time = width >= kTimeFromWidth;
  std::string line(tree.id.hex().view().substr(0, kIdColumns));
  line += "  ";
  if (with_time) line += fit(time_text(tree.start_ns), kTimeColumns);
  const std::string duration = duration_text(tree.end_ns - tree.start_ns, options.ascii);
  line += right_aligned(duration, kDurationColumns) + "  ";
  line += right_aligned(std::to_string(tree.nodes.size()), kCountColumns) + "  ";
  const std::string errors =
      right_aligned(tree.errors > 0 ? std::to_string(tree.errors) : "", kCountColumns);
  const bool red = options.colour && tree.errors > 0;
  line += red ? std::string(kRed) + errors + std::string(kReset) : errors;
  const std::string name =
      printable(traces.processes[root.process].service) + ": " + printable(root.name);
  const std::size_t room = width - kIdColumns - kDurationColumns - 2 * kCountColumns - 8 -
                           (with_time ? kTimeColumns : 0);
  return line + "  " + fit(name, std::min(room, columns_of(name)), options.ascii);
}

}  // namespace

std::string render_list(const TraceSet& traces, const std::vector<Tree>& trees, std::size_t limit,
                        const TextOptions& options) {
  const std::size_t width = std::clamp(options.width, kWidthMin, kWidthMax);
  const std::size_t shown = std::min(limit, trees.size());
  std::string head = fit("trace", kIdColumns + 2);
  if (width >= kTimeFromWidth) head += fit("start (UTC)", kTimeColumns);
  head += " duration   spans  errors  name";
  std::string out =
      options.colour ? std::string(kBold) + head + std::string(kReset) : std::move(head);
  out += '\n';
  for (std::size_t i = trees.size() - shown; i < trees.size(); ++i) {
    out += row(traces, trees[i], width, options) + '\n';
  }
  if (shown < trees.size()) {
    out += "and " + plural(trees.size() - shown, "older trace", "older traces") + '\n';
  }
  return out;
}

}  // namespace spanwire::inspect
