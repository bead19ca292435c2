#include "spanwire/inspect/tree.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "lib/inspect/clocks.hpp"

namespace spanwire::inspect {
namespace {

// Builds one tree from the spans of one trace.  Positions below are into `members_`.
class Builder {
 public:
  Builder(const TraceSet& traces, const std::vector<std::size_t>& members)
      : traces_(traces), members_(members) {}

  Tree build() {
    sort_members();
    link_parents();
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (parent_[i] == kNone) add_subtree(i, false);
    }
    // What is left hangs under a cycle: cut the first edge of each.
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!placed_[i]) add_subtree(earliest_of_cycle(i), true);
    }
    finish();
    return std::move(tree_);
  }

 private:
  const Span& span(std::size_t position) const { return traces_.spans[members_[position]]; }

  void sort_members() {
    // Longer first on equal starts: a parent often begins in the same nanosecond as its child.
    std::stable_sort(members_.begin(), members_.end(), [this](std::size_t a, std::size_t b) {
      const Span& left = traces_.spans[a];
      const Span& right = traces_.spans[b];
      if (left.start_ns != right.start_ns) return left.start_ns < right.start_ns;
      return left.end_ns > right.end_ns;
    });
  }

  void link_parents() {
    std::unordered_map<trace::SpanId, std::size_t> by_id;
    for (std::size_t i = 0; i < members_.size(); ++i) by_id.try_emplace(span(i).id, i);
    parent_.assign(members_.size(), kNone);
    children_.resize(members_.size());
    placed_.assign(members_.size(), false);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (span(i).parent.is_zero()) continue;
      const auto found = by_id.find(span(i).parent);
      if (found == by_id.end()) continue;
      parent_[i] = found->second;
      children_[found->second].push_back(i);
    }
  }

  std::size_t earliest_of_cycle(std::size_t from) const {
    std::unordered_set<std::size_t> seen;
    while (seen.insert(from).second) from = parent_[from];
    std::size_t best = from;
    for (std::size_t at = parent_[from]; at != from; at = parent_[at]) best = std::min(best, at);
    return best;
  }

  struct Pending {
    std::size_t position;
    std::size_t parent_node;
    bool last;
  };

  void add_subtree(std::size_t root, bool cycle) {
    const std::size_t first = tree_.nodes.size();
    std::vector<Pending> stack{{root, kNone, true}};
    while (!stack.empty()) {
      const Pending next = stack.back();
      stack.pop_back();
      placed_[next.position] = true;
      const std::size_t index = tree_.nodes.size();
      Node node;
      node.span = members_[next.position];
      node.parent = next.parent_node;
      node.depth = next.parent_node == kNone ? 0 : tree_.nodes[next.parent_node].depth + 1;
      node.last = next.last;
      tree_.nodes.push_back(node);
      push_children(next.position, root, index, stack);
    }
    Node& top = tree_.nodes[first];
    top.cycle = cycle;
    top.partial = !cycle && is_partial(span(root));
    top.orphan = !cycle && !top.partial && !span(root).parent.is_zero();
    ++tree_.roots;
    if (top.partial) ++tree_.partials;
    if (top.cycle) ++tree_.cycles;
    if (top.orphan) ++tree_.orphans;
  }

  void push_children(std::size_t position, std::size_t root, std::size_t index,
                     std::vector<Pending>& stack) const {
    bool last = true;
    const std::vector<std::size_t>& children = children_[position];
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      if (*child == root) continue;  // the edge of a cycle that is cut
      stack.push_back({*child, index, last});
      last = false;
    }
  }

  void finish() {
    for (std::size_t i = tree_.nodes.size(); i-- > 0;) {
      const Node& node = tree_.nodes[i];
      if (node.parent != kNone) tree_.nodes[node.parent].descendants += node.descendants + 1;
    }
    tree_.id = span(0).trace;
  }

  const TraceSet& traces_;
  std::vector<std::size_t> members_;
  std::vector<std::size_t> parent_;
  std::vector<std::vector<std::size_t>> children_;
  std::vector<bool> placed_;
  Tree tree_;
};

// `hosts` of the processes.
void measure(const TraceSet& traces, const std::vector<std::string>& hosts, const Tree& tree,
             Clocks& clocks) {
  for (const Node& node : tree.nodes) {
    if (node.parent == kNone) continue;
    const Span& child = traces.spans[node.span];
    const Span& parent = traces.spans[tree.nodes[node.parent].span];
    if (child.process == parent.process) continue;
    if (one_clock(hosts[parent.process], hosts[child.process])) {
      clocks.add_one_clock(parent.process, child.process);
    } else {
      clocks.add(parent.process, ClockSpan(parent), child.process, ClockSpan(child));
    }
  }
}

void move(const TraceSet& traces, const std::vector<std::int64_t>& shifts, Tree& tree) {
  for (Node& node : tree.nodes) {
    const std::uint32_t process = traces.spans[node.span].process;
    node.shift_ns = process < shifts.size() ? shifts[process] : 0;
    if (node.shift_ns != 0) tree.shifted = true;
  }
}

void sum_up(const TraceSet& traces, Tree& tree) {
  std::unordered_set<std::uint32_t> processes;
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    const Span& item = traces.spans[tree.nodes[i].span];
    const std::int64_t start = item.start_ns + tree.nodes[i].shift_ns;
    const std::int64_t end = item.end_ns + tree.nodes[i].shift_ns;
    tree.start_ns = i == 0 ? start : std::min(tree.start_ns, start);
    tree.end_ns = i == 0 ? end : std::max(tree.end_ns, end);
    if (item.status == SpanStatus::error) ++tree.errors;
    processes.insert(item.process);
  }
  tree.processes = processes.size();
}

}  // namespace

bool is_partial(const Span& span) noexcept {
  const Value* mark = find(span.attributes, kPartialAttribute);
  const bool* set = mark != nullptr ? std::get_if<bool>(&mark->data) : nullptr;
  return set != nullptr && *set;
}

std::string_view why_partial(const Span& span) noexcept {
  return span.status == SpanStatus::error ? "partial: kept for its error"
                                          : "partial: kept for its time";
}

std::vector<Tree> build_trees(const TraceSet& traces, ClockUse clocks) {
  std::unordered_map<trace::TraceId, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < traces.spans.size(); ++i) groups[traces.spans[i].trace].push_back(i);
  std::vector<Tree> trees;
  trees.reserve(groups.size());
  for (const auto& [id, members] : groups) trees.push_back(Builder(traces, members).build());
  if (clocks == ClockUse::corrected) {
    Clocks known;
    std::vector<std::string> hosts;
    for (const Process& process : traces.processes) hosts.push_back(clock_host(process));
    for (const Tree& tree : trees) measure(traces, hosts, tree, known);
    const std::vector<std::int64_t> shifts = known.shifts();
    for (Tree& tree : trees) move(traces, shifts, tree);
  }
  for (Tree& tree : trees) sum_up(traces, tree);
  std::sort(trees.begin(), trees.end(), [](const Tree& a, const Tree& b) {
    return a.start_ns != b.start_ns ? a.start_ns < b.start_ns : a.id < b.id;
  });
  return trees;
}

Result<const Tree*> find_tree(const std::vector<Tree>& trees, std::string_view id) {
  std::string wanted(id);
  for (char& c : wanted) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  if (wanted.empty() || wanted.size() > trace::TraceId::kHexChars ||
      wanted.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail(Errc::invalid_argument, "not a trace id: '" + std::string(id) + "'");
  }
  const Tree* found = nullptr;
  for (const Tree& tree : trees) {
    if (!tree.id.hex().view().starts_with(wanted)) continue;
    if (found != nullptr) {
      return fail(Errc::already_exists, "several traces begin with '" + wanted + "'");
    }
    found = &tree;
  }
  if (found == nullptr) return fail(Errc::not_found, "no trace '" + wanted + "'");
  return found;
}

}  // namespace spanwire::inspect
