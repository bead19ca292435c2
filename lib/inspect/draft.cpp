// The first version of an expectation file, from traces that are taken to be good.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "spanwire/inspect/expectations.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;

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
    names.insert(span.name);
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

}  // namespace

std::string draft_expectations(const TraceSet& traces, const std::vector<Tree>& trees) {
  std::map<std::pair<std::string, std::string>, Kind> kinds;
  std::set<std::string> services;
  for (const Tree& tree : trees) {
    const Span& top = traces.spans[tree.nodes.front().span];
    add_tree(kinds[{traces.processes[top.process].service, top.name}], traces, tree);
  }
  for (const Span& span : traces.spans) services.insert(traces.processes[span.process].service);
  Json requests = Json::array();
  for (const auto& [root, kind] : kinds) {
    requests.push_back(json_of(kind, root.first, root.second));
  }
  const Json draft = {{"services", services}, {"requests", std::move(requests)}};
  return draft.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace spanwire::inspect
