// Chat: the HTTP bodies of OpenAI's chat completions, in and out.  Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "examples/serving/language_model.hpp"
#include "spanwire/base/result.hpp"

namespace serving {

inline constexpr std::string_view kModelName = "spanwire-ngram";
inline constexpr std::size_t kTokensMaxDefault = 64;
inline constexpr std::size_t kTokensMaxLimit = 4096;

struct ChatMessage {
  std::string role;  // "system", "developer", "user", "assistant"
  std::string content;
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  std::size_t tokens_max = kTokensMaxDefault;
  Sampling sampling;
  bool stream = false;
  bool include_usage = false;  // stream_options.include_usage
};

// Fails with invalid_argument: for people, what is wrong and where.  Members that it does not know
// are ignored; those that it knows and cannot honour (n, stop, tools) are refused.  Without a seed
// in the body, `seed` is taken.
spanwire::Result<ChatRequest> parse_chat(std::string_view body, std::uint64_t seed);

// The turns as the model reads them, with the answer's to follow.
std::vector<Token> prompt_of(const Vocabulary& vocabulary, const ChatRequest& request);

// What all bodies of one answer say.
struct AnswerHead {
  std::string id;
  std::int64_t created = 0;  // seconds since 1970
};

struct Usage {
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;
  std::size_t completion_tokens = 0;
};

// The body of a whole answer.
std::string completion_body(const AnswerHead& head, std::string_view text,
                            std::string_view finish_reason, const Usage& usage);

// The events of a streamed one, each "data: {...}\n\n".
std::string role_event(const AnswerHead& head);
std::string text_event(const AnswerHead& head, std::string_view text);
std::string finish_event(const AnswerHead& head, std::string_view finish_reason);
std::string usage_event(const AnswerHead& head, const Usage& usage);
std::string error_event(std::string_view message, std::string_view type);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// {"error": {...}} as OpenAI's clients read it.
std::string error_body(std::string_view message, std::string_view type);
// GET /v1/models.
std::string models_body(std::int64_t created);

}  // namespace serving
