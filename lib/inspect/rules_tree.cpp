// Rules about ids, about the shape of a trace, and about links.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "lib/inspect/case.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

void check_duplicates(Case& of) {
  std::unordered_map<trace::SpanId, std::vector<std::size_t>> by_id;
  for (std::size_t i = 0; i < of.spans().size(); ++i) by_id[of.spans()[i].id].push_back(i);
  for (std::size_t i = 0; i < of.spans().size(); ++i) {
    const Span& span = of.spans()[i];
    const std::vector<std::size_t>& same = by_id[span.id];
    if (same.front() == i) continue;
    const Span& first = of.spans()[same.front()];
    if (first.trace == span.trace) {
      of.add(Rule::ids_duplicate, span, "the id of " + describe(of, first) + " too");
    } else {
      of.add(Rule::ids_shared, span, "also in trace " + first.trace.hex().str());
    }
  }
}

void check_short(Case& of) {
  for (const Tree& tree : of.trees()) {
    const auto& bytes = tree.id.bytes();
    if (std::all_of(bytes.begin(), bytes.begin() + 8, [](std::uint8_t b) { return b == 0; })) {
      of.add(Rule::ids_short, tree, "the first 64 bits are zero");
    }
  }
}

// The one top span of a trace that began outside, where that is expected.
bool is_external(const Case& of, const Tree& tree, const Node& node) {
  return of.expected().external_parents && tree.roots == 1 && node.orphan;
}

void check_tops(Case& of, const Tree& tree) {
  std::size_t roots = 0;
  std::size_t accepted = 0;
  const Span* second = nullptr;
  for (const Node& node : tree.nodes) {
    if (node.parent != kNone) continue;
    const Span& span = of.spans()[node.span];
    if (node.cycle) {
      const Rule rule = span.parent == span.id ? Rule::tree_self_parent : Rule::tree_cycle;
      of.add(rule, span, "its parents lead back to itself");
    } else if (node.partial) {
      ++accepted;
    } else if (node.orphan) {
      if (is_external(of, tree, node)) {
        ++accepted;
      } else {
        of.add(Rule::tree_orphan, span, "parent " + span.parent.hex().str() + " is not there");
      }
    } else {
      if (++roots == 2) second = &span;
      if (span.kind == SpanKind::client) of.add(Rule::tree_client_root, span, "a client span");
    }
  }
  if (roots == 0 && accepted == 0) of.add(Rule::tree_no_root, tree, "no span without a parent");
  if (roots > 1) {
    const Span* first = &of.spans()[tree.nodes.front().span];
    of.add(Rule::tree_roots, tree,
           counted(roots, "root") + ", among them " + describe(of, *first) + " and " +
               describe(of, *second));
  }
}

void check_depth(Case& of, const Tree& tree) {
  const auto deepest =
      std::max_element(tree.nodes.begin(), tree.nodes.end(),
                       [](const Node& a, const Node& b) { return a.depth < b.depth; });
  const std::size_t bound = of.expected().depth_max;
  if (deepest->depth + std::size_t{1} <= bound) return;
  of.add(Rule::tree_depth, of.spans()[deepest->span],
         counted(deepest->depth + 1, "level") + " deep", "at most " + std::to_string(bound));
}

void check_link(Case& of, const Span& span, const SpanLink& link,
                const std::unordered_set<trace::TraceId>& known) {
  if (link.trace == span.trace && link.span == span.id) {
    of.add(Rule::links_self, span, "a link to itself");
    return;
  }
  if (link.trace.is_zero() || link.span.is_zero()) {
    of.add(Rule::links_target, span, "a link with an id of zeros");
    return;
  }
  // A trace of which nothing was read may be anywhere; one that was read must have the span.
  if (known.count(link.trace) == 0) {
    of.add(Rule::links_elsewhere, span, "a link into trace " + link.trace.hex().str());
  } else if (of.find_span(link.trace, link.span) == kNone) {
    of.add(Rule::links_target, span,
           "no span " + link.span.hex().str() + " in trace " + link.trace.hex().str());
  }
  if (span.parent.is_zero() && link.trace == span.trace) {
    of.add(Rule::links_on_root, span, "a link to span " + link.span.hex().str());
  }
}

}  // namespace

void check_ids(Case& of) {
  check_duplicates(of);
  check_short(of);
}

void check_tree(Case& of) {
  for (const Tree& tree : of.trees()) {
    check_tops(of, tree);
    check_depth(of, tree);
  }
}

void check_links(Case& of) {
  std::unordered_set<trace::TraceId> known;
  for (const Tree& tree : of.trees()) known.insert(tree.id);
  bool any = false;
  for (const Span& span : of.spans()) {
    for (const SpanLink& link : span.links) {
      any = true;
      check_link(of, span, link, known);
    }
  }
  if (any) return;
  for (const Rule rule :
       {Rule::links_target, Rule::links_self, Rule::links_on_root, Rule::links_elsewhere}) {
    of.skip(rule, "no span has a link");
  }
}

}  // namespace spanwire::inspect
