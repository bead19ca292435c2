#include "examples/serving/chat.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace serving {
namespace {

using nlohmann::json;
using spanwire::Errc;
using spanwire::Result;

constexpr std::size_t kMessagesMax = 256;
constexpr double kTemperatureMax = 2;

tl::unexpected<spanwire::Error> refuse(std::string reason) {
  return spanwire::fail(Errc::invalid_argument, std::move(reason));
}

// A member that stands there and is not null.
const json* member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && !found->is_null() ? &*found : nullptr;
}

Result<double> number_in(const json& body, const char* name, double fallback, double most) {
  const json* value = member(body, name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return refuse(std::string(name) + " is not a number");
  const double number = value->get<double>();
  if (number >= 0 && number <= most) return number;
  return refuse(std::string(name) + " is " + value->dump() + ", not from 0 to " +
                json(static_cast<int>(most)).dump());
}

Result<bool> flag_in(const json& body, const char* name) {
  const json* value = member(body, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return refuse(std::string(name) + " is not true or false");
  return value->get<bool>();
}

// "content" is a text or a list of parts, of which we read those of text.
Result<std::string> content_of(const json& message, const std::string& where) {
  const json* content = member(message, "content");
  if (content == nullptr) return refuse(where + ".content is missing");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) return refuse(where + ".content is neither a text nor a list of parts");
  std::string text;
  for (const json& part : *content) {
    const json* type = part.is_object() ? member(part, "type") : nullptr;
    const json* words = part.is_object() ? member(part, "text") : nullptr;
    if (type == nullptr || *type != "text" || words == nullptr || !words->is_string())
      return refuse(where + ".content has a part that is not text");
    text += words->get<std::string>();
  }
  return text;
}

Result<std::vector<ChatMessage>> messages_in(const json& body) {
  const json* list = member(body, "messages");
  if (list == nullptr) return refuse("messages is missing");
  if (!list->is_array() || list->empty()) return refuse("messages is not a list with messages");
  if (list->size() > kMessagesMax) return refuse("more than 256 messages");
  std::vector<ChatMessage> messages;
  for (const json& item : *list) {
    const std::string where = "messages[" + std::to_string(messages.size()) + "]";
    if (!item.is_object()) return refuse(where + " is not an object");
    const json* role = member(item, "role");
    if (role == nullptr || !role->is_string()) return refuse(where + ".role is missing");
    ChatMessage message;
    message.role = role->get<std::string>();
    if (message.role != "system" && message.role != "developer" && message.role != "user" &&
        message.role != "assistant") {
      return refuse(where + ".role is \"" + message.role +
                    "\", not system, developer, user or assistant");
    }
    SPANWIRE_TRY(message.content, content_of(item, where));
    messages.push_back(std::move(message));
  }
  return messages;
}

Result<std::size_t> tokens_max_in(const json& body) {
  const char* name =
      member(body, "max_completion_tokens") != nullptr ? "max_completion_tokens" : "max_tokens";
  const json* value = member(body, name);
  if (value == nullptr) return kTokensMaxDefault;
  if (!value->is_number_integer() || *value < 1 || *value > kTokensMaxLimit) {
    return refuse(std::string(name) + " is " + value->dump() + ", not a whole number from 1 to " +
                  std::to_string(kTokensMaxLimit));
  }
  return value->get<std::size_t>();
}

// What a client may ask for and this model cannot do: better refused than ignored.
Result<void> check_supported(const json& body) {
  if (const json* n = member(body, "n"); n != nullptr && *n != 1)
    return refuse("n is " + n->dump() + ": one answer at a time");
  for (const char* name : {"stop", "tools", "functions"}) {
    const json* value = member(body, name);
    if (value != nullptr && !value->empty()) return refuse(std::string(name) + " is not supported");
  }
  const json* model = member(body, "model");
  if (model == nullptr || !model->is_string()) return refuse("model is missing");
  if (*model != kModelName) {
    return refuse("there is no model " + model->dump() + ", only \"" + std::string(kModelName) +
                  "\"");
  }
  return {};
}

json body_of(const AnswerHead& head, const char* object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", kModelName}};
}

json usage_of(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

// A corpus that is not UTF-8 costs marks in the text, no answer.
std::string dump(const json& body) {
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string event(const json& body) { return "data: " + dump(body) + "\n\n"; }

std::string chunk_event(const AnswerHead& head, json delta, json finish_reason) {
  json body = body_of(head, "chat.completion.chunk");
  body["choices"] = json::array({{{"index", 0},
                                  {"delta", std::move(delta)},
                                  {"logprobs", nullptr},
                                  {"finish_reason", std::move(finish_reason)}}});
  return event(body);
}

json error_of(std::string_view message, std::string_view type) {
  return {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}};
}

Token turn_of(const std::string& role) {
  if (role == "user") return kUserTurn;
  return role == "assistant" ? kAssistantTurn : kSystemTurn;
}

}  // namespace

Result<ChatRequest> parse_chat(std::string_view text, std::uint64_t seed) {
  json body;
  try {
    body = json::parse(text);
  } catch (const json::exception& problem) {
    return refuse(std::string("the body is not JSON: ") + problem.what());
  }
  if (!body.is_object()) return refuse("the body is not a JSON object");
  SPANWIRE_TRY_VOID(check_supported(body));
  ChatRequest request;
  SPANWIRE_TRY(request.messages, messages_in(body));
  SPANWIRE_TRY(request.tokens_max, tokens_max_in(body));
  SPANWIRE_TRY(request.sampling.temperature,
               number_in(body, "temperature", request.sampling.temperature, kTemperatureMax));
  SPANWIRE_TRY(request.sampling.top_p, number_in(body, "top_p", 1, 1));
  SPANWIRE_TRY(request.stream, flag_in(body, "stream"));
  SPANWIRE_TRY(request.sampling.ignore_eos, flag_in(body, "ignore_eos"));
  request.sampling.seed = seed;
  if (const json* given = member(body, "seed")) {
    if (!given->is_number_integer()) return refuse("seed is not a whole number");
    request.sampling.seed = given->get<std::uint64_t>();
  }
  if (const json* options = member(body, "stream_options")) {
    if (!options->is_object()) return refuse("stream_options is not an object");
    SPANWIRE_TRY(request.include_usage, flag_in(*options, "include_usage"));
  }
  return request;
}

std::vector<Token> prompt_of(const Vocabulary& vocabulary, const ChatRequest& request) {
  std::vector<Token> prompt;
  for (const ChatMessage& message : request.messages) {
    prompt.push_back(turn_of(message.role));
    const std::vector<Token> words = vocabulary.encode(message.content);
    prompt.insert(prompt.end(), words.begin(), words.end());
  }
  prompt.push_back(kAssistantTurn);
  return prompt;
}

std::string completion_body(const AnswerHead& head, std::string_view text,
                            std::string_view finish_reason, const Usage& usage) {
  json body = body_of(head, "chat.completion");
  body["choices"] = json::array({{{"index", 0},
                                  {"message", {{"role", "assistant"}, {"content", text}}},
                                  {"logprobs", nullptr},
                                  {"finish_reason", finish_reason}}});
  body["usage"] = usage_of(usage);
  return dump(body);
}

std::string role_event(const AnswerHead& head) {
  return chunk_event(head, {{"role", "assistant"}, {"content", ""}}, nullptr);
}
std::string text_event(const AnswerHead& head, std::string_view text) {
  return chunk_event(head, {{"content", text}}, nullptr);
}
std::string finish_event(const AnswerHead& head, std::string_view finish_reason) {
  return chunk_event(head, json::object(), finish_reason);
}
std::string usage_event(const AnswerHead& head, const Usage& usage) {
  json body = body_of(head, "chat.completion.chunk");
  body["choices"] = json::array();
  body["usage"] = usage_of(usage);
  return event(body);
}
std::string error_event(std::string_view message, std::string_view type) {
  return event(error_of(message, type));
}

std::string error_body(std::string_view message, std::string_view type) {
  return dump(error_of(message, type));
}

std::string models_body(std::int64_t created) {
  const json model = {
      {"id", kModelName}, {"object", "model"}, {"created", created}, {"owned_by", "spanwire"}};
  return json({{"object", "list"}, {"data", json::array({model})}}).dump();
}

}  // namespace serving
