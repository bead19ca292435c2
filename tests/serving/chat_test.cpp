#include "examples/serving/chat.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "examples/serving/router.hpp"

namespace serving {
namespace {

using nlohmann::json;

json good() {
  return {{"model", kModelName}, {"messages", {{{"role", "user"}, {"content", "Hello there"}}}}};
}

TEST(ParseChat, TakesWhatClientsSend) {
  json body = good();
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  body["max_completion_tokens"] = 7;
  body["temperature"] = 0;
  body["top_p"] = 0.5;
  body["seed"] = 42;
  body["ignore_eos"] = true;
  body["user"] = "somebody";
  body["stop"] = nullptr;
  const json parts = {{{"type", "text"}, {"text", "Be "}}, {{"type", "text"}, {"text", "brief."}}};
  const json system = {{"role", "system"}, {"content", parts}};
  body["messages"].insert(body["messages"].begin(), system);
  const auto chat = parse_chat(body.dump(), 1);
  ASSERT_TRUE(chat) << chat.error().message();
  EXPECT_TRUE(chat->stream);
  EXPECT_TRUE(chat->include_usage);
  EXPECT_EQ(chat->tokens_max, 7u);
  EXPECT_EQ(chat->sampling.temperature, 0);
  EXPECT_EQ(chat->sampling.top_p, 0.5);
  EXPECT_EQ(chat->sampling.seed, 42u);
  EXPECT_TRUE(chat->sampling.ignore_eos);
  ASSERT_EQ(chat->messages.size(), 2u);
  EXPECT_EQ(chat->messages[0].content, "Be brief.");
}

TEST(ParseChat, HasDefaults) {
  const auto chat = parse_chat(good().dump(), 99);
  ASSERT_TRUE(chat);
  EXPECT_FALSE(chat->stream);
  EXPECT_EQ(chat->tokens_max, kTokensMaxDefault);
  EXPECT_EQ(chat->sampling.seed, 99u);
}

struct BadChat {
  const char* name;
  std::string body;
  const char* reason;  // part of what the client reads
};

std::string with(const char* member, json value) {
  json body = good();
  body[member] = std::move(value);
  return body.dump();
}
std::string without(const char* member) {
  json body = good();
  body.erase(member);
  return body.dump();
}
std::string with_message(json message) { return with("messages", json::array({message})); }

class ParseChatRefuses : public testing::TestWithParam<BadChat> {};

TEST_P(ParseChatRefuses, AndSaysWhy) {
  const auto chat = parse_chat(GetParam().body, 1);
  ASSERT_FALSE(chat);
  EXPECT_EQ(chat.error().code(), spanwire::Errc::invalid_argument);
  EXPECT_NE(chat.error().detail().find(GetParam().reason), std::string_view::npos)
      << chat.error().detail();
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ParseChatRefuses,
    testing::Values(
        BadChat{"empty", "", "not JSON"}, BadChat{"cut", R"({"model": )", "not JSON"},
        BadChat{"not_utf8", "{\"model\": \"\xFF\"}", "not JSON"},
        BadChat{"list", "[]", "not a JSON object"}, BadChat{"no_model", without("model"), "model"},
        BadChat{"other_model", with("model", "gpt-4"), "no model \"gpt-4\""},
        BadChat{"no_messages", without("messages"), "messages is missing"},
        BadChat{"empty_messages", with("messages", json::array()), "messages"},
        BadChat{"text_messages", with("messages", "hello"), "messages"},
        BadChat{"message_text", with("messages", {"hello"}), "messages[0] is not an object"},
        BadChat{"no_role", with_message({{"content", "x"}}), "messages[0].role"},
        BadChat{"bad_role", with_message({{"role", "king"}, {"content", "x"}}), "\"king\""},
        BadChat{"no_content", with_message({{"role", "user"}}), "messages[0].content"},
        BadChat{"number_content", with_message({{"role", "user"}, {"content", 3}}), "content"},
        BadChat{"image", with_message({{"role", "user"}, {"content", {{{"type", "image_url"}}}}}),
                "not text"},
        BadChat{"zero_tokens", with("max_tokens", 0), "max_tokens is 0"},
        BadChat{"minus_tokens", with("max_tokens", -1), "max_tokens"},
        BadChat{"many_tokens", with("max_tokens", 100000), "max_tokens"},
        BadChat{"half_tokens", with("max_tokens", 1.5), "max_tokens"},
        BadChat{"text_tokens", with("max_completion_tokens", "7"), "max_completion_tokens"},
        BadChat{"hot", with("temperature", 2.5), "temperature is 2.5"},
        BadChat{"text_temperature", with("temperature", "hot"), "temperature is not a number"},
        BadChat{"top_p", with("top_p", -0.1), "top_p"},
        BadChat{"text_stream", with("stream", "yes"), "stream is not true or false"},
        BadChat{"stream_options", with("stream_options", true), "stream_options"},
        BadChat{"seed", with("seed", "x"), "seed"}, BadChat{"several", with("n", 2), "n is 2"},
        BadChat{"stop", with("stop", "\n"), "stop is not supported"},
        BadChat{"tools", with("tools", {{{"type", "function"}}}), "tools is not supported"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(PromptOf, MarksTurnsAndAsksForAnAnswer) {
  const std::vector<std::string> corpus = {"Hello there"};
  const Vocabulary vocabulary(corpus);
  const auto chat = parse_chat(good().dump(), 1);
  const std::vector<Token> prompt = prompt_of(vocabulary, *chat);
  EXPECT_EQ(prompt, (std::vector<Token>{kUserTurn, kFirstWord, kFirstWord + 1, kAssistantTurn}));
}

json data_of(const std::string& event) {
  EXPECT_TRUE(event.starts_with("data: "));
  EXPECT_TRUE(event.ends_with("\n\n"));
  return json::parse(event.substr(6));
}

TEST(ChatBodies, AreWhatClientsRead) {
  const AnswerHead head{"chatcmpl-1", 1'700'000'000};
  const json whole = json::parse(completion_body(head, "Hi \"you\"", "stop", {10, 4, 3}));
  EXPECT_EQ(whole["object"], "chat.completion");
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "Hi \"you\"");
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(whole["usage"]["total_tokens"], 13);
  EXPECT_EQ(data_of(role_event(head))["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(data_of(text_event(head, " a"))["choices"][0]["delta"]["content"], " a");
  EXPECT_EQ(data_of(finish_event(head, "length"))["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(data_of(usage_event(head, {10, 4, 3}))["usage"]["completion_tokens"], 3);
  EXPECT_EQ(json::parse(error_body("no\n", "server_error"))["error"]["message"], "no\n");
  EXPECT_EQ(json::parse(models_body(1))["data"][0]["id"], kModelName);
}

TEST(ChatBodies, SurviveTextThatIsNotUtf8) {
  EXPECT_EQ(data_of(text_event({"x", 1}, "a\xFF"))["choices"][0]["delta"]["content"],
            "a\xEF\xBF\xBD");
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    for (int i = 0; i < 3; ++i) router_.add_worker(8);
  }
  std::size_t pick(const std::vector<std::uint64_t>& hashes) { return router_.pick(hashes).worker; }
  // A request that has been answered.
  std::size_t serve(const std::vector<std::uint64_t>& hashes) {
    const std::size_t worker = pick(hashes);
    router_.finished(worker, hashes);
    return worker;
  }

  spanwire::ManualClock clock_;
  Router router_{clock_};
};

TEST_F(RouterTest, SpreadsWhatNobodyKnows) {
  EXPECT_EQ((std::set<std::size_t>{pick({}), pick({}), pick({})}.size()), 3u);
}

TEST_F(RouterTest, TakesTurnsWhenAllAreIdle) {
  EXPECT_EQ((std::set<std::size_t>{serve({1}), serve({2}), serve({3})}.size()), 3u);
}

TEST_F(RouterTest, PrefersTheLongestKnownPrefix) {
  const std::size_t one = serve({1, 2, 3});
  const std::size_t other = serve({7});
  ASSERT_NE(one, other);
  EXPECT_EQ(serve({1, 2, 3, 4}), one);
  EXPECT_EQ(serve({7, 8}), other);
  EXPECT_EQ(router_.pick(std::vector<std::uint64_t>{1, 2, 9}).matched_blocks, 2u);
}

TEST_F(RouterTest, ForgetsWhatDoesNotFitIntoAWorkersMemory) {
  serve({1, 2, 3, 4, 5, 6});
  const auto all = router_.pick(std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(all.matched_blocks, 6u);
  router_.finished(all.worker, std::vector<std::uint64_t>{11, 12, 13, 14, 15});
  EXPECT_EQ(router_.pick(std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}).matched_blocks, 3u)
      << "the beginning is forgotten last";
}

TEST_F(RouterTest, DoesNotFloodTheOneThatKnows) {
  serve({1});
  std::set<std::size_t> used;
  for (int i = 0; i < 40; ++i) used.insert(pick({1}));
  EXPECT_GT(used.size(), 1u);
}

TEST_F(RouterTest, LeavesAFailedWorkerAloneForASecond) {
  const std::size_t failed = pick({1});
  router_.failed(failed);
  for (int i = 0; i < 6; ++i) EXPECT_NE(serve({1}), failed);
  clock_.advance(std::chrono::seconds(2));
  std::set<std::size_t> used;
  for (std::uint64_t i = 0; i < 6; ++i) used.insert(serve({100 + i}));
  EXPECT_EQ(used.count(failed), 1u);
}

TEST_F(RouterTest, UsesFailedWorkersWhenThereAreNoOthers) {
  for (int i = 0; i < 3; ++i) router_.failed(pick({}));
  EXPECT_LT(pick({}), 3u);
}

}  // namespace
}  // namespace serving
