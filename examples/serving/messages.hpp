// Messages: what frontend, workers and their detokenizers tell each other, as JSON, and the paths
// they call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/serving/engine.hpp"
#include "examples/serving/language_model.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/rpc/typed.hpp"

namespace serving {

inline constexpr char kPrefillPath[] = "llm/prefill/generate";
inline constexpr char kReceiveStatePath[] = "llm/decode/receive_state";
inline constexpr char kGeneratePath[] = "llm/decode/generate";
inline constexpr char kDetokenizePath[] = "llm/detokenize";
inline constexpr char kInfoPath[] = "llm/worker/info";
// Replies the worker's metrics as text, for what the payload says as HTTP's Accept would.
inline constexpr char kMetricsPath[] = "llm/worker/metrics";

// Bytes of state that one token has on its way between workers.
inline constexpr std::size_t kStateBytesPerToken = 512;

// To kGeneratePath, which streams TextBatch and replies GenerateAnswer; to kPrefillPath, which
// replies PrefillAnswer.
struct GenerateRequest {
  std::string id;
  std::uint64_t model = 0;  // LanguageModel::fingerprint(): tokens of another model mean nothing
  std::vector<Token> tokens;
  std::size_t tokens_max = 0;
  Sampling sampling;
  bool expects_state = false;  // kGeneratePath: the prompt's state comes to kReceiveStatePath
  std::string send_state_to;   // kPrefillPath: the worker that waits for it
};

struct PrefillAnswer {
  std::size_t cached_tokens = 0;
  std::size_t state_bytes = 0;
};

struct GenerateAnswer {
  std::string finish_reason;  // "stop", "length"
  std::size_t cached_tokens = 0;
  std::size_t output_tokens = 0;
  std::uint64_t steps = 0;
  std::uint32_t preemptions = 0;
};

// To kDetokenizePath, a stream in both directions for each request: the scheduler's tokens come
// back as TextBatch, and the reply is what the last message has as `end`.
struct TokenBatch {
  std::vector<Token> tokens;
  std::string journey;  // in the first one: the request, handed over with kPropagateHeader's text
  std::optional<GenerateAnswer> end;
};

struct TextBatch {
  std::vector<Token> tokens;
  std::string text;
};

// The state of a prompt, as it travels: a line of JSON, then the bytes.
struct PromptState {
  std::string id;
  std::vector<Token> opening;
  std::size_t bytes = 0;  // kStateBytesPerToken for each token that was computed
};

// The reply of kInfoPath.
struct WorkerInfo {
  std::string role;
  std::string instance;
  std::uint64_t model = 0;
  std::size_t blocks = 0;
  std::uint64_t blocks_in_use = 0;
  std::uint64_t waiting = 0;
  std::uint64_t running = 0;
  std::uint64_t steps = 0;
  std::uint64_t finished = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t preempted = 0;
};

}  // namespace serving

// All decode() fail with invalid_argument and the parser's words.
#define SERVING_CODEC(Type)                                    \
  template <>                                                  \
  struct spanwire::rpc::Codec<serving::Type> {                 \
    static Result<Slice> encode(const serving::Type& message); \
    static Result<serving::Type> decode(ByteView payload);     \
  }
SERVING_CODEC(GenerateRequest);
SERVING_CODEC(PrefillAnswer);
SERVING_CODEC(TokenBatch);
SERVING_CODEC(TextBatch);
SERVING_CODEC(GenerateAnswer);
SERVING_CODEC(PromptState);
SERVING_CODEC(WorkerInfo);
#undef SERVING_CODEC
