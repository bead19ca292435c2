#include "spanwire/inspect/html.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "lib/inspect/page.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

// Members keep their order, so that the page of the same spans is the same page.
using Json = nlohmann::ordered_json;

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
    items.push_back({event.time_ns - origin, event.name, attributes_json(event.attributes)});
  }
  return items;
}

Json links_json(const Span& span) {
  Json items = Json::array();
  for (const SpanLink& link : span.links) {
    items.push_back(
        {link.trace.hex().str(), link.span.hex().str(), attributes_json(link.attributes)});
  }
  return items;
}

Json span_json(const TraceSet& traces, const Tree& tree, const Node& node) {
  const Span& span = traces.spans[node.span];
  const std::int64_t origin = tree.start_ns - node.shift_ns;
  Json json = {{"i", span.id.hex().str()},
               {"x", node.parent == kNone ? -1 : static_cast<std::int64_t>(node.parent)},
               {"n", span.name},
               {"k", static_cast<int>(span.kind)},
               {"s", span.start_ns - origin},
               {"d", span.end_ns - span.start_ns},
               {"st", static_cast<int>(span.status)},
               {"pr", span.process},
               {"sc", span.scope},
               {"dp", node.depth},
               {"c", node.descendants},
               {"a", attributes_json(span.attributes)},
               {"ev", events_json(span, origin)},
               {"ln", links_json(span)}};
  if (!span.parent.is_zero()) json["p"] = span.parent.hex().str();
  if (!span.status_message.empty()) json["m"] = span.status_message;
  if (!span.tracestate.empty()) json["ts"] = span.tracestate;
  if (node.orphan) json["o"] = 1;
  if (node.cycle) json["y"] = 1;
  if (node.shift_ns != 0) json["sh"] = node.shift_ns;
  if (span.dropped > 0) json["dr"] = span.dropped;
  return json;
}

Json tree_json(const TraceSet& traces, const Tree& tree) {
  Json spans = Json::array();
  for (const Node& node : tree.nodes) spans.push_back(span_json(traces, tree, node));
  return {{"id", tree.id.hex().str()},
          {"t", time_text(tree.start_ns)},
          {"d", tree.end_ns - tree.start_ns},
          {"e", tree.errors},
          {"o", tree.orphans},
          {"c", tree.cycles},
          {"p", tree.processes},
          {"sh", tree.shifted},
          {"spans", std::move(spans)}};
}

// Inside a script element only "<" can end it or begin another one; JSON may write it as an escape.
std::string inert(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string result;
  result.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    if (c == '<') {
      result += "\\u003c";
    } else if (c == '>') {
      result += "\\u003e";
    } else if (c == '&') {
      result += "\\u0026";
    } else {
      result += c;
    }
  }
  return result;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : printable(text)) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      result += c;
    }
  }
  return result;
}

std::string nonce_of(const HtmlOptions& options) {
  if (!options.nonce.empty()) return options.nonce;
  return trace::TraceId::generate(Random::of_thread()).hex().str();
}

std::string head_of(const std::string& title, const std::string& nonce) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'nonce-" +
         nonce + "'; script-src 'nonce-" + nonce +
         "'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
         title + "</title>\n<style nonce=\"" + nonce + "\">";
}

}  // namespace

std::string render_html(const TraceSet& traces, const std::vector<const Tree*>& trees,
                        const HtmlOptions& options) {
  const std::string nonce = nonce_of(options);
  std::string title = "Spanwire";
  Json items = Json::array();
  for (const Tree* tree : trees) items.push_back(tree_json(traces, *tree));
  if (!trees.empty()) {
    title = escaped(traces.spans[trees.front()->nodes.front().span].name) + " · " + title;
  }
  const Json data = {{"processes", processes_json(traces)},
                     {"scopes", scopes_json(traces)},
                     {"more", options.traces_left_out},
                     {"traces", std::move(items)}};
  std::string page = head_of(title, nonce);
  page += page::kStyle;
  page += "</style>\n</head>\n<body>";
  page += page::kBody;
  page += "<script type=\"application/json\" id=\"data\">";
  page += inert(data);
  page += "</script>\n<script nonce=\"" + nonce + "\">";
  page += page::kScriptRows;
  page += page::kScriptPanel;
  page += "</script>\n</body>\n</html>\n";
  return page;
}

}  // namespace spanwire::inspect
