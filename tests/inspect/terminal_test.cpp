#include "spanwire/inspect/terminal.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "spanwire/inspect/text.hpp"
#include "tests/inspect/build.hpp"

namespace spanwire::inspect {
namespace {

using testing::Traces;

// A request over three processes: an error, like siblings in a row, a client and its server.
TraceSet serving() {
  Traces traces;
  const auto front = traces.process("frontend");
  const auto prefill = traces.process("prefill");
  const auto decode = traces.process("decode");
  traces.span(front, 1, 0, "POST /v1/chat/completions", 0, 90'000).kind = SpanKind::server;
  traces.span(front, 2, 1, "kv_find_best_match", 200, 350);
  traces.span(front, 3, 1, "llm/prefill/generate", 800, 21'000).kind = SpanKind::client;
  traces.span(prefill, 4, 3, "llm/prefill/generate", 1'100, 20'400).kind = SpanKind::server;
  traces.span(prefill, 5, 4, "queue", 1'150, 4'000);
  Span& failed = traces.span(front, 6, 1, "llm/decode/generate", 22'000, 67'000);
  failed.kind = SpanKind::client;
  failed.status = SpanStatus::error;
  failed.status_message = "UNAVAILABLE: connection_lost";
  traces.span(decode, 7, 6, "llm/decode/generate", 22'300, 66'000).kind = SpanKind::server;
  for (unsigned i = 0; i < 12; ++i) {
    traces.span(decode, 10 + i, 7, "decode step", 23'000 + 5'000 * i, 4'900);
  }
  return std::move(traces.set);
}

// What a peer may send: wide and combining text, commands for the terminal, no name, broken trees.
TraceSet hostile() {
  Traces traces;
  const auto p = traces.process("推論サービス", "instance-one");
  const auto q = traces.process("推論サービス", "0d5c6e8e-26a1-4a0c-9d5b-0a4a3a2f1f10");
  traces.span(p, 1, 0, "生成 🚀 e\u0301tape \x1b[31mred\x1b[0m \u202Eevil", 0, 1'000);
  traces.span(q, 2, 1, "", 100, 0);
  Span& bad = traces.span(q, 3, 2, "a name that is much too long for the column it has to fit in",
                          100, 800);
  bad.status = SpanStatus::error;
  bad.status_message =
      "line one\nline two\x07 and a text that goes on until it is cut at the edge "
      "of the widest line that there is";
  traces.span(p, 4, 0x77, "orphan", 300, 300);
  traces.span(p, 5, 6, "cycle", 400, 100);
  traces.span(p, 6, 5, "cycle below", 410, 50);
  return std::move(traces.set);
}

TraceSet deep() {
  Traces traces;
  const auto p = traces.process("s");
  for (unsigned i = 1; i <= 40; ++i) traces.span(p, i, i - 1, "level", i, 100 - 2 * i);
  return std::move(traces.set);
}

// Of a request that nobody sampled: what was kept for how it ended.
TraceSet partial() {
  Traces traces;
  const auto front = traces.process("frontend");
  const auto decode = traces.process("decode");
  const auto keep = [](Span& span) {
    span.attributes.push_back({"spanwire.partial", Value{true}});
  };
  Span& call = traces.span(front, 2, 1, "llm/decode", 0, 900);
  call.kind = SpanKind::client;
  call.status = SpanStatus::error;
  call.status_message = "UNAVAILABLE: no room";
  keep(call);
  Span& served = traces.span(decode, 3, 2, "llm/decode", 100, 700);
  served.kind = SpanKind::server;
  served.status = SpanStatus::error;
  keep(served);
  keep(traces.span(decode, 9, 8, "slow step", 200, 650));
  return std::move(traces.set);
}

std::string render(const TraceSet& set, const TextOptions& options) {
  return render_tree(set, build_trees(set)[0], options);
}

TextOptions wide(std::size_t width) {
  TextOptions options;
  options.width = width;
  return options;
}

struct Golden {
  const char* file;
  TraceSet (*traces)();
  TextOptions options;
};

std::vector<Golden> goldens() {
  TextOptions colour = wide(100);
  colour.colour = true;
  TextOptions ascii = wide(80);
  ascii.ascii = true;
  TextOptions all = wide(100);
  all.fold_runs = false;
  TextOptions few = wide(80);
  few.rows_max = 4;
  return {{"serving_80.txt", serving, wide(80)},   {"serving_140.txt", serving, wide(140)},
          {"serving_colour.txt", serving, colour}, {"serving_ascii.txt", serving, ascii},
          {"serving_all.txt", serving, all},       {"serving_rows.txt", serving, few},
          {"hostile_80.txt", hostile, wide(80)},   {"hostile_120.txt", hostile, wide(120)},
          {"deep_60.txt", deep, wide(60)},         {"partial_80.txt", partial, wide(80)}};
}

std::string golden_path(const char* file) {
  return std::string(SPANWIRE_SOURCE_DIR) + "/tests/inspect/golden/" + file;
}

// SPANWIRE_UPDATE_GOLDEN=1 writes the files; the difference is then for a reviewer to judge.
TEST(Terminal, DrawsTheGoldenTrees) {
  for (const Golden& golden : goldens()) {
    const std::string text = render(golden.traces(), golden.options);
    if (std::getenv("SPANWIRE_UPDATE_GOLDEN") != nullptr) {
      std::ofstream(golden_path(golden.file)) << text;
    }
    std::ifstream file(golden_path(golden.file));
    std::stringstream expected;
    expected << file.rdbuf();
    EXPECT_EQ(text, expected.str()) << golden.file;
  }
}

std::string without_colours(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      result += text[i];
    }
  }
  return result;
}

TEST(Terminal, NoLineIsWiderThanTheTerminal) {
  for (TraceSet (*make)() : {serving, hostile, deep}) {
    const TraceSet set = make();
    for (std::size_t width = kWidthMin; width <= 200; width += 7) {
      std::istringstream lines(render(set, wide(width)));
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(columns_of(line), width) << line;
        EXPECT_EQ(line.find('\x1b'), std::string::npos);
      }
    }
  }
}

TEST(Terminal, ColourChangesNothingButColour) {
  TextOptions options = wide(100);
  const std::string plain = render(serving(), options);
  options.colour = true;
  const std::string coloured = render(serving(), options);
  EXPECT_NE(plain, coloured);
  EXPECT_EQ(without_colours(coloured), plain);
}

TEST(Terminal, AsciiHasNoOtherCharacter) {
  TextOptions options = wide(80);
  options.ascii = true;
  for (const char c : render(serving(), options)) ASSERT_GE(c, 0);
}

std::map<std::string, std::string>& environment() {
  static std::map<std::string, std::string> values;
  return values;
}

const char* look_up(const char* name) {
  const auto found = environment().find(name);
  return found == environment().end() ? nullptr : found->second.c_str();
}

TEST(Terminal, TheEnvironmentDecidesColourWidthAndCharacters) {
  environment() = {{"TERM", "xterm"}, {"LANG", "en_US.UTF-8"}, {"COLUMNS", "77"}};
  EXPECT_TRUE(text_options(true, 0, look_up).colour);
  EXPECT_FALSE(text_options(false, 0, look_up).colour);
  EXPECT_EQ(text_options(true, 120, look_up).width, 120u);
  EXPECT_EQ(text_options(false, 0, look_up).width, 77u);
  EXPECT_FALSE(text_options(true, 0, look_up).ascii);
  environment()["NO_COLOR"] = "1";
  EXPECT_FALSE(text_options(true, 0, look_up).colour);
  environment()["NO_COLOR"] = "";  // as the convention says: only when it is not empty
  EXPECT_TRUE(text_options(true, 0, look_up).colour);
  environment()["TERM"] = "dumb";
  EXPECT_FALSE(text_options(true, 0, look_up).colour);
  environment()["LC_ALL"] = "C";
  EXPECT_TRUE(text_options(true, 0, look_up).ascii);
  environment().clear();
  EXPECT_FALSE(text_options(true, 0, look_up).ascii);
  EXPECT_EQ(text_options(true, 0, look_up).width, 100u);
}

TEST(TraceList, IsBoundedAndSaysHowManyMore) {
  Traces traces;
  const auto p = traces.process("s");
  for (unsigned i = 1; i <= 9; ++i) {
    traces.trace = i;
    traces.span(p, 1, 0, "call " + std::to_string(i), 1'000 * i, 10);
  }
  const auto trees = build_trees(traces.set);
  const std::string few = render_list(traces.set, trees, 2, wide(80));
  EXPECT_NE(few.find("s: call 8"), std::string::npos);
  EXPECT_NE(few.find("s: call 9"), std::string::npos);
  EXPECT_EQ(few.find("s: call 7"), std::string::npos);
  EXPECT_NE(few.find("and 7 older traces\n"), std::string::npos);
  EXPECT_EQ(render_list(traces.set, trees, 9, wide(80)).find("older"), std::string::npos);
  std::istringstream lines(render_list(traces.set, trees, 9, wide(kWidthMin)));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns_of(line), kWidthMin);
}

}  // namespace
}  // namespace spanwire::inspect
