#include "spanwire/inspect/reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

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

TEST(Reader, ReadsEveryFieldOfASpan) {
  Reader reader;
  reader.read_text(
      "f",
      line_of(with(
          R"("parentSpanId":"00F067AA0BA902B8","traceState":"v=1","flags":257,)"
          R"("droppedAttributesCount":2,"droppedEventsCount":1,"status":{"code":2,"message":"no"},)"
          R"("attributes":[{"key":"k","value":{"intValue":"-5"}}],)"
          R"("events":[{"timeUnixNano":2000,"name":"e","attributes":[]}],)"
          R"("links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4737","spanId":"00f067aa0ba902b9"}])")));
  ASSERT_EQ(reader.report().problem_count, 0u) << reader.report().problems[0].text;
  ASSERT_EQ(reader.traces().spans.size(), 1u);
  const Span& span = reader.traces().spans[0];
  EXPECT_EQ(span.trace.hex().str(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(span.id.hex().str(), "00f067aa0ba902b7");
  EXPECT_EQ(span.parent.hex().str(), "00f067aa0ba902b8");
  EXPECT_EQ(span.kind, SpanKind::server);
  EXPECT_EQ(span.start_ns, 1000);
  EXPECT_EQ(span.end_ns, 3000);
  EXPECT_EQ(span.tracestate, "v=1");
  EXPECT_EQ(span.flags, 257u);
  EXPECT_EQ(span.dropped, 3u);
  EXPECT_EQ(span.status, SpanStatus::error);
  EXPECT_EQ(span.status_message, "no");
  EXPECT_EQ(text_of(span.attributes, "k"), "-5");
  ASSERT_EQ(span.events.size(), 1u);
  EXPECT_EQ(span.events[0].time_ns, 2000);
  ASSERT_EQ(span.links.size(), 1u);
  EXPECT_EQ(span.links[0].span.hex().str(), "00f067aa0ba902b9");
  EXPECT_EQ(reader.traces().processes[span.process].service, "demo");
  EXPECT_EQ(reader.traces().scopes[span.scope].version, "2");
}

struct ValueCase {
  const char* json;
  const char* text;
};

TEST(Reader, ReadsEveryKindOfValue) {
  const ValueCase cases[] = {
      {R"({"stringValue":"x"})", "x"},
      {R"({"boolValue":true})", "true"},
      {R"({"intValue":"9223372036854775807"})", "9223372036854775807"},
      {R"({"intValue":7})", "7"},
      {R"({"doubleValue":0.5})", "0.5"},
      {R"({"doubleValue":480000000000000000000})", "4.8e+20"},
      {R"({"doubleValue":-18446744073709551616})", "-1.8446744073709552e+19"},
      {R"({"doubleValue":"NaN"})", "NaN"},
      {R"({"doubleValue":"-Infinity"})", "-Infinity"},
      {R"({"bytesValue":"AAE="})", "base64:AAE="},
      {R"({"arrayValue":{"values":[{"stringValue":"a"},{"intValue":1}]}})", R"(["a",1])"},
      {R"({"kvlistValue":{"values":[{"key":"b","value":{"boolValue":false}}]}})", R"({"b":false})"},
      {R"({})", ""},
      {R"({"laterValue":1})", ""},
  };
  for (const ValueCase& item : cases) {
    Reader reader;
    reader.read_text(
        "f", line_of(with(std::string(R"("attributes":[{"key":"k","value":)") + item.json + "}]")));
    ASSERT_EQ(reader.traces().spans.size(), 1u) << item.json;
    EXPECT_EQ(text_of(reader.traces().spans[0].attributes, "k"), item.text) << item.json;
    EXPECT_EQ(reader.report().problem_count, 0u) << item.json;
  }
}

// JavaScript and Go write doubles below 1e21 as their digits.
TEST(Reader, AnIntegerOfMoreThan64BitsIsADoubleAndChangesNoOther) {
  Reader reader;
  reader.read_text("f",
                   line_of(with(R"("attributes":[)"
                                R"({"key":"\"99999999999999999999","value":{"intValue":7}},)"
                                R"({"key":"max","value":{"intValue":9223372036854775807}},)"
                                R"({"key":"wide","value":{"doubleValue":1e20}},)"
                                R"({"key":"wider","value":{"doubleValue":100000000000000000000}})"
                                R"(])")));
  EXPECT_EQ(reader.report().problem_count, 0u);
  ASSERT_EQ(reader.traces().spans.size(), 1u);
  const std::vector<Attribute>& attributes = reader.traces().spans[0].attributes;
  EXPECT_EQ(text_of(attributes, "\"99999999999999999999"), "7");
  EXPECT_EQ(text_of(attributes, "max"), "9223372036854775807");
  EXPECT_EQ(text_of(attributes, "wide"), text_of(attributes, "wider"));
}

// Only where the value is one: as a time it is none.
TEST(Reader, AnIntegerOfMoreThan64BitsIsNoTime) {
  Reader reader;
  reader.read_text("f", line_of(R"({"traceId":"0af7651916cd43dd8448eb211c80319c",)"
                                R"("spanId":"b7ad6b7169203331","name":"a",)"
                                R"("startTimeUnixNano":99999999999999999999,)"
                                R"("endTimeUnixNano":1754000000000000001})"));
  ASSERT_EQ(reader.report().problem_count, 1u);
  EXPECT_NE(reader.report().problems[0].text.find("startTimeUnixNano"), std::string::npos)
      << reader.report().problems[0].text;
}

struct BadLine {
  const char* name;
  std::string line;
  const char* problem;
  std::size_t spans;  // that are kept
};

// Damage costs what is damaged, and the text says what it was.
TEST(Reader, NamesEachProblemAndKeepsTheRest) {
  const std::string good = kSpan;
  const BadLine cases[] = {
      {"not JSON", "{\"resourceSpans\":[}\n", "not JSON: parse error at line 1, column 19", 0},
      {"a number", "[7]\n", "not a JSON object", 0},
      {"another object", "{\"resourceLogs\":[]}\n", "no resourceSpans", 0},
      {"no array", "{\"resourceSpans\":3}\n", "resourceSpans: not an array", 0},
      {"no object", "{\"resourceSpans\":[3]}\n", "resourceSpans[0]: not an object", 0},
      {"no span", line_of("3," + good), "resourceSpans[0].scopeSpans[0].spans[0]: not an object",
       1},
      {"short id", line_of(good + R"(,{"traceId":"4bf9","spanId":"00f067aa0ba902b7"})"),
       "resourceSpans[0].scopeSpans[0].spans[1].traceId: not 32 hex digits", 1},
      {"zero id",
       line_of(R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"0000000000000000"})"),
       "spans[0].spanId: absent or all zeros", 0},
      {"bad parent", line_of(with(R"("parentSpanId":"xyz")")), "parentSpanId: not 16 hex digits",
       1},
      {"no time",
       line_of(R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"})"),
       "startTimeUnixNano: not a time", 0},
      {"bad number", line_of(with(R"("attributes":[{"key":"k","value":{"intValue":"1e3"}}])")),
       "attributes[0]: an intValue that is not a 64-bit integer", 1},
      {"no key", line_of(with(R"("attributes":[{"value":{"intValue":"1"}}])")),
       "attributes[0]: no key", 1},
      {"bad link", line_of(with(R"("links":[{"traceId":"4b","spanId":""}])")),
       "links[0].traceId: not 32 hex digits", 1},
      {"cut off", line_of(good).substr(0, 90), "ends in the middle", 0},
      {"bad UTF-8", line_of(with("\"m\":\"\xC3\x28\"")), "not JSON", 0},
      {"half a surrogate pair", line_of(with(R"("m":"\udc00")")), "not JSON", 0},
  };
  for (const BadLine& item : cases) {
    Reader reader;
    reader.read_text("f.jsonl", "\n" + item.line);
    ASSERT_EQ(reader.report().problems.size(), 1u) << item.name;
    const Problem& problem = reader.report().problems[0];
    EXPECT_EQ(problem.file, "f.jsonl") << item.name;
    EXPECT_EQ(problem.line, 2u) << item.name;
    EXPECT_NE(problem.text.find(item.problem), std::string::npos)
        << item.name << ": " << problem.text;
    EXPECT_EQ(reader.traces().spans.size(), item.spans) << item.name;
  }
}

// What other writers make of the same two spans.
TEST(Reader, ReadsTheShapesOfOtherWriters) {
  const std::string resources = line_of(kSpan).substr(std::string(R"({"resourceSpans":)").size());
  const std::string array = resources.substr(0, resources.size() - 2);  // without "}\n"
  std::string libraries = array;
  libraries.replace(libraries.find("scopeSpans"), 10, "instrumentationLibrarySpans");
  libraries.replace(libraries.find("\"scope\""), 7, "\"instrumentationLibrary\"");
  std::string deprecated = array;
  deprecated.replace(deprecated.find("scopeSpans"), 10, "deprecatedScopeSpans");
  std::string base64 = array;
  base64.replace(base64.find("4bf92f3577b34da6a3ce929d0e0e4736"), 32, "S/kvNXezTaajzpKdDg5HNg==");
  base64.replace(base64.find("00f067aa0ba902b7"), 16, "APBnqgupArc=");
  std::string url_base64 = base64;
  url_base64.replace(url_base64.find("S/kv"), 4, "S_kv");
  std::string upper = array;
  upper.replace(upper.find("4bf92f"), 6, "4BF92F");
  const std::pair<const char*, std::string> cases[] = {
      {"Jaeger", R"({"result":{"resourceSpans":)" + array + "}}"},
      {"Tempo", R"({"batches":)" + array + "}"},
      {"a list", R"([{"resourceSpans":)" + array + "}]"},
      {"an older name", R"({"resourceSpans":)" + libraries + "}"},
      {"another older name", R"({"resourceSpans":)" + deprecated + "}"},
      {"base64", R"({"resourceSpans":)" + base64 + "}"},
      {"base64 for URLs", R"({"resourceSpans":)" + url_base64 + "}"},
      {"upper case", R"({"resourceSpans":)" + upper + "}"},
  };
  for (const auto& [name, text] : cases) {
    Reader reader;
    reader.read_text("f", text);
    ASSERT_EQ(reader.report().problem_count, 0u) << name << reader.report().problems[0].text;
    ASSERT_EQ(reader.traces().spans.size(), 1u) << name;
    const Span& span = reader.traces().spans[0];
    EXPECT_EQ(span.trace.hex().str(), "4bf92f3577b34da6a3ce929d0e0e4736") << name;
    EXPECT_EQ(span.id.hex().str(), "00f067aa0ba902b7") << name;
    EXPECT_EQ(reader.traces().scopes[span.scope].name, "s") << name;
    EXPECT_EQ(reader.report().base64_ids, text.find("==") == std::string::npos ? 0u : 2u) << name;
  }
}

TEST(Reader, TellsTheKindsOfBadIdsApart) {
  struct Case {
    const char* trace;
    const char* span;
    ProblemKind kind;
  };
  const Case cases[] = {
      {"", "00f067aa0ba902b7", ProblemKind::zero_id},
      {"4bf92f3577b34da6a3ce929d0e0e4736", "0000000000000000", ProblemKind::zero_id},
      {"4bf92f3577b34da6a3ce92", "00f067aa0ba902b7", ProblemKind::bad_id},
      {"4bf92f3577b34da6a3ce929d0e0e473g", "00f067aa0ba902b7", ProblemKind::bad_id},
      {"4bf92f3577b34da6a3ce929d0e0e4736", "APBnqgupArc*", ProblemKind::bad_id},
      {"e1b7f6d9fdf9efbbb6df877a6b771edbdf7e9d1ed1ed1ee3", "00f067aa0ba902b7",
       ProblemKind::base64_as_hex},
      {"4bf92f3577b34da6a3ce929d0e0e4736", "d347f4ebb69ad06d1af74d9b", ProblemKind::base64_as_hex},
  };
  for (const Case& item : cases) {
    Reader reader;
    reader.read_text("f", line_of(std::string(R"({"startTimeUnixNano":"1","traceId":")") +
                                  item.trace + R"(","spanId":")" + item.span + R"("})"));
    EXPECT_TRUE(reader.traces().spans.empty()) << item.trace;
    ASSERT_EQ(reader.report().problems.size(), 1u) << item.trace;
    EXPECT_EQ(reader.report().problems[0].kind, item.kind) << reader.report().problems[0].text;
  }
}

TEST(Reader, NamesAServersError) {
  Reader reader;
  reader.read_text("f", R"({"error":{"httpCode":404,"message":"No traces found"}})");
  ASSERT_EQ(reader.report().problems.size(), 1u);
  EXPECT_EQ(reader.report().problems[0].kind, ProblemKind::error_answer);
  EXPECT_EQ(reader.report().problems[0].text,
            "an error in the place of traces: 404 No traces found");
}

TEST(Reader, ALineBehindABadOneIsRead) {
  Reader reader;
  reader.read_text("f", "nonsense\n" + line_of(kSpan));
  EXPECT_EQ(reader.report().problem_count, 1u);
  EXPECT_EQ(reader.report().lines, 2u);
  EXPECT_EQ(reader.traces().spans.size(), 1u);
}

TEST(Reader, KeepsABoundedNumberOfProblemsAndCountsAll) {
  std::string text;
  for (std::size_t i = 0; i < kProblemsKeptMax + 50; ++i) text += "x\n";
  Reader reader;
  reader.read_text("f", text);
  EXPECT_EQ(reader.report().problem_count, kProblemsKeptMax + 50);
  EXPECT_EQ(reader.report().problems.size(), kProblemsKeptMax);
}

TEST(Reader, MergesFilesAndKnowsAProcessAgain) {
  Reader reader;
  std::string other = kSpan;
  other.replace(other.find("02b7"), 4, "02b8");
  reader.read_text("a", line_of(kSpan, "front") + line_of(other, "front"));
  std::string third = kSpan;
  third.replace(third.find("02b7"), 4, "02b9");
  reader.read_text("b", line_of(third, "back"));
  EXPECT_EQ(reader.report().files, 2u);
  ASSERT_EQ(reader.traces().spans.size(), 3u);
  EXPECT_EQ(reader.traces().processes.size(), 2u);
  EXPECT_EQ(reader.traces().spans[0].process, reader.traces().spans[1].process);
  EXPECT_NE(reader.traces().spans[0].process, reader.traces().spans[2].process);
}

// A retried export writes a span twice.
TEST(Reader, DropsTheSameSpanAndCountsIt) {
  Reader reader;
  reader.read_text("a", line_of(kSpan));
  reader.read_text("b", line_of(kSpan));
  EXPECT_EQ(reader.traces().spans.size(), 1u);
  EXPECT_EQ(reader.report().duplicates, 1u);
}

TEST(Reader, StopsAtAValueThatIsNestedTooDeep) {
  std::string value = R"({"intValue":"1"})";
  for (std::size_t i = 0; i < 1'000; ++i) value = R"({"arrayValue":{"values":[)" + value + "]}}";
  Reader reader;
  reader.read_text("f", line_of(with(R"("attributes":[{"key":"k","value":)" + value + "}]")));
  EXPECT_EQ(reader.traces().spans.size(), 1u);
  ASSERT_EQ(reader.report().problem_count, 1u);
  EXPECT_NE(reader.report().problems[0].text.find("nested too deep"), std::string::npos);
}

TEST(Reader, ALineThatIsNestedBeyondTheParserIsLost) {
  Reader reader;
  reader.read_text("f",
                   std::string(20'000, '[') + std::string(20'000, ']') + '\n' + line_of(kSpan));
  EXPECT_EQ(reader.traces().spans.size(), 1u);
  ASSERT_EQ(reader.report().problem_count, 1u);
  EXPECT_NE(reader.report().problems[0].text.find("not read: "), std::string::npos);
}

// Some tools write their exports as one array.
TEST(Reader, ReadsAnArrayOfExports) {
  Reader reader;
  std::string first = line_of(kSpan);
  first.pop_back();
  std::string second = kSpan;
  second.replace(second.find("02b7"), 4, "02b8");
  second = line_of(second + ",4");
  second.pop_back();
  reader.read_text("f", "[" + first + ",3," + second + "]");
  EXPECT_EQ(reader.traces().spans.size(), 2u);
  ASSERT_EQ(reader.report().problem_count, 2u);
  EXPECT_EQ(reader.report().problems[0].text, "[1]: not a JSON object");
  EXPECT_EQ(reader.report().problems[1].text,
            "[2].resourceSpans[0].scopeSpans[0].spans[1]: not an object");
}

// Of this process: the same tests may run beside it, built in another way.
std::string own_path() {
  return ::testing::TempDir() + "spanwire_reader_" + std::to_string(::getpid()) + ".jsonl";
}

// Lines of every length around the reader's block, and one without an end.
TEST(Reader, ReadsLinesAcrossBlocks) {
  const std::string path = own_path();
  std::size_t spans = 0;
  {
    std::ofstream file(path);
    for (const std::size_t padding :
         {std::size_t{1}, std::size_t{1} << 19, (std::size_t{1} << 20) - 700, std::size_t{3} << 20,
          std::size_t{10}}) {
      std::string span = kSpan;
      span.replace(span.find("02b7"), 4, "020" + std::to_string(++spans));
      span.pop_back();
      span += R"(,"filler":")" + std::string(padding, 'x') + "\"}";
      file << line_of(span);
    }
    file << "{\"resourceSpans\":[";
  }
  Reader reader;
  ASSERT_TRUE(reader.read_file(path));
  std::remove(path.c_str());
  EXPECT_EQ(reader.traces().spans.size(), spans);
  ASSERT_EQ(reader.report().problem_count, 1u);
  EXPECT_EQ(reader.report().problems[0].line, 6u);
  EXPECT_NE(reader.report().problems[0].text.find("ends in the middle"), std::string::npos);
}

TEST(Reader, AClockThatSteppedBackMakesNoNegativeDuration) {
  Reader reader;
  std::string span = kSpan;
  span.replace(span.find("\"3000\""), 6, "\"500\"");
  reader.read_text("f", line_of(span));
  ASSERT_EQ(reader.traces().spans.size(), 1u);
  EXPECT_EQ(reader.traces().spans[0].end_ns, 1000);
  EXPECT_TRUE(reader.traces().spans[0].backwards);
}

TEST(Reader, ReadsAFileAndNamesOneThatIsNotThere) {
  const std::string path = own_path();
  std::ofstream(path) << line_of(kSpan);
  Reader reader;
  ASSERT_TRUE(reader.read_file(path));
  EXPECT_EQ(reader.traces().spans.size(), 1u);
  std::remove(path.c_str());
  const Result<void> missing = reader.read_file(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::file_open_failed);
  EXPECT_NE(missing.error().detail().find(path), std::string_view::npos);
}

}  // namespace
}  // namespace spanwire::inspect
