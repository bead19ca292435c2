// Lines that are too long to be held, and documents over several lines.
#include <gtest/gtest.h>

#include "spanwire/inspect/reader.hpp"

namespace spanwire::inspect {
namespace {

constexpr const char* kSpan =
    R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",)"
    R"("name":"a","kind":2,"startTimeUnixNano":"1000","endTimeUnixNano":"3000"})";

std::string line_of(const std::string& spans, const std::string& service = "demo") {
  return R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":)"
         R"({"stringValue":")" +
         service + R"("}}]},"scopeSpans":[{"scope":{"name":"s","version":"2"},"spans":[)" + spans +
         "]}]}]}\n";
}

std::string without_end(std::string text) { return text.substr(0, text.size() - 1); }

std::string with(const std::string& members) { return without_end(kSpan) + "," + members + "}"; }

// Everything that a reader knows, as text.
std::string seen_by(const Reader& reader) {
  std::string seen;
  for (const Span& span : reader.traces().spans) {
    seen += span.trace.hex().str() + span.id.hex().str() + span.name;
    seen += ' ' + reader.traces().processes[span.process].service + ' ' +
            reader.traces().scopes[span.scope].name + '\n';
    for (const Attribute& item : span.attributes) seen += item.key + '=' + item.value.text() + '\n';
  }
  for (const Problem& problem : reader.report().problems) {
    seen += std::to_string(problem.line) + ": " + problem.text + '\n';
  }
  return seen;
}

std::string span_number(int number) {
  std::string text = kSpan;
  text.replace(text.find("02b7"), 4, std::to_string(1000 + number));
  return text;
}

// A document that is read in pieces is the same document.
TEST(LongDocument, ALongLineIsReadInPiecesAndTheSame) {
  std::string spans = with(R"("attributes":[{"key":"k\"}]{","value":{"stringValue":"\\\"["}}])");
  for (int i = 1; i < 50; ++i) spans += "," + span_number(i);
  const std::string two = line_of(spans, "a") + line_of(span_number(50) + ",3", "b");
  const std::string documents[] = {
      two,
      R"({"result":)" + without_end(line_of(spans)) + "}\n",
      R"([)" + without_end(line_of(spans)) + "," + without_end(line_of(span_number(60))) + "]\n",
      R"({"batches":)" + line_of(spans).substr(line_of(spans).find('[')),
      "{\"trace\":" + without_end(line_of(spans)) + "}\n" + line_of(span_number(61)),
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + span_number(1) +
          R"(],"scope":{"name":"late"}}],"resource":{"attributes":[{"key":"service.name",)"
          R"("value":{"stringValue":"late"}}]}},{"resource":{}}]})"
          "\n",
  };
  for (const std::string& document : documents) {
    Reader whole;
    whole.read_text("f", document);
    ReadLimits limits;
    limits.line_bytes = 1;
    Reader split(limits);
    split.read_text("f", document);
    EXPECT_EQ(seen_by(split), seen_by(whole)) << document.substr(0, 60);
    limits.piece_bytes = 400;
    Reader small(limits);
    small.read_text("f", document);
    // What stands behind spans that were handed on already comes too late for them.
    if (document.find("late") != std::string::npos) continue;
    EXPECT_EQ(seen_by(small), seen_by(whole)) << document.substr(0, 60);
  }
}

TEST(LongDocument, ADocumentOverSeveralLinesIsOne) {
  std::string laid_out;
  for (const char c : line_of(span_number(1) + "," + span_number(2))) {
    laid_out += c;
    if (c == '{' || c == '[' || c == ',') laid_out += "\n  ";
  }
  Reader reader;
  reader.read_text("f", laid_out + laid_out + line_of(span_number(3)));
  EXPECT_EQ(reader.report().problem_count, 0u);
  EXPECT_EQ(reader.report().duplicates, 2u);
  EXPECT_EQ(reader.traces().spans.size(), 3u);
}

struct BrokenDocument {
  const char* name;
  std::string text;
  const char* problem;
  std::size_t line;
  std::size_t spans;
};

TEST(LongDocument, ADamagedDocumentCostsWhatIsDamaged) {
  const std::string good = without_end(line_of(span_number(1) + "," + span_number(2)));
  const std::string inner = good.substr(1, good.size() - 2);
  const BrokenDocument cases[] = {
      {"cut in a span", "{\n" + inner.substr(0, inner.size() - 30), "cut off", 2, 1},
      {"cut between", "{\n" + inner.substr(0, inner.size() - 5), "cut off", 2, 2},
      {"a wrong bracket", "{\n" + inner + "]\n" + good + "\n", "not JSON", 2, 2},
      {"a bracket too many", "{\n" + inner + "}}\n" + line_of(span_number(3)), "more behind", 2, 3},
      {"a stray bracket", "{\n" + line_of(span_number(3)) + line_of(span_number(4)), "not JSON", 2,
       2},
      {"something else", "[\n{\"a\":[1,2,{}]}\n]\n", "no resourceSpans", 3, 0},
      {"no value", "{\n\"a\":,\"b\":1}\n", "not JSON", 2, 0},
  };
  for (const BrokenDocument& item : cases) {
    Reader reader;
    reader.read_text("f", item.text);
    ASSERT_EQ(reader.report().problems.size(), 1u) << item.name << '\n' << seen_by(reader);
    EXPECT_NE(reader.report().problems[0].text.find(item.problem), std::string::npos)
        << item.name << ": " << reader.report().problems[0].text;
    EXPECT_EQ(reader.report().problems[0].line, item.line) << item.name;
    EXPECT_EQ(reader.traces().spans.size(), item.spans) << item.name;
  }
}

TEST(LongDocument, ASpanBeyondTheLimitIsLeftOutAndSaid) {
  ReadLimits limits;
  limits.line_bytes = 100;
  limits.span_bytes = 1'000;
  Reader reader(limits);
  reader.read_text(
      "f", line_of(span_number(1) + "," + with(R"("m":")" + std::string(2'000, 'x') + '"') + "," +
                   span_number(2)));
  EXPECT_EQ(reader.traces().spans.size(), 2u);
  ASSERT_EQ(reader.report().problems.size(), 1u);
  EXPECT_EQ(reader.report().problems[0].text, "a span that is longer than 1000 bytes");
}

}  // namespace
}  // namespace spanwire::inspect
