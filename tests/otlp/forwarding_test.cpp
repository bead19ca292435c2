// What a forwarder does with a request: JSON becomes protobuf, and one becomes several.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "lib/otlp/request_parts.hpp"
#include "spanwire/otlp/receiving.hpp"
#include "tests/otlp/whole_request.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
using protozero::pbf_writer;

Result<std::string> to_protobuf(std::string_view text) {
  Buffer out;
  SPANWIRE_TRY_VOID(json_to_protobuf(text, out));
  return std::string(text_of(out.view()));
}

std::string to_json(std::string_view request) {
  Buffer out;
  const Result<std::size_t> spans = protobuf_to_json(bytes_of(request), out);
  return spans ? std::string(text_of(out.view())) : spans.error().message();
}

std::string in_request(const std::string& span) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + span + "]}]}]}";
}

// A span with this member, there and back.
json there_and_back(const std::string& member) {
  const Result<std::string> request = to_protobuf(in_request("{" + member + "}"));
  if (!request) return request.error().message();
  return json::parse(to_json(*request))["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
}

TEST(JsonToProtobuf, EveryFieldComesBack) {
  const std::string values =
      R"({"key":"a","value":{"stringValue":"b\u00e9\n"}},{"key":"b","value":{"boolValue":false}},)"
      R"({"key":"c","value":{"intValue":"-9223372036854775808"}},)"
      R"({"key":"d","value":{"doubleValue":0.1}},{"key":"e","value":{"doubleValue":"NaN"}},)"
      R"({"key":"f","value":{"bytesValue":"AAH/"}},{"key":"g","value":{}},)"
      R"({"key":"h","value":{"arrayValue":{"values":[{},{"stringValue":""}]}}},)"
      R"({"key":"i","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}}]}}})";
  const std::string attributes = "\"attributes\":[" + values + "]";
  const std::string text = whole_request(attributes, ",{}");
  Buffer out;
  out.append("before ");
  EXPECT_EQ(json_to_protobuf(text, out), std::size_t{2});
  EXPECT_TRUE(text_of(out.view()).starts_with("before \x0a"));
  EXPECT_EQ(json::parse(to_json(text_of(out.view()).substr(7))), json::parse(text));
}

struct Spelling {
  const char* member;
  const char* expected;
};

// What proto3's JSON allows, and what exists in the wild.
TEST(JsonToProtobuf, OtherSpellings) {
  for (const Spelling& spelling : std::vector<Spelling>{
           {R"("start_time_unix_nano":7)", R"({"startTimeUnixNano":"7"})"},
           {R"("kind":"SPAN_KIND_CLIENT")", R"({"kind":3})"},
           {R"("kind":"3")", R"({"kind":3})"},
           {R"("status":{"code":"STATUS_CODE_ERROR"})", R"({"status":{"code":2}})"},
           {R"("droppedLinksCount":"4")", R"({"droppedLinksCount":4})"},
           {R"("spanId":"ABCDEF0123456789")", R"({"spanId":"abcdef0123456789"})"},
           {R"("spanId":"q83vASNFZ4k=")", R"({"spanId":"abcdef0123456789"})"},
           {R"("parentSpanId":"")", R"({"parentSpanId":""})"},
           {R"("name":null,"flags":1)", R"({"flags":1})"},
           {R"("ofLater":{"a":[1,{"b":[]}]},"name":"n")", R"({"name":"n"})"},
           {R"("attributes":[{"key":"k","value":{"intValue":5}}])",
            R"({"attributes":[{"key":"k","value":{"intValue":"5"}}]})"},
           {R"("attributes":[{"key":"k","value":{"doubleValue":"-Infinity"}}])",
            R"({"attributes":[{"key":"k","value":{"doubleValue":"-Infinity"}}]})"}}) {
    EXPECT_EQ(there_and_back(spelling.member), json::parse(spelling.expected)) << spelling.member;
  }
}

struct Malformed {
  std::string text;
  std::string said;
};

TEST(JsonToProtobuf, RefusesAndNamesThePlace) {
  std::string deep = R"({"stringValue":""})";
  for (std::size_t i = 0; i < kReceivedDepthMax; ++i) {
    deep = R"({"arrayValue":{"values":[)" + deep + "]}}";
  }
  for (const Malformed& malformed : std::vector<Malformed>{
           {"", "not JSON at byte 1"},
           {R"({"resourceSpans":[)", "resourceSpans[0]: not JSON at byte 19"},
           {"[]", "a list where an object is meant"},
           {R"({"resourceSpans":{}})", "resourceSpans: an object where another type is meant"},
           {R"({"resourceSpans":[[]]})", "resourceSpans[0]: a list where another type is meant"},
           {R"({"resourceSpans":[{},5]})",
            "resourceSpans[1]: a number where another type is meant"},
           {in_request(R"({"name":5})"),
            "resourceSpans[0].scopeSpans[0].spans[0].name: a number where another type is meant"},
           {in_request(R"({},{"startTimeUnixNano":"soon"})"),
            "resourceSpans[0].scopeSpans[0].spans[1].startTimeUnixNano: 'soon' where another type "
            "is meant"},
           {in_request(R"({"kind":4294967296})"),
            "resourceSpans[0].scopeSpans[0].spans[0].kind: a number beyond 32 bits where another "
            "type is meant"},
           {in_request(R"({"flags":1.5})"),
            "resourceSpans[0].scopeSpans[0].spans[0].flags: a number with a fraction where another "
            "type is meant"},
           {in_request("{\"name\":\"\xff\"}"),
            "resourceSpans[0].scopeSpans[0].spans[0].name: not JSON at byte 53"}}) {
    Buffer out;
    const Result<std::size_t> spans = json_to_protobuf(malformed.text, out);
    ASSERT_FALSE(spans) << malformed.text;
    EXPECT_EQ(spans.error().code(), Errc::otlp_malformed);
    EXPECT_EQ(spans.error().detail(), malformed.said) << malformed.text;
    EXPECT_EQ(out.size(), 0u);
  }
  Buffer out;
  const Result<std::size_t> spans =
      json_to_protobuf(in_request(R"({"attributes":[{"key":"k","value":)" + deep + "}]}"), out);
  ASSERT_FALSE(spans);
  EXPECT_TRUE(spans.error().detail().ends_with(": nested too deep")) << spans.error().detail();
}

std::string span_text(int number) {
  const std::string digits = std::to_string(10 + number);
  return R"({"traceId":"11111111111111111111111111111111","spanId":"aaaaaaaaaaaaaa)" + digits +
         R"(","name":"span )" + digits + "\"}";
}

// Spans 0 to 5, in two resources and three scopes.
const std::string& six_spans() {
  static const std::string request =
      to_protobuf(R"({"resourceSpans":[{"resource":{"droppedAttributesCount":1},"scopeSpans":[)"
                  R"({"scope":{"name":"s0"},"spans":[)" +
                  span_text(0) + "," + span_text(1) +
                  R"(],"schemaUrl":"u"},{"scope":{"name":"s1"},"spans":[)" + span_text(2) +
                  R"(]}],"schemaUrl":"v"},{"scopeSpans":[{"spans":[)" + span_text(3) + "," +
                  span_text(4) + "," + span_text(5) + "]},{\"spans\":[]}]}]}")
          .value_or(std::string());
  return request;
}

std::string part(RequestParts& parts, std::size_t first, std::size_t count) {
  Buffer out;
  parts.encode(first, count, out);
  return std::string(text_of(out.view()));
}

std::vector<std::string> names_in(const std::string& request) {
  std::vector<std::string> names;
  const json document = json::parse(to_json(request));
  for (const json& resource : document.value("resourceSpans", json::array())) {
    for (const json& scope : resource.value("scopeSpans", json::array())) {
      for (const json& span : scope.value("spans", json::array())) names.push_back(span["name"]);
    }
  }
  return names;
}

TEST(RequestParts, AllOfThemAreTheRequestAsItCame) {
  std::string request = six_spans();
  pbf_writer(request).add_string(99, "of a later version");
  Result<RequestParts> parts = RequestParts::read(bytes_of(request));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->size(), 6u);
  EXPECT_EQ(part(*parts, 0, 6), request);
}

TEST(RequestParts, EveryPartHasItsSpansAndNoOthers) {
  Result<RequestParts> parts = RequestParts::read(bytes_of(six_spans()));
  ASSERT_TRUE(parts);
  for (std::size_t first = 0; first < 6; ++first) {
    for (std::size_t count = 1; first + count <= 6; ++count) {
      std::vector<std::string> expected;
      for (std::size_t at = first; at < first + count; ++at) {
        expected.push_back("span " + std::to_string(10 + at));
      }
      EXPECT_EQ(names_in(part(*parts, first, count)), expected) << first << '+' << count;
    }
  }
}

TEST(RequestParts, APartKeepsWhatItsSpansHangOn) {
  Result<RequestParts> parts = RequestParts::read(bytes_of(six_spans()));
  ASSERT_TRUE(parts);
  EXPECT_EQ(to_json(part(*parts, 1, 1)),
            R"({"resourceSpans":[{"resource":{"droppedAttributesCount":1},"scopeSpans":[)"
            R"({"scope":{"name":"s0"},"spans":[)" +
                span_text(1) + R"(],"schemaUrl":"u"}],"schemaUrl":"v"}]})");
}

TEST(RequestParts, ASpanWithoutItsIdsIsLeftOut) {
  const std::string zero = "00000000000000000000000000000000";
  const std::string request =
      to_protobuf(in_request(R"({"name":"none"},{"traceId":")" + zero +
                             R"(","spanId":"1111111111111111","name":"zero"},)" + span_text(7)))
          .value_or(std::string());
  Result<RequestParts> parts = RequestParts::read(bytes_of(request));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->size(), 1u);
  EXPECT_EQ(names_in(part(*parts, 0, 1)), std::vector<std::string>{"span 17"});
}

TEST(RequestParts, EveryPrefixIsRefusedOrHasLess) {
  const std::string& whole = six_spans();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const Result<RequestParts> parts = RequestParts::read(bytes_of(whole.substr(0, size)));
    if (parts) {
      EXPECT_LT(parts->size(), 6u);
    } else {
      EXPECT_EQ(parts.error().code(), Errc::otlp_malformed);
    }
  }
}

}  // namespace
}  // namespace spanwire::otlp
