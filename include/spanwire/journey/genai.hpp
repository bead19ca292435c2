// Attributes of OpenTelemetry's conventions for generative AI, in one list for both of their
// vocabularies: the one that the engines write today, and the latest.
//
//   journey::set(span, journey::GenAi::prompt_tokens, 12);
//     legacy: gen_ai.usage.prompt_tokens        latest: gen_ai.usage.input_tokens
#pragma once

#include <cstdint>
#include <string_view>

#include "spanwire/base/errc.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/span.hpp"

namespace spanwire::journey {

class Request;

enum class Vocabulary : std::uint8_t { legacy, latest, both };

// What a value of OTEL_SEMCONV_STABILITY_OPT_IN, a list, asks for: "gen_ai_latest_experimental" the
// latest, "gen_ai_latest_experimental/dup" both, else legacy.
Vocabulary vocabulary_of(std::string_view opt_in) noexcept;

// What spans are written in: the variable's at first use, until it is set.  Safe from any thread.
Vocabulary vocabulary() noexcept;
void set_vocabulary(Vocabulary vocabulary) noexcept;

enum class GenAi : std::uint8_t {
  provider,
  operation,
  request_id,
  request_model,
  request_max_tokens,
  request_temperature,
  request_top_p,
  request_top_k,
  request_choices,
  request_seed,
  request_stream,
  response_id,
  response_model,
  finish_reasons,
  prompt_tokens,
  completion_tokens,
  cached_tokens,
  time_to_first_token,  // seconds, as all of these; engines have no other name for them yet
  time_end_to_end,
  time_in_queue,
  time_in_prefill,
  time_in_decode,
  time_in_inference,
  conversation_id,
  output_type,
  error_type,
  server_address,
  server_port,
  request_stop_sequences,
  request_frequency_penalty,
  request_presence_penalty,
  cache_write_tokens,   // of the prompt, that were not in the cache and are now
  reasoning_tokens,     // of the generated ones
  time_to_first_chunk,  // of a client; seconds
};
inline constexpr std::size_t kGenAiAttributes = 34;

// The key in one of the two vocabularies; the same where the name has not changed.
trace::Key key_of(GenAi attribute, bool latest) noexcept;

// Sets it under its key or keys.
void set(trace::Span& span, GenAi attribute, trace::AttributeValue value,
         Vocabulary words = vocabulary()) noexcept;
// The same on the span of a whole request: as Request::set_root().
Errc set(Request& request, GenAi attribute, const trace::AttributeValue& value,
         Vocabulary words = vocabulary());

}  // namespace spanwire::journey
