#include "spanwire/journey/propagate.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spanwire/journey/misuse.hpp"
#include "spanwire/trace/traceparent.hpp"

namespace spanwire::journey {
namespace {

using nlohmann::json;

json vectors(const char* kind) {
  std::ifstream file(std::string(SPANWIRE_SOURCE_DIR) +
                     "/proto-spec/vectors/journey/propagate.json");
  return json::parse(file).at(kind);
}

std::string text(const json& vector, const char* key) { return vector.at(key).get<std::string>(); }

std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

trace::SpanContext span_of(const json& traceparent) {
  return traceparent.is_null() ? trace::SpanContext()
                               : *trace::parse_traceparent(traceparent.get<std::string>());
}

void expect_same(const PropagateContext& context, const json& vector) {
  EXPECT_EQ(context.request.span(), span_of(vector.at("request")));
  EXPECT_EQ(context.previous, span_of(vector.at("previous")));
}

TEST(Propagate, AgreesWithTheVectorsBothWays) {
  for (const json& vector : vectors("good")) {
    SCOPED_TRACE(text(vector, "name"));
    const std::vector<std::byte> bytes = bytes_of_hex(text(vector, "bytes"));
    PropagateContext of_bytes;
    ASSERT_EQ(read_bytes(bytes, of_bytes), Errc::ok);
    expect_same(of_bytes, vector);
    PropagateContext of_text;
    ASSERT_EQ(read_text(text(vector, "text"), of_text), Errc::ok);
    expect_same(of_text, vector);
    EXPECT_EQ(to_text(of_bytes).view(), text(vector, "text"));
    EXPECT_LE(to_text(of_bytes).size, 64u);
    const PropagateBytes written = to_bytes(of_text);
    EXPECT_EQ(std::vector<std::byte>(written.units.begin(), written.units.begin() + written.size),
              bytes);
  }
}

TEST(Propagate, RefusesWithTheRightError) {
  for (const json& vector : vectors("bad")) {
    SCOPED_TRACE(text(vector, "name"));
    const std::string expected = text(vector, "error");
    const Errc kind = expected == "not_traced" ? Errc::not_traced : Errc::bad_propagate_context;
    const std::int64_t before = misuse_count(kind);
    int refused = 0;
    if (vector.contains("bytes")) {
      PropagateContext context;
      const std::vector<std::byte> bytes = bytes_of_hex(text(vector, "bytes"));
      EXPECT_EQ(name(read_bytes(bytes, context)), expected);
      EXPECT_FALSE(context) << "unchanged";
      ++refused;
    }
    if (vector.contains("text")) {
      PropagateContext context;
      EXPECT_EQ(name(read_text(text(vector, "text"), context)), expected);
      EXPECT_FALSE(context) << "unchanged";
      ++refused;
    }
    EXPECT_EQ(misuse_count(kind), before + refused);
  }
}

TEST(Propagate, AContextThatSaysNothingIsNotWritten) {
  EXPECT_EQ(to_bytes(PropagateContext()).size, 0u);
  EXPECT_EQ(to_text(PropagateContext()).size, 0u);
}

}  // namespace
}  // namespace spanwire::journey
