// Rules about what is expected of requests: how many, which services and edges, which events.
#include <algorithm>
#include <map>
#include <set>

#include "lib/inspect/case.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

bool name_matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

// The spans of one trace, added up.
struct Contents {
  std::set<std::string_view> services;
  std::set<std::string_view> names;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> edges;
};

Contents contents_of(const Case& of, const Tree& tree) {
  Contents contents;
  for (const Node& node : tree.nodes) {
    const Span& span = of.spans()[node.span];
    contents.services.insert(of.service(span));
    contents.names.insert(span.name);
    if (node.parent == kNone) continue;
    const Span& parent = of.spans()[tree.nodes[node.parent].span];
    if (parent.process == span.process) continue;
    ++contents.edges[{of.service(parent), of.service(span)}];
  }
  return contents;
}

std::string joined(const std::set<std::string_view>& texts) {
  std::string made;
  for (const std::string_view text : texts) made.append(made.empty() ? "" : ", ").append(text);
  return made;
}

std::string times(std::size_t count) {
  return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string edge_bounds(const ExpectedEdge& edge) {
  if (edge.at_most == kNoMaximum) return "at least " + times(edge.at_least);
  if (edge.at_most == edge.at_least) return times(edge.at_least);
  return std::to_string(edge.at_least) + " to " + times(edge.at_most);
}

void check_request(Case& of, const Tree& tree, const ExpectedRequest& kind) {
  const Contents contents = contents_of(of, tree);
  for (const std::string& service : kind.services) {
    if (contents.services.count(service) != 0) continue;
    of.add(Rule::propagation_services, tree, "no span of " + service,
           service + ", beside " + joined(contents.services));
  }
  for (const ExpectedEdge& edge : kind.edges) {
    const auto found = contents.edges.find({edge.from, edge.to});
    const std::size_t count = found == contents.edges.end() ? 0 : found->second;
    if (count >= edge.at_least && count <= edge.at_most) continue;
    of.add(Rule::propagation_edges, tree,
           "from " + edge.from + " to " + edge.to + ": " + (count == 0 ? "never" : times(count)),
           edge_bounds(edge));
  }
  for (const std::string& name : kind.names) {
    const bool found = std::any_of(contents.names.begin(), contents.names.end(),
                                   [&](std::string_view n) { return name_matches(name, n); });
    if (!found) of.add(Rule::content_names_expected, tree, "no span '" + name + "'", name);
  }
}

// Of a partial tree nobody knows what it is a part of.
bool is_of(const Case& of, const Tree& tree, const ExpectedRequest& kind) {
  if (tree.partials != 0) return false;
  const Span& top = of.spans()[tree.nodes.front().span];
  return name_matches(kind.name, top.name) &&
         (kind.service.empty() || kind.service == of.service(top));
}

void check_kind(Case& of, const ExpectedRequest& kind) {
  std::size_t count = 0;
  for (const Tree& tree : of.trees()) {
    if (!is_of(of, tree, kind)) continue;
    ++count;
    check_request(of, tree, kind);
  }
  if (kind.count ? count == *kind.count : count > 0) return;
  of.add(Rule::completeness_requests, kind.service,
         counted(count, "trace") + " with '" + kind.name + "' at the top",
         kind.count ? std::to_string(*kind.count) : "at least one");
}

// Roots of the services that traces begin in.
void check_request_count(Case& of, std::size_t wanted) {
  std::size_t count = 0;
  for (const Tree& tree : of.trees()) {
    const auto& kinds = of.expected().requests;
    if (tree.partials != 0) continue;
    if (kinds.empty() || std::any_of(kinds.begin(), kinds.end(), [&](const ExpectedRequest& kind) {
          return is_of(of, tree, kind);
        })) {
      ++count;
    }
  }
  if (count == wanted) return;
  of.add(Rule::completeness_requests, std::string(), counted(count, "request") + " traced",
         std::to_string(wanted));
}

// Where an event of this name first stands; "a|b" is the first of either.
const SpanEvent* first_of(const Span& span, std::string_view names) {
  const SpanEvent* first = nullptr;
  while (!names.empty()) {
    const std::size_t bar = names.find('|');
    const std::string_view name = names.substr(0, bar);
    for (const SpanEvent& event : span.events) {
      if (event.name == name && (first == nullptr || event.time_ns < first->time_ns)) {
        first = &event;
      }
    }
    names.remove_prefix(bar == std::string_view::npos ? names.size() : bar + 1);
  }
  return first;
}

// A request that was given up has not seen everything: its order counts, its gaps do not.
bool was_given_up(const Span& span) {
  if (span.status == SpanStatus::error) return true;
  for (const SpanEvent& event : span.events) {
    const std::string status = text_of(event.attributes, "status");
    if (event.name.ends_with(".ABORTED") || status == "aborted" || status == "error" ||
        status == "ignored") {
      return true;
    }
  }
  return false;
}

void check_order(Case& of, const Span& span, const ExpectedEvents& events) {
  const SpanEvent* before = nullptr;
  for (const std::string& name : events.order) {
    const SpanEvent* event = first_of(span, name);
    if (event == nullptr) {
      if (!was_given_up(span)) of.add(Rule::completeness_events, span, "no event " + name);
      continue;
    }
    if (before != nullptr && event->time_ns < before->time_ns) {
      of.add(Rule::completeness_events, span, event->name + " before " + before->name,
             before->name + " <= " + event->name);
    }
    before = event;
  }
}

}  // namespace

void check_requests(Case& of) {
  const Expectations& expected = of.expected();
  for (const ExpectedRequest& kind : expected.requests) check_kind(of, kind);
  if (expected.request_count) check_request_count(of, *expected.request_count);
  bool services = false;
  bool edges = false;
  bool names = false;
  for (const ExpectedRequest& kind : expected.requests) {
    services = services || !kind.services.empty();
    edges = edges || !kind.edges.empty();
    names = names || !kind.names.empty();
  }
  if (!services) of.skip(Rule::propagation_services, "no services are expected in a trace");
  if (!edges) of.skip(Rule::propagation_edges, "no edges are expected");
  if (!names) of.skip(Rule::content_names_expected, "no names are expected");
  if (expected.requests.empty() && !expected.request_count) {
    of.skip(Rule::completeness_requests, "no requests are expected");
  }
}

void check_events(Case& of) {
  bool any = false;
  for (const Span& span : of.spans()) {
    if (span.dropped > 0) {
      of.add(Rule::completeness_dropped, span, std::to_string(span.dropped) + " dropped");
    }
    for (const ExpectedEvents& events : of.expected().events) {
      if (!name_matches(events.span, span.name)) continue;
      any = true;
      check_order(of, span, events);
    }
  }
  if (!any) of.skip(Rule::completeness_events, "no span whose events are known");
}

}  // namespace spanwire::inspect
