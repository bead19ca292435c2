#include "lib/inspect/page_data.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "lib/inspect/report_parts.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

// Members keep their order, so that the page of the same spans is the same page.
using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const char* type_of(const Value& value) noexcept {
  // By the variant's index: none, string, bool, integer, double, bytes, array, map.
  static constexpr std::array<const char*, 8> kTypes = {"n", "s", "b", "i", "d", "x", "a", "m"};
  return kTypes[value.data.index()];
}

Json attributes_json(const std::vector<Attribute>& attributes) {
  Json items = Json::array();
  for (const Attribute& attribute : attributes) {
    // All values as text: a script's numbers would round 64-bit integers.
    items.push_back({attribute.key, type_of(attribute.value), attribute.value.text()});
  }
  return items;
}

Json processes_json(const TraceSet& traces) {
  Json items = Json::array();
  for (const Process& process : traces.processes) {
    items.push_back({{"s", process.service},
                     {"i", process.instance},
                     {"a", attributes_json(process.attributes)}});
  }
  return items;
}

Json scopes_json(const TraceSet& traces) {
  Json items = Json::array();
  for (const Scope& scope : traces.scopes)
    items.push_back({{"n", scope.name}, {"v", scope.version}});
  return items;
}

Json events_json(const Span& span, std::int64_t origin) {
  Json items = Json::array();
  for (const SpanEvent& event : span.events) {
    Json item = {event.time_ns - origin, event.name};
    if (!event.attributes.empty()) item.push_back(attributes_json(event.attributes));
    items.push_back(std::move(item));
  }
  return items;
}

Json links_json(const Span& span) {
  Json items = Json::array();
  for (const SpanLink& link : span.links) {
    Json item = {link.trace.hex().str(), link.span.hex().str()};
    if (!link.attributes.empty()) item.push_back(attributes_json(link.attributes));
    items.push_back(std::move(item));
  }
  return items;
}

void add_number(Json& json, const char* key, std::uint64_t value) {
  if (value != 0) json[key] = value;
}

Json span_json(const TraceSet& traces, const Tree& tree, const Node& node) {
  const Span& span = traces.spans[node.span];
  const std::int64_t origin = tree.start_ns - node.shift_ns;
  Json json = {{"i", span.id.hex().str()},
               {"n", span.name},
               {"s", span.start_ns - origin},
               {"d", span.end_ns - span.start_ns}};
  if (node.parent != kNone) json["x"] = node.parent;
  add_number(json, "k", static_cast<unsigned>(span.kind));
  add_number(json, "st", static_cast<unsigned>(span.status));
  add_number(json, "pr", span.process);
  add_number(json, "sc", span.scope);
  add_number(json, "dp", node.depth);
  add_number(json, "c", node.descendants);
  add_number(json, "f", span.flags);
  add_number(json, "dr", span.dropped);
  add_number(json, "o", node.orphan ? 1 : 0);
  if (node.partial) json["pt"] = why_partial(span);
  add_number(json, "y", node.cycle ? 1 : 0);
  add_number(json, "b", span.backwards ? 1 : 0);
  if (node.shift_ns != 0) json["sh"] = node.shift_ns;
  if (!span.parent.is_zero()) json["p"] = span.parent.hex().str();
  if (!span.status_message.empty()) json["m"] = span.status_message;
  if (!span.tracestate.empty()) json["ts"] = span.tracestate;
  if (!span.attributes.empty()) json["a"] = attributes_json(span.attributes);
  if (!span.events.empty()) json["ev"] = events_json(span, origin);
  if (!span.links.empty()) json["ln"] = links_json(span);
  return json;
}

// Span by span: a tree of 100,000 is never in memory as JSON's own nodes.
void add_tree(std::string& text, const TraceSet& traces, const Tree& tree) {
  text += dumped({{"id", tree.id.hex().str()},
                  {"t", time_text(tree.start_ns)},
                  {"t0", std::to_string(tree.start_ns)},
                  {"d", tree.end_ns - tree.start_ns},
                  {"e", tree.errors},
                  {"o", tree.orphans},
                  {"c", tree.cycles},
                  {"p", tree.processes}});
  text.back() = ',';
  text += "\"spans\":[";
  for (const Node& node : tree.nodes) {
    text += dumped(span_json(traces, tree, node));
    text += ',';
  }
  text.back() = ']';
  text += '}';
}

Json finding_json(const Finding& finding) {
  return {{"trace", finding.trace ? finding.trace.hex().str() : std::string()},
          {"span", finding.span ? finding.span.hex().str() : std::string()},
          {"service", finding.service},
          {"name", finding.name},
          {"measured", finding.measured},
          {"expected", finding.expected},
          {"waived", finding.waived}};
}

Json rule_json(const RuleInfo& rule, const RuleVerdict& verdict) {
  Json findings = Json::array();
  for (const Finding& finding : verdict.findings) findings.push_back(finding_json(finding));
  return {{"id", rule.id},
          {"level", name(verdict.level)},
          {"outcome", name(verdict.outcome)},
          {"reason", verdict.reason},
          {"wants", rule.wants},
          {"causes", rule.causes},
          {"count", verdict.count + verdict.waived},
          {"findings", std::move(findings)}};
}

// The gates, then what belongs to none and has something to tell.
Json gates_json(const Verdict& verdict) {
  Json gates = Json::array();
  for (std::size_t number = 1; number <= kGateCount; ++number) {
    gates.push_back({{"number", number},
                     {"name", gate_name(number)},
                     {"outcome", name(verdict.gate(number))},
                     {"rules", Json::array()}});
  }
  Json others = Json::array();
  bool failed = false;
  for (const RuleInfo& rule : rules()) {
    const RuleVerdict& judged = verdict.of(rule.rule);
    if (rule.gate != 0) {
      gates[rule.gate - 1]["rules"].push_back(rule_json(rule, judged));
    } else if (!judged.findings.empty()) {
      others.push_back(rule_json(rule, judged));
      failed = failed || fails(judged, false);
    }
  }
  if (!others.empty()) {
    gates.push_back({{"number", 0},
                     {"name", "other rules"},
                     {"outcome", name(failed ? Outcome::fail : Outcome::pass)},
                     {"rules", std::move(others)}});
  }
  return gates;
}

}  // namespace

std::string page_data(const TraceSet& traces, const std::vector<const Tree*>& trees,
                      const HtmlOptions& options) {
  std::string text =
      dumped({{"processes", processes_json(traces)},
              {"scopes", scopes_json(traces)},
              {"more", options.traces_left_out},
              {"gates", options.verdict != nullptr ? gates_json(*options.verdict) : Json()}});
  text.back() = ',';
  text += "\"traces\":[";
  for (const Tree* tree : trees) {
    add_tree(text, traces, *tree);
    text += ',';
  }
  if (trees.empty()) text += ',';
  text.back() = ']';
  text += '}';
  return text;
}

}  // namespace spanwire::inspect
