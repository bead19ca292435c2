#include "spanwire/journey/genai.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "spanwire/journey/request.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::journey {
namespace {

struct OptIn {
  const char* text;
  Vocabulary expected;
};
constexpr OptIn kOptIns[] = {
    {"", Vocabulary::legacy},
    {"http", Vocabulary::legacy},
    {"rpc/dup", Vocabulary::legacy},
    {"gen_ai_latest_experimental", Vocabulary::latest},
    {"http, gen_ai_latest_experimental ,rpc", Vocabulary::latest},
    {"gen_ai_latest_experimental/dup", Vocabulary::both},
    {"gen_ai_latest_experimental,gen_ai_latest_experimental/dup", Vocabulary::both},
    {"GEN_AI_LATEST_EXPERIMENTAL", Vocabulary::legacy},
    {",,", Vocabulary::legacy},
};

TEST(Vocabulary, IsWhatTheVariableAsksFor) {
  for (const OptIn& opt_in : kOptIns) {
    EXPECT_EQ(vocabulary_of(opt_in.text), opt_in.expected) << opt_in.text;
  }
}

struct Named {
  GenAi attribute;
  const char* legacy;
  const char* latest;
};
constexpr Named kNamed[] = {
    {GenAi::provider, "gen_ai.system", "gen_ai.provider.name"},
    {GenAi::operation, "gen_ai.operation.name", "gen_ai.operation.name"},
    {GenAi::request_id, "gen_ai.request.id", "gen_ai.request.id"},
    {GenAi::request_model, "gen_ai.request.model", "gen_ai.request.model"},
    {GenAi::request_max_tokens, "gen_ai.request.max_tokens", "gen_ai.request.max_tokens"},
    {GenAi::request_temperature, "gen_ai.request.temperature", "gen_ai.request.temperature"},
    {GenAi::request_top_p, "gen_ai.request.top_p", "gen_ai.request.top_p"},
    {GenAi::request_top_k, "gen_ai.request.top_k", "gen_ai.request.top_k"},
    {GenAi::request_choices, "gen_ai.request.n", "gen_ai.request.choice.count"},
    {GenAi::request_seed, "gen_ai.request.seed", "gen_ai.request.seed"},
    {GenAi::request_stream, "gen_ai.request.stream", "gen_ai.request.stream"},
    {GenAi::response_id, "gen_ai.response.id", "gen_ai.response.id"},
    {GenAi::response_model, "gen_ai.response.model", "gen_ai.response.model"},
    {GenAi::finish_reasons, "gen_ai.response.finish_reasons", "gen_ai.response.finish_reasons"},
    {GenAi::prompt_tokens, "gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"},
    {GenAi::completion_tokens, "gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"},
    {GenAi::cached_tokens, "gen_ai.usage.cached_tokens", "gen_ai.usage.cache_read.input_tokens"},
    {GenAi::time_to_first_token, "gen_ai.latency.time_to_first_token",
     "gen_ai.latency.time_to_first_token"},
    {GenAi::time_end_to_end, "gen_ai.latency.e2e", "gen_ai.latency.e2e"},
    {GenAi::time_in_queue, "gen_ai.latency.time_in_queue", "gen_ai.latency.time_in_queue"},
    {GenAi::time_in_prefill, "gen_ai.latency.time_in_model_prefill",
     "gen_ai.latency.time_in_model_prefill"},
    {GenAi::time_in_decode, "gen_ai.latency.time_in_model_decode",
     "gen_ai.latency.time_in_model_decode"},
    {GenAi::time_in_inference, "gen_ai.latency.time_in_model_inference",
     "gen_ai.latency.time_in_model_inference"},
    {GenAi::conversation_id, "gen_ai.conversation.id", "gen_ai.conversation.id"},
    {GenAi::output_type, "gen_ai.output.type", "gen_ai.output.type"},
    {GenAi::error_type, "error.type", "error.type"},
    {GenAi::server_address, "server.address", "server.address"},
    {GenAi::server_port, "server.port", "server.port"},
    {GenAi::request_stop_sequences, "gen_ai.request.stop_sequences",
     "gen_ai.request.stop_sequences"},
    {GenAi::request_frequency_penalty, "gen_ai.request.frequency_penalty",
     "gen_ai.request.frequency_penalty"},
    {GenAi::request_presence_penalty, "gen_ai.request.presence_penalty",
     "gen_ai.request.presence_penalty"},
    {GenAi::cache_write_tokens, "gen_ai.usage.cache_creation.input_tokens",
     "gen_ai.usage.cache_write.input_tokens"},
    {GenAi::reasoning_tokens, "gen_ai.usage.reasoning.output_tokens",
     "gen_ai.usage.reasoning.output_tokens"},
    {GenAi::time_to_first_chunk, "gen_ai.latency.time_to_first_token",
     "gen_ai.response.time_to_first_chunk"},
};

TEST(GenAi, HasTheNamesOfBothVocabularies) {
  EXPECT_EQ(std::size(kNamed), kGenAiAttributes);
  for (const Named& named : kNamed) {
    EXPECT_EQ(key_of(named.attribute, false).view(), named.legacy);
    EXPECT_EQ(key_of(named.attribute, true).view(), named.latest);
  }
}

using GenAiSpans = trace::ProviderTest;

TEST_F(GenAiSpans, AreWrittenInOneVocabularyOrInBoth) {
  start();
  for (const Vocabulary words : {Vocabulary::legacy, Vocabulary::latest, Vocabulary::both}) {
    trace::Span span = tracer().start({}, "request");
    for (const Named& named : kNamed) set(span, named.attribute, 7, words);
  }
  const std::vector<trace::SpanData> all = spans();
  ASSERT_EQ(all.size(), 3u);
  for (const Named& named : kNamed) {
    const bool renamed = std::string_view(named.legacy) != named.latest;
    EXPECT_NE(all[0].attribute(named.legacy), nullptr) << named.legacy;
    EXPECT_EQ(all[0].attribute(named.latest) != nullptr, !renamed) << named.latest;
    EXPECT_NE(all[1].attribute(named.latest), nullptr) << named.latest;
    // Its legacy name is that of time_to_first_token, which is here too.
    const bool shared = named.attribute == GenAi::time_to_first_chunk;
    EXPECT_EQ(all[1].attribute(named.legacy) != nullptr, !renamed || shared) << named.legacy;
    EXPECT_NE(all[2].attribute(named.latest), nullptr) << named.latest;
    EXPECT_NE(all[2].attribute(named.legacy), nullptr) << named.legacy;
  }
}

TEST_F(GenAiSpans, AreWrittenOnRequestsToo) {
  start();
  for (const Vocabulary words : {Vocabulary::legacy, Vocabulary::latest, Vocabulary::both}) {
    Request request = start_request({.rid = "r"});
    EXPECT_EQ(set(request, GenAi::prompt_tokens, 12, words), Errc::ok);
    EXPECT_EQ(set(request, GenAi::request_model, "m", words), Errc::ok);
    request.finish();
  }
  std::vector<trace::SpanData> roots;
  for (trace::SpanData& span : spans()) {
    if (span.parent_span_id.is_zero()) roots.push_back(std::move(span));
  }
  ASSERT_EQ(roots.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(roots[i].attribute("gen_ai.usage.prompt_tokens") != nullptr, i != 1);
    EXPECT_EQ(roots[i].attribute("gen_ai.usage.input_tokens") != nullptr, i != 0);
    EXPECT_EQ(std::count_if(roots[i].attributes.begin(), roots[i].attributes.end(),
                            [](const auto& pair) { return pair.first == "gen_ai.request.model"; }),
              1);
  }
}

TEST_F(GenAiSpans, FollowWhatIsSet) {
  start();
  const Vocabulary before = vocabulary();
  set_vocabulary(Vocabulary::latest);
  {
    trace::Span span = tracer().start({}, "request");
    set(span, GenAi::prompt_tokens, 12);
  }
  set_vocabulary(before);
  const trace::SpanData span = only_span();
  EXPECT_NE(span.attribute("gen_ai.usage.input_tokens"), nullptr);
  EXPECT_EQ(span.attribute("gen_ai.usage.prompt_tokens"), nullptr);
}

}  // namespace
}  // namespace spanwire::journey
