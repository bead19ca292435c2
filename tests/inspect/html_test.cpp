#include "spanwire/inspect/html.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/inspect/build.hpp"

namespace spanwire::inspect {
namespace {

using testing::Traces;

// Each tries to leave the place it is written to.
const char* const kHostile[] = {
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "-->]]>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-'",
    "</title><svg onload=alert(1)>",
    "\xE2\x80\xA8\xE2\x80\xA9 line separators",
    "\xFF\xFE not UTF-8",
    "&lt;b&gt; \\u003cscript>",
    "javascript:alert(1)",
};

TraceSet hostile(const std::string& text) {
  Traces traces;
  const auto p = traces.process(text, text);
  traces.set.scopes[0] = {text, text};
  Span& span = traces.span(p, 1, 0, text, 0, 100);
  span.status = SpanStatus::error;
  span.status_message = text;
  span.tracestate = text;
  span.attributes = {{text, Value{text}}, {"list", Value{Value::Array{Value{text}}}}};
  span.events = {{span.start_ns, text, {{text, Value{text}}}}};
  span.links = {{testing::trace_id(5), testing::span_id(6), {{text, Value{text}}}}};
  return std::move(traces.set);
}

std::string page_of(const TraceSet& set, HtmlOptions options = {}) {
  const std::vector<Tree> trees = build_trees(set);
  std::vector<const Tree*> chosen;
  for (const Tree& tree : trees) chosen.push_back(&tree);
  return render_html(set, chosen, options);
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++found;
  }
  return found;
}

nlohmann::json data_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = page.find(open) + open.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(Html, HostileValuesStayData) {
  const std::string plain = page_of(hostile("plain"));
  for (const char* text : kHostile) {
    const std::string page = page_of(hostile(text));
    // As many tags of any kind as the page has without the text.
    EXPECT_EQ(count(page, "<"), count(plain, "<")) << text;
    EXPECT_EQ(count(page, "<script"), 2u) << text;
    EXPECT_EQ(count(page, "</script"), 2u) << text;
    EXPECT_EQ(count(page, "<!--"), 0u) << text;
  }
}

TEST(Html, HostileValuesArriveUnchanged) {
  for (const char* text : kHostile) {
    if (std::string_view(text).starts_with('\xFF')) continue;
    const nlohmann::json data = data_of(page_of(hostile(text)));
    const nlohmann::json& span = data["traces"][0]["spans"][0];
    EXPECT_EQ(span["n"], text);
    EXPECT_EQ(span["m"], text);
    EXPECT_EQ(span["a"][0], nlohmann::json({text, "s", text}));
    EXPECT_EQ(data["processes"][0]["s"], text);
  }
}

TEST(Html, ThePolicyAllowsThePageItselfAndNothingElse) {
  HtmlOptions options;
  options.nonce = "0123456789abcdef";
  const std::string page = page_of(hostile("x"), options);
  EXPECT_NE(
      page.find("content=\"default-src 'none'; style-src 'nonce-0123456789abcdef'; script-src "
                "'nonce-0123456789abcdef'; base-uri 'none'; form-action 'none'\""),
      std::string::npos);
  for (const char* forbidden : {"http://", "https://", "src=", "href=", "url(", "@import",
                                "unsafe-", "innerHTML", "outerHTML", "insertAdjacentHTML",
                                "document.write", "eval(", "new Function", " style=", " onclick"}) {
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
  }
}

TEST(Html, EachPageHasANonceOfItsOwn) {
  const TraceSet set = hostile("x");
  EXPECT_NE(page_of(set), page_of(set));
  HtmlOptions fixed;
  fixed.nonce = "00";
  EXPECT_EQ(page_of(set, fixed), page_of(set, fixed));
}

TEST(Html, NumbersBeyondAScriptsPrecisionAreText) {
  Traces traces;
  Span& span = traces.span(traces.process("s"), 1, 0, "a", 0, 1);
  span.attributes = {{"big", Value{std::int64_t{9'007'199'254'740'993}}}};
  const nlohmann::json data = data_of(page_of(traces.set));
  EXPECT_EQ(data["traces"][0]["spans"][0]["a"][0],
            nlohmann::json({"big", "i", "9007199254740993"}));
}

TEST(Html, TimesAreRelativeAndShifted) {
  Traces traces;
  Span& client = traces.span(traces.process("f"), 1, 0, "call", 0, 100);
  client.kind = SpanKind::client;
  client.attributes = {{std::string(kClockOffsetAttribute), Value{std::int64_t{5'000'000}}}};
  Span& server = traces.span(traces.process("w"), 2, 1, "call", 5'020, 60);
  server.kind = SpanKind::server;
  server.events = {{server.start_ns + 1'000, "e", {}}};
  const nlohmann::json data = data_of(page_of(traces.set));
  const nlohmann::json& spans = data["traces"][0]["spans"];
  EXPECT_EQ(spans[1]["s"], 20'000);
  EXPECT_EQ(spans[1]["d"], 60'000);
  EXPECT_EQ(spans[1]["ev"][0][0], 21'000);
  EXPECT_EQ(spans[1]["x"], 0);
  EXPECT_EQ(spans[1]["sh"], -5'000'000);
}

TEST(Html, APageWithoutTracesIsAPage) {
  const nlohmann::json data = data_of(page_of(TraceSet{}));
  EXPECT_TRUE(data["traces"].empty());
}

}  // namespace
}  // namespace spanwire::inspect
