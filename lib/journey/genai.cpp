#include "spanwire/journey/genai.hpp"

#include <atomic>
#include <cstdlib>

#include "lib/base/ascii.hpp"
#include "spanwire/journey/request.hpp"

namespace spanwire::journey {
namespace {

using trace::Key;

struct Keys {
  Key legacy;
  Key latest;  // empty: the same
};

// In the order of GenAi.
constexpr Keys kKeys[] = {
    {"gen_ai.system", "gen_ai.provider.name"},
    {"gen_ai.operation.name", {}},
    {"gen_ai.request.id", {}},
    {"gen_ai.request.model", {}},
    {"gen_ai.request.max_tokens", {}},
    {"gen_ai.request.temperature", {}},
    {"gen_ai.request.top_p", {}},
    {"gen_ai.request.top_k", {}},
    {"gen_ai.request.n", "gen_ai.request.choice.count"},
    {"gen_ai.request.seed", {}},
    {"gen_ai.request.stream", {}},
    {"gen_ai.response.id", {}},
    {"gen_ai.response.model", {}},
    {"gen_ai.response.finish_reasons", {}},
    {"gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"},
    {"gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"},
    {"gen_ai.usage.cached_tokens", "gen_ai.usage.cache_read.input_tokens"},
    {"gen_ai.latency.time_to_first_token", {}},
    {"gen_ai.latency.e2e", {}},
    {"gen_ai.latency.time_in_queue", {}},
    {"gen_ai.latency.time_in_model_prefill", {}},
    {"gen_ai.latency.time_in_model_decode", {}},
    {"gen_ai.latency.time_in_model_inference", {}},
    {"gen_ai.conversation.id", {}},
    {"gen_ai.output.type", {}},
    {"error.type", {}},
    {"server.address", {}},
    {"server.port", {}},
    {"gen_ai.request.stop_sequences", {}},
    {"gen_ai.request.frequency_penalty", {}},
    {"gen_ai.request.presence_penalty", {}},
    {"gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"},
    {"gen_ai.usage.reasoning.output_tokens", {}},
    {"gen_ai.latency.time_to_first_token", "gen_ai.response.time_to_first_chunk"},
};
static_assert(std::size(kKeys) == kGenAiAttributes);
static_assert(static_cast<std::size_t>(GenAi::time_to_first_chunk) + 1 == kGenAiAttributes);

constexpr std::uint8_t kUnread = 0xFF;
constinit std::atomic<std::uint8_t> in_force{kUnread};

// Two threads that come first read the same.
Vocabulary read_environment() noexcept {
  const char* const text = std::getenv("OTEL_SEMCONV_STABILITY_OPT_IN");
  const Vocabulary words = vocabulary_of(text != nullptr ? text : "");
  std::uint8_t unread = kUnread;
  in_force.compare_exchange_strong(unread, static_cast<std::uint8_t>(words),
                                   std::memory_order_relaxed);
  return vocabulary();
}

}  // namespace

Vocabulary vocabulary_of(std::string_view opt_in) noexcept {
  Vocabulary words = Vocabulary::legacy;
  while (!opt_in.empty()) {
    const std::size_t end = std::min(opt_in.find(','), opt_in.size());
    const std::string_view part = trimmed(opt_in.substr(0, end));
    if (part == "gen_ai_latest_experimental/dup") return Vocabulary::both;
    if (part == "gen_ai_latest_experimental") words = Vocabulary::latest;
    opt_in.remove_prefix(std::min(end + 1, opt_in.size()));
  }
  return words;
}

Vocabulary vocabulary() noexcept {
  const std::uint8_t words = in_force.load(std::memory_order_relaxed);
  return words != kUnread ? static_cast<Vocabulary>(words) : read_environment();
}

void set_vocabulary(Vocabulary vocabulary) noexcept {
  in_force.store(static_cast<std::uint8_t>(vocabulary), std::memory_order_relaxed);
}

trace::Key key_of(GenAi attribute, bool latest) noexcept {
  const Keys& keys = kKeys[static_cast<std::size_t>(attribute)];
  return latest && !keys.latest.empty() ? keys.latest : keys.legacy;
}

void set(trace::Span& span, GenAi attribute, trace::AttributeValue value,
         Vocabulary words) noexcept {
  const Keys& keys = kKeys[static_cast<std::size_t>(attribute)];
  if (keys.latest.empty() || words != Vocabulary::latest) span.set(keys.legacy, value);
  if (!keys.latest.empty() && words != Vocabulary::legacy) span.set(keys.latest, value);
}

Errc set(Request& request, GenAi attribute, const trace::AttributeValue& value, Vocabulary words) {
  const trace::Attribute both[] = {{key_of(attribute, false), value},
                                   {key_of(attribute, true), value}};
  const bool same = both[0].key.view() == both[1].key.view();
  const std::size_t first = words == Vocabulary::latest ? 1 : 0;
  const std::size_t count = words == Vocabulary::both && !same ? 2 : 1;
  return request.set_root(Attributes(both).subspan(first, count));
}

}  // namespace spanwire::journey
