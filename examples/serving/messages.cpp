#include "examples/serving/messages.hpp"

#include <nlohmann/json.hpp>

namespace serving {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sampling, temperature, top_p, seed, ignore_eos)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GenerateRequest, id, model, tokens, tokens_max, sampling,
                                   expects_state, send_state_to)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PrefillAnswer, cached_tokens, state_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GenerateAnswer, finish_reason, cached_tokens, output_tokens,
                                   steps, preemptions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TextBatch, tokens, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PromptState, id, opening, bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(WorkerInfo, role, instance, model, blocks, blocks_in_use,
                                   waiting, running, steps, finished, cancelled, preempted)

// By hand: most messages have neither of the other two.
void to_json(json& body, const TokenBatch& batch) {
  body = {{"tokens", batch.tokens}};
  if (!batch.journey.empty()) body["journey"] = batch.journey;
  if (batch.end) body["end"] = *batch.end;
}
void from_json(const json& body, TokenBatch& batch) {
  body.at("tokens").get_to(batch.tokens);
  batch.journey = body.value("journey", std::string());
  if (const auto end = body.find("end"); end != body.end()) batch.end = end->get<GenerateAnswer>();
}

namespace {

template <class T>
spanwire::Result<spanwire::Slice> encode_json(const T& message) {
  return spanwire::Slice::of(json(message).dump());
}

template <class T>
spanwire::Result<T> decode_json(std::string_view text) {
  try {
    return json::parse(text).get<T>();
  } catch (const json::exception& problem) {
    return spanwire::fail(spanwire::Errc::invalid_argument, problem.what());
  }
}

}  // namespace
}  // namespace serving

namespace spanwire::rpc {

#define SERVING_CODEC(Type)                                                  \
  Result<Slice> Codec<serving::Type>::encode(const serving::Type& message) { \
    return serving::encode_json(message);                                    \
  }                                                                          \
  Result<serving::Type> Codec<serving::Type>::decode(ByteView payload) {     \
    return serving::decode_json<serving::Type>(text_of(payload));            \
  }
SERVING_CODEC(GenerateRequest)
SERVING_CODEC(PrefillAnswer)
SERVING_CODEC(TokenBatch)
SERVING_CODEC(TextBatch)
SERVING_CODEC(GenerateAnswer)
SERVING_CODEC(WorkerInfo)
#undef SERVING_CODEC

Result<Slice> Codec<serving::PromptState>::encode(const serving::PromptState& message) {
  std::string payload = nlohmann::json(message).dump();
  payload += '\n';
  payload.append(message.bytes, '\0');
  return Slice::of(std::move(payload));
}

Result<serving::PromptState> Codec<serving::PromptState>::decode(ByteView payload) {
  const std::string_view text = text_of(payload);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return fail(Errc::invalid_argument, "no line of JSON");
  Result<serving::PromptState> state =
      serving::decode_json<serving::PromptState>(text.substr(0, line));
  if (state && state->bytes != text.size() - line - 1)
    return fail(Errc::length_mismatch, "the state has another size than it says");
  return state;
}

}  // namespace spanwire::rpc
