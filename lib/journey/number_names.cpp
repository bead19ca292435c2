#include "lib/journey/number_names.hpp"

#include <utility>

namespace spanwire::journey {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kS = 1'000 * kMs;

// From a cached prompt to a long answer; the engines' own bounds are among them.
constexpr std::uint64_t kRequestBounds[] = {
    1 * kMs,   5 * kMs,   10 * kMs,  20 * kMs, 40 * kMs, 60 * kMs, 80 * kMs, 100 * kMs, 200 * kMs,
    400 * kMs, 600 * kMs, 800 * kMs, 1 * kS,   2 * kS,   4 * kS,   6 * kS,   8 * kS,    10 * kS,
    20 * kS,   40 * kS,   60 * kS,   80 * kS,  100 * kS, 200 * kS, 400 * kS, 600 * kS,  1200 * kS};
constexpr std::uint64_t kTokenBounds[] = {
    1 * kMs,   2 * kMs,   4 * kMs,   6 * kMs,   8 * kMs,    10 * kMs,  15 * kMs,
    20 * kMs,  25 * kMs,  30 * kMs,  35 * kMs,  40 * kMs,   50 * kMs,  60 * kMs,
    75 * kMs,  80 * kMs,  100 * kMs, 150 * kMs, 200 * kMs,  300 * kMs, 400 * kMs,
    500 * kMs, 750 * kMs, 1 * kS,    2 * kS,    2500 * kMs, 4 * kS,    8 * kS};
constexpr std::uint64_t kRetractionBounds[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
                                               10, 15, 20, 25, 30, 40, 50, 75, 100};

constexpr const char* kFirstToken = "Time from arrival to the first token.";
constexpr const char* kInterToken = "Time between tokens.";
constexpr const char* kPerOutputToken =
    "Time of each token after the first, as the mean of a request.";
constexpr const char* kQueue = "Time in the queue before the first scheduling.";
constexpr const char* kPrefill = "Time from the first scheduling to the first token.";
constexpr const char* kDecode = "Time from the first to the last token.";
constexpr const char* kWhole = "Time from arrival to the end of the request.";
constexpr const char* kStage = "Time in a stage of a request.";
constexpr const char* kPromptTokens = "Tokens of prompts.";
constexpr const char* kGenerationTokens = "Tokens generated.";
constexpr const char* kCachedTokens = "Tokens of prompts whose state was known before.";
constexpr const char* kRetractions = "Requests whose memory was taken away while they ran.";
constexpr const char* kRequests = "Requests that ended.";

constexpr MetricUnit kTime = MetricUnit::nanoseconds;

// Each table in the order of its enum.

// As many routes as other families have.
constexpr std::size_t kStageSeriesMax = kSeriesPerFamilyMax * kStages;
constinit HistogramFamily sglang_stages{
    "sglang:per_stage_req_latency_seconds", kStage,         kRequestBounds, kTime,
    {"model_name", "route", "stage"},       kStageSeriesMax};
constinit HistogramFamily sglang_times[] = {
    {"sglang:time_to_first_token_seconds",
     kFirstToken,
     kRequestBounds,
     kTime,
     {"model_name", "route"}},
    {"sglang:inter_token_latency_seconds",
     kInterToken,
     kTokenBounds,
     kTime,
     {"model_name", "route"}},
    {"sglang:time_per_output_token_seconds",
     kPerOutputToken,
     kTokenBounds,
     kTime,
     {"model_name", "route"}},
    {"sglang:queue_time_seconds", kQueue, kRequestBounds, kTime, {"model_name", "route"}},
    {"sglang:e2e_request_latency_seconds", kWhole, kRequestBounds, kTime, {"model_name", "route"}},
};
constinit HistogramFamily sglang_retractions{"sglang:num_retractions",
                                             "Retractions of a request.",
                                             kRetractionBounds,
                                             MetricUnit::none,
                                             {"model_name", "route"}};
constinit CounterFamily sglang_amounts[] = {
    {"sglang:prompt_tokens_total", kPromptTokens, {"model_name", "route"}},
    {"sglang:generation_tokens_total", kGenerationTokens, {"model_name", "route"}},
    {"sglang:cached_tokens_total", kCachedTokens, {"model_name", "route"}},
    {"sglang:num_retracted_requests_total", kRetractions, {"model_name", "route"}},
};
constinit CounterFamily sglang_requests{
    "sglang:num_requests_total", kRequests, {"model_name", "route"}};

constinit HistogramFamily vllm_times[] = {
    {"vllm:time_to_first_token_seconds",
     kFirstToken,
     kRequestBounds,
     kTime,
     {"model_name", "route"}},
    {"vllm:inter_token_latency_seconds", kInterToken, kTokenBounds, kTime, {"model_name", "route"}},
    {"vllm:request_time_per_output_token_seconds",
     kPerOutputToken,
     kTokenBounds,
     kTime,
     {"model_name", "route"}},
    {"vllm:request_queue_time_seconds", kQueue, kRequestBounds, kTime, {"model_name", "route"}},
    {"vllm:request_prefill_time_seconds", kPrefill, kRequestBounds, kTime, {"model_name", "route"}},
    {"vllm:request_decode_time_seconds", kDecode, kRequestBounds, kTime, {"model_name", "route"}},
    {"vllm:e2e_request_latency_seconds", kWhole, kRequestBounds, kTime, {"model_name", "route"}},
};
constinit CounterFamily vllm_amounts[] = {
    {"vllm:prompt_tokens_total", kPromptTokens, {"model_name", "route"}},
    {"vllm:generation_tokens_total", kGenerationTokens, {"model_name", "route"}},
    {"vllm:prompt_tokens_cached_total", kCachedTokens, {"model_name", "route"}},
    {"vllm:num_preemptions_total", kRetractions, {"model_name", "route"}},
};
constinit CounterFamily vllm_requests{
    "vllm:request_success_total", kRequests, {"model_name", "route", "finished_reason"}};

// OpenTelemetry's, as Prometheus writes them; it has names for three.
constinit HistogramFamily genai_times[] = {
    {"gen_ai_server_time_to_first_token_seconds",
     kFirstToken,
     kRequestBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"spanwire_request_inter_token_seconds",
     kInterToken,
     kTokenBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"gen_ai_server_time_per_output_token_seconds",
     kPerOutputToken,
     kTokenBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"spanwire_request_queue_seconds",
     kQueue,
     kRequestBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"spanwire_request_prefill_seconds",
     kPrefill,
     kRequestBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"spanwire_request_decode_seconds",
     kDecode,
     kRequestBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
    {"gen_ai_server_request_duration_seconds",
     kWhole,
     kRequestBounds,
     kTime,
     {"gen_ai_request_model", "route"}},
};
constinit CounterFamily genai_amounts[] = {
    {"spanwire_request_prompt_tokens_total", kPromptTokens, {"gen_ai_request_model", "route"}},
    {"spanwire_request_generation_tokens_total",
     kGenerationTokens,
     {"gen_ai_request_model", "route"}},
    {"spanwire_request_cached_tokens_total", kCachedTokens, {"gen_ai_request_model", "route"}},
    {"spanwire_request_retractions_total", kRetractions, {"gen_ai_request_model", "route"}},
};
constinit CounterFamily genai_requests{
    "spanwire_requests_total",
    kRequests,
    {"gen_ai_request_model", "route", "gen_ai_response_finish_reason"}};

static_assert(std::size(vllm_times) == kIntervals && std::size(genai_times) == kIntervals);
static_assert(std::size(sglang_amounts) == kAmounts && std::size(vllm_amounts) == kAmounts &&
              std::size(genai_amounts) == kAmounts);

constexpr std::string_view kOutcomeNames[] = {"stop", "length", "abort", "error"};
static_assert(std::size(kOutcomeNames) == kOutcomes);

template <class Enum>
constexpr std::size_t at(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

BoundedHistogram& sglang_interval(Interval interval, std::string_view model,
                                  std::string_view route) {
  switch (interval) {
    case Interval::prefill:
      return sglang_stages.with({model, route, "prefill_forward"});
    case Interval::decode:
      return sglang_stages.with({model, route, "decode_forward"});
    case Interval::whole:
      return std::end(sglang_times)[-1].with({model, route});
    default:
      return sglang_times[at(interval)].with({model, route});
  }
}

}  // namespace

BoundedHistogram& interval_series(Profile profile, Interval interval, std::string_view model,
                                  std::string_view route) {
  if (profile == Profile::sglang) return sglang_interval(interval, model, route);
  HistogramFamily* const times = profile == Profile::vllm ? vllm_times : genai_times;
  return times[at(interval)].with({model, route});
}

NamedCounter& amount_series(Profile profile, Amount amount, std::string_view model,
                            std::string_view route) {
  CounterFamily* const amounts = profile == Profile::sglang ? sglang_amounts
                                 : profile == Profile::vllm ? vllm_amounts
                                                            : genai_amounts;
  return amounts[at(amount)].with({model, route});
}

NamedCounter& outcome_series(Profile profile, Outcome outcome, std::string_view model,
                             std::string_view route) {
  if (profile == Profile::sglang) return sglang_requests.with({model, route});
  CounterFamily& requests = profile == Profile::vllm ? vllm_requests : genai_requests;
  return requests.with({model, route, kOutcomeNames[at(outcome)]});
}

BoundedHistogram* stage_series(Profile profile, Stage stage, std::string_view model,
                               std::string_view route) {
  const bool interval = stage == Stage::prefill_forward || stage == Stage::decode_forward;
  if (profile != Profile::sglang || interval || !is_observed(stage)) return nullptr;
  return &sglang_stages.with({model, route, name(stage).view()});
}

BoundedHistogram* retractions_series(Profile profile, std::string_view model,
                                     std::string_view route) {
  return profile == Profile::sglang ? &sglang_retractions.with({model, route}) : nullptr;
}

}  // namespace spanwire::journey
