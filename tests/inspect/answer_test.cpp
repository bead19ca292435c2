#include "lib/inspect/answer.hpp"

#include <gtest/gtest.h>

namespace spanwire::inspect {
namespace {

std::string resource(const std::string& service, const std::string& trace, int spans) {
  std::string text = R"({"resource":{"attributes":[{"key":"host.name","value":{"stringValue":")" +
                     service + R"("}},{"key":"service.name","value":{"stringValue":")" + service +
                     R"("}}]},"scopeSpans":[{"scope":{},"spans":[)";
  for (int i = 0; i < spans; ++i) {
    text += (i == 0 ? "" : ",") + std::string(R"({"traceId":")") + trace +
            R"(","attributes":[{"key":"traceId","value":{"stringValue":"x"}}]})";
  }
  return text + "]}]}";
}

std::string result(const std::string& resources) {
  return R"({"result":{"resourceSpans":[)" + resources + "]}}";
}

TEST(Answer, CountsSpansTracesAndWhatIsForeign) {
  const std::string first = resource("a", "01", 2);
  const std::string second = resource("b", "01", 1);
  const std::string third = resource("b", "02", 3);
  const std::string text = result(first + "," + second + "," + third);
  const auto facts = scan_answer_text(text, "a");
  ASSERT_TRUE(facts) << facts.error().message();
  EXPECT_EQ(facts->spans, 6u);
  EXPECT_EQ(facts->traces.size(), 2u);
  EXPECT_EQ(facts->foreign, 1u) << "02 has no span of a";
  ASSERT_EQ(facts->resources.size(), 3u);
  const auto cut = [&](ByteRange range) {
    return text.substr(range.begin, range.end - range.begin);
  };
  EXPECT_EQ(cut(facts->resources[0]), first);
  EXPECT_EQ(cut(facts->resources[2]), third);
  EXPECT_EQ(cut(facts->result), text.substr(10, text.size() - 11));
  EXPECT_EQ(scan_answer_text(text, "")->foreign, 0u);
}

TEST(Answer, ReadsServicesAndErrors) {
  const auto services = scan_answer_text(R"({"services":["b","a"]})", "");
  ASSERT_TRUE(services);
  EXPECT_EQ(services->services, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(scan_answer_text(R"({"services":[]})", "")->has_services);
  EXPECT_TRUE(scan_answer_text("{}", "")->is_empty) << "of Jaeger 2.13, which has no service yet";
  EXPECT_FALSE(scan_answer_text(R"({"services":[]})", "")->is_empty);
  const auto error =
      scan_answer_text(R"({"error":{"httpCode":404,"message":"No traces found"}})", "");
  ASSERT_TRUE(error);
  EXPECT_TRUE(error->has_error);
  EXPECT_EQ(error->error_code, 404);
  EXPECT_EQ(error->error_message, "No traces found");
}

TEST(Answer, NamesWhatItDoesNotUnderstand) {
  const std::string deep(1'000, '[');
  const std::pair<std::string, const char*> cases[] = {
      {"", "an empty answer"},
      {" \n", "an empty answer"},
      {"<!doctype html>", "an HTML page"},
      {"404 page not found", "not JSON at byte"},
      {R"({"result":{"resourceSpans":[)", "not JSON at byte"},
      {result("") + "x", "not JSON"},
      {"[]", "neither result nor services nor error"},
      {R"({"data":[]})", "neither result"},
      {deep, "nested deeper than 128"},
  };
  for (const auto& [text, problem] : cases) {
    const auto facts = scan_answer_text(text, "a");
    ASSERT_FALSE(facts) << text;
    EXPECT_EQ(facts.error().code(), Errc::answer_not_understood) << text;
    EXPECT_NE(facts.error().detail().find(problem), std::string_view::npos)
        << text << ": " << facts.error().detail();
  }
}

// Every beginning of a good answer is one that was cut off, and nothing worse.
TEST(Answer, EveryBeginningIsCutOff) {
  const std::string text = result(resource("a", "01", 2));
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto facts = scan_answer_text(text.substr(0, n), "a");
    ASSERT_FALSE(facts) << n;
    EXPECT_EQ(facts.error().code(), Errc::answer_not_understood) << n;
  }
}

}  // namespace
}  // namespace spanwire::inspect
