#include "spanwire/otlp/receiving.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "tests/otlp/whole_request.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
using protozero::pbf_writer;

// A message made by `fill`.
template <class Fill>
std::string message(Fill fill) {
  std::string bytes;
  pbf_writer writer(bytes);
  fill(writer);
  return bytes;
}

std::string bytes(std::initializer_list<int> values) {
  std::string made;
  for (const int value : values) made += static_cast<char>(value);
  return made;
}

std::string in_request(const std::string& span) {
  const std::string scope_spans = message([&](pbf_writer& to) { to.add_message(2, span); });
  const std::string resource_spans =
      message([&](pbf_writer& to) { to.add_message(2, scope_spans); });
  return message([&](pbf_writer& to) { to.add_message(1, resource_spans); });
}

std::string text_value(const std::string& text) {
  return message([&](pbf_writer& to) { to.add_string(1, text); });
}

std::string pair(const std::string& key, const std::string& value) {
  return message([&](pbf_writer& to) {
    to.add_string(1, key);
    to.add_message(2, value);
  });
}

Result<std::string> transcoded(const std::string& request) {
  Buffer out;
  SPANWIRE_TRY_VOID(protobuf_to_json(bytes_of(request), out));
  return std::string(text_of(out.view()));
}

json span_of(const std::string& span) {
  const Result<std::string> text = transcoded(in_request(span));
  if (!text) return text.error().message();
  return json::parse(*text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
}

json value_of(const std::string& value) {
  return span_of(message(
      [&](pbf_writer& to) { to.add_message(9, pair("k", value)); }))["attributes"][0]["value"];
}

// Each field of each message, once.
std::string everything() {
  const std::string attribute = pair("a", text_value("b"));
  const std::string event = message([&](pbf_writer& to) {
    to.add_fixed64(1, 5);
    to.add_string(2, "happened");
    to.add_message(3, attribute);
    to.add_uint32(4, 6);
  });
  const std::string link = message([&](pbf_writer& to) {
    to.add_bytes(1, std::string(16, '\x11'));
    to.add_bytes(2, std::string(8, '\x22'));
    to.add_string(3, "l=1");
    to.add_message(4, attribute);
    to.add_uint32(5, 7);
    to.add_fixed32(6, 0x301);
  });
  const std::string status = message([](pbf_writer& to) {
    to.add_string(2, "broke");
    to.add_int32(3, 2);
  });
  const std::string span = message([&](pbf_writer& to) {
    to.add_bytes(1, std::string(16, '\xab'));
    to.add_bytes(2, std::string(8, '\xcd'));
    to.add_string(3, "s=1");
    to.add_bytes(4, std::string(8, '\xef'));
    to.add_string(5, "name");
    to.add_int32(6, 2);
    to.add_fixed64(7, 1);
    to.add_fixed64(8, ~0ull);
    to.add_message(9, attribute);
    to.add_uint32(10, 1);
    to.add_message(11, event);
    to.add_uint32(12, 2);
    to.add_message(13, link);
    to.add_uint32(14, 3);
    to.add_message(15, status);
    to.add_fixed32(16, 0x103);
  });
  const std::string scope = message([&](pbf_writer& to) {
    to.add_string(1, "scope");
    to.add_string(2, "1.0");
    to.add_message(3, attribute);
    to.add_uint32(4, 8);
  });
  const std::string scope_spans = message([&](pbf_writer& to) {
    to.add_message(1, scope);
    to.add_message(2, span);
    to.add_string(3, "schema/s");
  });
  const std::string resource = message([&](pbf_writer& to) {
    to.add_message(1, attribute);
    to.add_uint32(2, 9);
  });
  const std::string resource_spans = message([&](pbf_writer& to) {
    to.add_message(1, resource);
    to.add_message(2, scope_spans);
    to.add_string(3, "schema/r");
  });
  return message([&](pbf_writer& to) { to.add_message(1, resource_spans); });
}

TEST(Receiving, WritesEveryFieldAsOtlpJsonHasIt) {
  constexpr std::string_view kAttributes =
      R"("attributes":[{"key":"a","value":{"stringValue":"b"}}])";
  const std::string attributes(kAttributes);
  const std::string expected = whole_request(attributes);
  Buffer out;
  out.append("before ");
  EXPECT_EQ(protobuf_to_json(bytes_of(everything()), out), std::size_t{1});
  EXPECT_EQ(text_of(out.view()), "before " + expected);
}

TEST(Receiving, AnEmptyRequestIsAnEmptyObject) { EXPECT_EQ(transcoded(""), "{}"); }

TEST(Receiving, AnyPrefixIsRefusedOrHasLess) {
  const std::string whole = everything();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    Buffer out;
    const Result<std::size_t> spans = protobuf_to_json(bytes_of(whole.substr(0, size)), out);
    ASSERT_FALSE(spans) << size;
    EXPECT_EQ(spans.error().code(), Errc::otlp_malformed);
    EXPECT_EQ(out.size(), 0u);
  }
}

TEST(Receiving, EachKindOfValue) {
  const auto made = [](auto fill) { return value_of(message(fill)); };
  EXPECT_EQ(made([](pbf_writer& to) { to.add_bool(2, true); }), json({{"boolValue", true}}));
  EXPECT_EQ(made([](pbf_writer& to) { to.add_bool(2, false); }), json({{"boolValue", false}}));
  EXPECT_EQ(made([](pbf_writer& to) { to.add_int64(3, INT64_MIN); }),
            json({{"intValue", "-9223372036854775808"}}));
  EXPECT_EQ(made([](pbf_writer& to) { to.add_double(4, 0.5); }), json({{"doubleValue", 0.5}}));
  EXPECT_EQ(made([](pbf_writer& to) { to.add_double(4, -HUGE_VAL); }),
            json({{"doubleValue", "-Infinity"}}));
  EXPECT_EQ(value_of(""), json::object());
  for (const auto& [raw, base64] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd", "//79"}}) {
    EXPECT_EQ(made([&](pbf_writer& to) { to.add_bytes(7, raw); }), json({{"bytesValue", base64}}));
  }
  const std::string array = message([](pbf_writer& to) {
    to.add_message(1, text_value("x"));
    to.add_message(1, std::string());
  });
  EXPECT_EQ(made([&](pbf_writer& to) { to.add_message(5, array); }),
            json::parse(R"({"arrayValue":{"values":[{"stringValue":"x"},{}]}})"));
  const std::string map =
      message([](pbf_writer& to) { to.add_message(1, pair("k", text_value("v"))); });
  EXPECT_EQ(made([&](pbf_writer& to) { to.add_message(6, map); }),
            json::parse(R"({"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}})"));
}

TEST(Receiving, TheLastOfAFieldCounts) {
  EXPECT_EQ(span_of(message([](pbf_writer& to) {
              to.add_string(5, "first");
              to.add_string(5, "second");
            }))["name"],
            "second");
  EXPECT_EQ(value_of(message([](pbf_writer& to) {
              to.add_string(1, "text");
              to.add_bool(2, true);
            })),
            json({{"boolValue", true}}));
}

TEST(Receiving, ListsMayBeInterruptedAndUnknownFieldsAreLeftOut) {
  const json span = span_of(message([](pbf_writer& to) {
    to.add_message(9, pair("a", text_value("1")));
    to.add_string(99, "of a later version");
    to.add_string(5, "name");
    to.add_message(9, pair("b", text_value("2")));
  }));
  EXPECT_EQ(span["attributes"].size(), 2u);
  EXPECT_EQ(span.size(), 2u);
}

TEST(Receiving, WhatIsNotUtf8IsRepaired) {
  EXPECT_EQ(span_of(message([](pbf_writer& to) { to.add_string(5, "a\xff\"z"); }))["name"],
            "a\xEF\xBF\xBD\"z");
}

struct Malformed {
  const char* name;
  std::string request;
  const char* said;
};

class ReceivingRefuses : public ::testing::TestWithParam<Malformed> {};

TEST_P(ReceivingRefuses, AndNamesThePlace) {
  const Result<std::string> text = transcoded(GetParam().request);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), Errc::otlp_malformed);
  EXPECT_EQ(text.error().detail(), GetParam().said);
}

// `value` in a list in a list ...
std::string nested(std::size_t depth) {
  std::string value = text_value("x");
  for (std::size_t i = 1; i < depth; ++i) {
    const std::string array = message([&](pbf_writer& to) { to.add_message(1, value); });
    value = message([&](pbf_writer& to) { to.add_message(5, array); });
  }
  return in_request(message([&](pbf_writer& to) { to.add_message(9, pair("k", value)); }));
}

constexpr const char* kSpan = "resourceSpans[0].scopeSpans[0].spans[0]";

INSTANTIATE_TEST_SUITE_P(
    Table, ReceivingRefuses,
    ::testing::Values(
        Malformed{"length_beyond_the_end", bytes({0x0A, 0x05, 0x01}), "resourceSpans[0]: cut off"},
        Malformed{"no_varint",
                  bytes({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}),
                  "varint too long exception"},
        Malformed{"tag_zero", bytes({0x00, 0x00}), "invalid tag exception"},
        Malformed{"group", bytes({0x0B}), "unknown pbf field type exception"},
        Malformed{"another_type", bytes({0x08, 0x01}),
                  "resourceSpans[0]: not the type of this field"},
        Malformed{"id_as_a_number", in_request(bytes({0x08, 0x01})),
                  "resourceSpans[0].scopeSpans[0].spans[0].traceId: not the type of this field"},
        Malformed{"time_cut_off", in_request(bytes({0x39, 0x01})),
                  "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: cut off"}),
    [](const auto& tested) { return tested.param.name; });

TEST(Receiving, ValuesAreNestedUpToALimit) {
  EXPECT_TRUE(transcoded(nested(kReceivedDepthMax)));
  const Result<std::string> deeper = transcoded(nested(kReceivedDepthMax + 1));
  ASSERT_FALSE(deeper);
  EXPECT_TRUE(deeper.error().detail().starts_with(kSpan)) << deeper.error().detail();
  EXPECT_TRUE(deeper.error().detail().ends_with(": nested too deep")) << deeper.error().detail();
}

TEST(Receiving, AnswersSayWhatWasNotTaken) {
  EXPECT_EQ(export_response_protobuf({}), "");
  EXPECT_EQ(export_response_json({}), "{}");
  EXPECT_EQ(export_response_protobuf({300, "no id"}),
            bytes({0x0A, 10, 0x08, 0xAC, 0x02, 0x12, 5}) + "no id");
  EXPECT_EQ(export_response_json({3, "no \"id\""}),
            R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"no \"id\""}})");
  EXPECT_EQ(rpc_status_protobuf(3, "bad"), bytes({0x08, 3, 0x12, 3}) + "bad");
  EXPECT_EQ(rpc_status_json(3, "b\nd"), R"({"code":3,"message":"b\nd"})");
}

}  // namespace
}  // namespace spanwire::otlp
