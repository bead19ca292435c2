#include "spanwire/inspect/html.hpp"

#include "lib/inspect/page.hpp"
#include "lib/inspect/page_data.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

// Inside a script element only "<" can end it or begin another one; JSON may write it as an escape.
std::string inert(std::string_view text) {
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
  if (!trees.empty()) {
    title = escaped(traces.spans[trees.front()->nodes.front().span].name) + " · " + title;
  }
  std::string page = head_of(title, nonce);
  page += page::kStyle;
  page += "</style>\n</head>\n<body>";
  page += page::kBody;
  page += "<script type=\"application/json\" id=\"data\">";
  page += inert(page_data(traces, trees, options));
  page += "</script>\n<script nonce=\"" + nonce + "\">\n";
  for (const std::string_view part :
       {page::kScriptBase, page::kScriptModel, page::kScriptSearch, page::kScriptRows,
        page::kScriptFrame, page::kScriptPanel, page::kScriptStart}) {
    page += part;
  }
  page += "</script>\n</body>\n</html>\n";
  return page;
}

}  // namespace spanwire::inspect
