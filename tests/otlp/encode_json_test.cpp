#include "spanwire/otlp/encode_json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/otlp/json_writer.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
using trace::Context;
using trace::Span;
using trace::SpanContext;
using trace::SpanId;
using trace::SpanKind;
using trace::StatusCode;
using trace::TraceId;

// Encodes what it is given, keeps the text.
class TextExporter final : public trace::Exporter {
 public:
  explicit TextExporter(std::shared_ptr<std::string> text) : text_(std::move(text)) {}
  std::string_view name() const noexcept override { return "text"; }
  void start(const trace::Resource& resource) override { encoder_.emplace(resource); }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    Buffer out;
    encoder_->encode(spans, out);
    text_->append(text_of(out.view()));
    return {spans.size(), {}};
  }

 private:
  std::shared_ptr<std::string> text_;
  std::optional<JsonEncoder> encoder_;
};

class JsonEncoderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    trace::ProviderOptions options;
    options.resource.set("service.name", std::string("demo"))
        .set("answer", std::int64_t{42})
        .set("ratio", 0.5)
        .set("flag", true);
    options.exporters.push_back(std::make_unique<TextExporter>(text_));
    options.clock = &clock();
    trace::init(std::move(options));
  }
  void TearDown() override { trace::provider()->shutdown(std::chrono::seconds(30)); }

  static ManualClock& clock() {
    static ManualClock& instance = *new ManualClock;
    return instance;
  }
  Span start(const char* name, const Context& parent = {}, const trace::SpanOptions& options = {}) {
    return trace::tracer("t", "1").start(parent, std::string_view(name), options);
  }
  // All batches so far; the text must be JSON.
  json exported() {
    trace::provider()->force_flush(std::chrono::seconds(30));
    return json::parse(*text_);
  }
  json only_span() { return exported()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]; }

  std::shared_ptr<std::string> text_ = std::make_shared<std::string>();
};

json value_of(const json& attributes, std::string_view key) {
  for (const json& attribute : attributes) {
    if (attribute["key"] == key) return attribute["value"];
  }
  return nullptr;
}

TEST_F(JsonEncoderTest, ResourceAndScopeStandOnce) {
  start("a").end();
  start("b").end();
  trace::tracer("other").start({}, "c").end();
  const json all = exported();
  ASSERT_EQ(all["resourceSpans"].size(), 1u);
  const json& attributes = all["resourceSpans"][0]["resource"]["attributes"];
  EXPECT_EQ(value_of(attributes, "service.name"), json({{"stringValue", "demo"}}));
  EXPECT_EQ(value_of(attributes, "answer"), json({{"intValue", "42"}}));
  EXPECT_EQ(value_of(attributes, "ratio"), json({{"doubleValue", 0.5}}));
  EXPECT_EQ(value_of(attributes, "flag"), json({{"boolValue", true}}));
  const json& scopes = all["resourceSpans"][0]["scopeSpans"];
  ASSERT_EQ(scopes.size(), 2u);
  EXPECT_EQ(scopes[0]["scope"], json({{"name", "t"}, {"version", "1"}}));
  EXPECT_EQ(scopes[0]["spans"].size(), 2u);
  EXPECT_EQ(scopes[1]["scope"], json({{"name", "other"}}));
  EXPECT_EQ(scopes[1]["spans"].size(), 1u);
}

// The whole of a span, with nothing at its default: names, hex, numbers and strings.
TEST_F(JsonEncoderTest, WritesEveryField) {
  Random random(1);
  const SpanContext above(TraceId::generate(random), SpanId::generate(random), 1, true);
  const SpanContext linked(TraceId::generate(random), SpanId::generate(random), 3, false);
  const trace::Link link{linked, "v=1", {}};
  trace::SpanOptions options;
  options.kind = SpanKind::server;
  options.links = {&link, 1};
  const Context parent = Context().with_span(above, "vendor=x");
  Span span = start("name", parent, options);
  span.set("key", "value").add_event("event", {{"n", 1}});
  span.set_status(StatusCode::error, "it broke");
  clock().advance(std::chrono::nanoseconds(5));
  const SpanContext context = span.context();
  span.end();
  const std::uint64_t now = static_cast<std::uint64_t>(clock().wall().time_since_epoch().count());
  const json expected = {{"traceId", above.trace_id().hex().str()},
                         {"spanId", context.span_id().hex().str()},
                         {"traceState", "vendor=x"},
                         {"parentSpanId", above.span_id().hex().str()},
                         {"flags", 0x301},
                         {"name", "name"},
                         {"kind", 2},
                         {"startTimeUnixNano", std::to_string(now - 5)},
                         {"endTimeUnixNano", std::to_string(now)},
                         {"attributes", {{{"key", "key"}, {"value", {{"stringValue", "value"}}}}}},
                         {"events",
                          {{{"timeUnixNano", std::to_string(now - 5)},
                            {"name", "event"},
                            {"attributes", {{{"key", "n"}, {"value", {{"intValue", "1"}}}}}}}}},
                         {"links",
                          {{{"traceId", linked.trace_id().hex().str()},
                            {"spanId", linked.span_id().hex().str()},
                            {"flags", 0x103},
                            {"traceState", "v=1"}}}},
                         {"status", {{"code", 2}, {"message", "it broke"}}}};
  EXPECT_EQ(only_span(), expected);
}

TEST_F(JsonEncoderTest, LeavesDefaultsOut) {
  Span span = start("root");
  span.end();
  const json written = only_span();
  for (const char* absent : {"parentSpanId", "traceState", "attributes", "events", "links",
                             "status", "droppedAttributesCount"}) {
    EXPECT_FALSE(written.contains(absent)) << absent;
  }
  EXPECT_EQ(written["flags"], 0x103);
}

TEST_F(JsonEncoderTest, WritesEveryTypeOfValue) {
  const std::vector<std::string> texts = {"a", "", "c\"d"};
  const bool flags[] = {true, false};
  const std::vector<std::int64_t> integers = {1, -2};
  const std::vector<double> reals = {0.5, std::nan("")};
  Span span = start("values");
  span.set("text", "x").set("yes", true).set("no", false);
  span.set("least", std::numeric_limits<std::int64_t>::min()).set("real", 1e300);
  span.set("infinite", -std::numeric_limits<double>::infinity());
  span.set("texts", texts).set("flags", flags).set("integers", integers).set("reals", reals);
  span.set("none", std::vector<double>());
  span.end();
  const json attributes = only_span()["attributes"];
  EXPECT_EQ(value_of(attributes, "text"), json({{"stringValue", "x"}}));
  EXPECT_EQ(value_of(attributes, "yes"), json({{"boolValue", true}}));
  EXPECT_EQ(value_of(attributes, "no"), json({{"boolValue", false}}));
  EXPECT_EQ(value_of(attributes, "least"), json({{"intValue", "-9223372036854775808"}}));
  EXPECT_EQ(value_of(attributes, "real"), json({{"doubleValue", 1e300}}));
  EXPECT_EQ(value_of(attributes, "infinite"), json({{"doubleValue", "-Infinity"}}));
  EXPECT_EQ(value_of(attributes, "texts")["arrayValue"]["values"],
            json({{{"stringValue", "a"}}, {{"stringValue", ""}}, {{"stringValue", "c\"d"}}}));
  EXPECT_EQ(value_of(attributes, "flags")["arrayValue"]["values"],
            json({{{"boolValue", true}}, {{"boolValue", false}}}));
  EXPECT_EQ(value_of(attributes, "integers")["arrayValue"]["values"],
            json({{{"intValue", "1"}}, {{"intValue", "-2"}}}));
  EXPECT_EQ(value_of(attributes, "reals")["arrayValue"]["values"],
            json({{{"doubleValue", 0.5}}, {{"doubleValue", "NaN"}}}));
  EXPECT_EQ(value_of(attributes, "none")["arrayValue"]["values"], json::array());
}

struct Escaped {
  const char* name;
  std::string text;
  std::string read_back;
};

class JsonWriterText : public ::testing::TestWithParam<Escaped> {};

TEST_P(JsonWriterText, IsReadBack) {
  // Before and behind texts of every length, so that each position in a word of eight is met.
  for (std::size_t around = 0; around < 10; ++around) {
    const std::string padding(around, 'x');
    Buffer out;
    JsonWriter writer(out);
    writer.string(padding + GetParam().text + padding);
    writer.finish();
    EXPECT_EQ(json::parse(text_of(out.view())).get<std::string>(),
              padding + GetParam().read_back + padding);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Texts, JsonWriterText,
    ::testing::Values(
        Escaped{"Empty", "", ""}, Escaped{"Plain", "llm/decode/generate", "llm/decode/generate"},
        Escaped{"Quote", "a\"b", "a\"b"}, Escaped{"Backslash", "\\", "\\"},
        Escaped{"Controls", std::string("\0\x01\n\r\t\x1f", 6), std::string("\0\x01\n\r\t\x1f", 6)},
        Escaped{"Delete", "\x7f", "\x7f"}, Escaped{"TwoBytes", "\xC3\xA9", "\xC3\xA9"},
        Escaped{"ThreeBytes", "\xE2\x82\xAC", "\xE2\x82\xAC"},
        Escaped{"FourBytes", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        Escaped{"LoneContinuation", "\x80", "\xEF\xBF\xBD"},
        Escaped{"Overlong", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        Escaped{"Surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        Escaped{"TooLarge", "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        Escaped{"CutShort", "\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        Escaped{"Long", std::string(100'000, 'z') + "\n", std::string(100'000, 'z') + "\n"},
        Escaped{"AllEscaped", std::string(20'000, '\x02'), std::string(20'000, '\x02')}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

// Any bytes at all give valid JSON.
TEST(JsonWriter, RandomBytesAreValidJson) {
  constexpr std::uint64_t kSeed = 20260801;
  Random random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random.below(64), '\0');
    for (char& c : text) c = static_cast<char>(random.below(256));
    Buffer out;
    JsonWriter writer(out);
    writer.string(text);
    writer.finish();
    EXPECT_TRUE(json::accept(text_of(out.view()))) << "seed " << kSeed << " round " << round;
  }
}

TEST(JsonEncoder, AnEmptyBatchIsNothing) {
  JsonEncoder encoder{trace::Resource()};
  Buffer out;
  encoder.encode({}, out);
  EXPECT_EQ(out.size(), 0u);
}

}  // namespace
}  // namespace spanwire::otlp
