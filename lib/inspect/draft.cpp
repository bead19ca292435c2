// The first version of an expectation file, from traces that are taken to be good.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/inspect/names.hpp"
#include "spanwire/inspect/verify.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;

// A name as an expectation: up to where it varies.
std::string pattern_of(const std::string& name) {
  const std::size_t varies = varying_part(name);
  return varies == std::string_view::npos ? name : name.substr(0, varies) + '*';
}

struct Bounds {
  std::size_t at_least = 0;
  std::size_t at_most = 0;
};

// What the traces with one kind of root have in common.
struct Kind {
  std::size_t traces = 0;
  std::set<std::string> services;
  std::set<std::string> names;
  std::map<std::pair<std::string, std::string>, Bounds> edges;
};

// Keeps of `common` what is in `other` too; the first trace gives all it has.
void keep(std::set<std::string>& common, const std::set<std::string>& other, bool first) {
  if (first) {
    common = other;
    return;
  }
  std::erase_if(common, [&](const std::string& text) { return other.count(text) == 0; });
}

void add_tree(Kind& kind, const TraceSet& traces, const Tree& tree) {
  std::set<std::string> services;
  std::set<std::string> names;
  std::map<std::pair<std::string, std::string>, std::size_t> edges;
  for (const Node& node : tree.nodes) {
    const Span& span = traces.spans[node.span];
    const std::string& service = traces.processes[span.process].service;
    services.insert(service);
    names.insert(pattern_of(span.name));
    if (node.parent == kNone) continue;
    const Span& parent = traces.spans[tree.nodes[node.parent].span];
    if (parent.process != span.process) {
      ++edges[{traces.processes[parent.process].service, service}];
    }
  }
  const bool first = kind.traces++ == 0;
  keep(kind.services, services, first);
  keep(kind.names, names, first);
  for (const auto& [edge, count] : edges) {
    const auto [item, fresh] = kind.edges.try_emplace(edge, Bounds{first ? count : 0, count});
    item->second.at_least = std::min(item->second.at_least, count);
    item->second.at_most = std::max(item->second.at_most, count);
  }
  for (auto& [edge, bounds] : kind.edges) {
    if (edges.count(edge) == 0) bounds.at_least = 0;
  }
}

Json json_of(const Kind& kind, const std::string& service, const std::string& name) {
  Json edges = Json::array();
  for (const auto& [edge, bounds] : kind.edges) {
    edges.push_back({{"from", edge.first},
                     {"to", edge.second},
                     {"at_least", bounds.at_least},
                     {"at_most", bounds.at_most}});
  }
  return {{"service", service},
          {"name", name},
          {"services", kind.services},
          {"edges", std::move(edges)},
          {"names", kind.names}};
}

// The events that every span of one name has, in one order.
class EventOrders {
 public:
  void add(const Span& span) {
    std::vector<std::string> order = order_of(span);
    const auto [item, fresh] = orders_.try_emplace(pattern_of(span.name), order);
    if (!fresh) keep_common(item->second, order);
  }

  Json json() const {
    Json events = Json::array();
    for (const auto& [name, order] : orders_) {
      // One that matches everything, or has nothing to say.
      if (order.empty() || name == "*") continue;
      events.push_back({{"span", name}, {"order", order}});
    }
    return events;
  }

 private:
  // Names by the time at which each first stands.
  static std::vector<std::string> order_of(const Span& span) {
    std::vector<const SpanEvent*> events;
    for (const SpanEvent& event : span.events) events.push_back(&event);
    std::stable_sort(events.begin(), events.end(),
                     [](const auto* a, const auto* b) { return a->time_ns < b->time_ns; });
    std::vector<std::string> order;
    for (const SpanEvent* event : events) {
      const bool known = std::find(order.begin(), order.end(), event->name) != order.end();
      if (!known && varying_part(event->name) == std::string_view::npos)
        order.push_back(event->name);
    }
    return order;
  }

  // What is in both; nothing at all where they stand in another order.
  static void keep_common(std::vector<std::string>& common, const std::vector<std::string>& other) {
    const auto place = [&](const std::string& name) {
      return std::find(other.begin(), other.end(), name);
    };
    std::erase_if(common, [&](const std::string& name) { return place(name) == other.end(); });
    const bool same = std::is_sorted(
        common.begin(), common.end(),
        [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
    if (!same) common.clear();
  }

  std::map<std::string, std::vector<std::string>> orders_;
};

// Whether requests come with a context from outside: all that is known of their parents.
bool have_external_parents(const std::vector<Tree>& trees) {
  return std::any_of(trees.begin(), trees.end(),
                     [](const Tree& tree) { return tree.roots == 1 && tree.orphans == 1; });
}

// Rules of level error for which there is nothing, as a strict verdict sees it.
Json levels_off(const Evidence& evidence, const Json& draft) {
  Json levels = Json::object();
  const Result<Expectations> expected = parse_expectations(draft.dump());
  if (!expected) return levels;
  const Verdict verdict = verify(evidence, *expected);
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& item = verdict.of(rule.rule);
    const bool missing = item.outcome == Outcome::not_evaluated && item.level == Level::error;
    if (missing) levels[std::string(rule.id)] = "off";
  }
  return levels;
}

}  // namespace

std::string draft_expectations(const Evidence& evidence) {
  const TraceSet& traces = *evidence.traces;
  std::map<std::pair<std::string, std::string>, Kind> kinds;
  std::set<std::string> services;
  EventOrders events;
  for (const Tree& tree : *evidence.trees) {
    if (tree.partials != 0) continue;
    const Span& top = traces.spans[tree.nodes.front().span];
    add_tree(kinds[{traces.processes[top.process].service, pattern_of(top.name)}], traces, tree);
    for (const Node& node : tree.nodes) {
      services.insert(traces.processes[traces.spans[node.span].process].service);
      events.add(traces.spans[node.span]);
    }
  }
  Json requests = Json::array();
  for (const auto& [root, kind] : kinds) {
    requests.push_back(json_of(kind, root.first, root.second));
  }
  Json draft = {{"services", services}, {"requests", std::move(requests)}};
  if (Json order = events.json(); !order.empty()) draft["events"] = std::move(order);
  if (have_external_parents(*evidence.trees)) draft["external_parents"] = true;
  if (Json levels = levels_off(evidence, draft); !levels.empty())
    draft["levels"] = std::move(levels);
  return draft.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace spanwire::inspect
