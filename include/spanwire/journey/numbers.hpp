// Numbers of requests, from the stamps that tracing takes anyway: how long they wait and compute,
// how many tokens they have.  Histograms carry the ids of the latest sampled span of each bucket,
// so that a slow bucket leads to a trace.
//
//   const journey::RouteNumbers chat = journey::route_numbers("/v1/chat/completions",
//                                                             {.model = "llama"});   // once
//   journey::RequestNumbers numbers(chat, span.context(), arrived);
//   numbers.queued(at);  numbers.scheduled(at);  numbers.tokens(1, at);  ...
//   numbers.finished(journey::Outcome::stop, at, {.prompt = 12, .generated = 40});
//
// Named as SGLang, vLLM or OpenTelemetry's GenAI conventions do it; names and help:
// docs/metrics.md. Read them with metrics_snapshot(), or as text with metrics_text()
// (base/metrics_text.hpp).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/metrics.hpp"
#include "spanwire/journey/stage.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::journey {

// Whose names.  A number that a profile has no name for has one of ours, "spanwire_request_...".
enum class Profile : std::uint8_t { sglang, vllm, genai };
// "sglang", "vllm", "genai"; nothing for another text.
std::optional<Profile> profile_named(std::string_view name) noexcept;

enum class Interval : std::uint8_t {
  first_token,       // arrival to first token
  inter_token,       // token to token
  per_output_token,  // of a whole request: first to last token, by the tokens after the first
  queue,             // queued to first scheduled
  prefill,           // first scheduled to first token
  decode,            // first to last token
  whole,             // arrival to end
};
inline constexpr std::size_t kIntervals = 7;

enum class Amount : std::uint8_t { prompt_tokens, generation_tokens, cached_tokens, retractions };
inline constexpr std::size_t kAmounts = 4;

enum class Outcome : std::uint8_t { stop, length, abort, error };
inline constexpr std::size_t kOutcomes = 4;

// The numbers of one route: a value of pointers.  Making one takes a lock and looks up: keep it.
// All else takes no lock and, once a thread is known, allocates nothing.  Safe from any thread.
class RouteNumbers {
 public:
  // Counts nothing.
  RouteNumbers() noexcept = default;

  // `span` becomes the exemplar if it is sampled.  A negative time is left out, and counted in
  // "spanwire.journey.negative_intervals".
  void observe(Interval interval, std::chrono::nanoseconds took, const trace::SpanContext& span,
               MonotonicTime at, std::uint32_t times = 1) const noexcept;
  // The time in a stage, where the profile has a name for it and no Interval is the same.
  void observe(Stage stage, std::chrono::nanoseconds took, const trace::SpanContext& span,
               MonotonicTime at) const noexcept;
  void add(Amount amount, std::uint64_t by) const noexcept;
  // A request is over.
  void count(Outcome outcome) const noexcept;
  // How often one request was retracted, where the profile has a distribution of that.
  void observe_retractions(std::uint64_t retractions) const noexcept;

 private:
  friend RouteNumbers route_numbers(std::string_view, const struct NumbersOptions&);

  std::array<BoundedHistogram*, kIntervals> intervals_{};
  std::array<BoundedHistogram*, kStages> stages_{};
  std::array<NamedCounter*, kAmounts> amounts_{};
  std::array<NamedCounter*, kOutcomes> outcomes_{};
  BoundedHistogram* retractions_ = nullptr;  // of a request; null where the profile has none
};

struct NumbersOptions {
  Profile profile = Profile::sglang;  // whose names
  std::string_view model{};           // the label of that name; borrowed for the call
};

// Routes beyond kSeriesPerFamilyMax share one: see metrics.hpp.  May be called at any time, before
// main and after a fork too.
RouteNumbers route_numbers(std::string_view route, const NumbersOptions& options = {});

// Which numbers of a request a process is in charge of, so that two that see the same request do
// not count it twice.
enum class Part : std::uint8_t {
  all,
  frontend,  // first_token, whole, tokens, outcomes
  engine,    // queue, prefill, decode, inter_token, per_output_token, stages, retractions
};

struct Usage {
  std::uint64_t prompt = 0;
  std::uint64_t generated = 0;
  std::uint64_t cached = 0;  // of the prompt
};

// The stamps of one request.  A small value; one thread at a time.  Times are those that the trace
// has: nothing here reads a clock.
class RequestNumbers {
 public:
  // Counts nothing.
  RequestNumbers() noexcept = default;
  // `route` outlives it.
  RequestNumbers(const RouteNumbers& route, const trace::SpanContext& span, MonotonicTime arrived,
                 Part part = Part::all) noexcept
      : route_(&route), span_(span), arrived_(arrived), part_(part) {}

  // False for one that counts nothing, and after finished().
  bool counting() const noexcept { return route_ != nullptr; }
  void queued(MonotonicTime at) noexcept { queued_ = at; }
  // The first time ends the time in the queue; later ones change nothing.
  void scheduled(MonotonicTime at) noexcept;
  // It was in a stage, maybe not for the first time.
  void stage(Stage stage, MonotonicTime from, MonotonicTime to) const noexcept;
  // Its memory was taken away; it is scheduled again later.
  void retracted() noexcept;
  // So many tokens came together; their times are taken as equal parts.
  void tokens(std::uint32_t count, MonotonicTime at) noexcept;
  // The last call; further ones change nothing.
  void finished(Outcome outcome, MonotonicTime at, const Usage& usage = {}) noexcept;

  MonotonicTime arrived_at() const noexcept { return arrived_; }
  MonotonicTime scheduled_at() const noexcept { return scheduled_; }
  MonotonicTime first_token_at() const noexcept { return first_token_; }
  std::uint32_t retractions() const noexcept { return retractions_; }

 private:
  bool has(Part part) const noexcept {
    return route_ != nullptr && (part_ == Part::all || part_ == part);
  }
  void observe(Interval interval, MonotonicTime from, MonotonicTime to,
               std::uint32_t times = 1) const noexcept;

  const RouteNumbers* route_ = nullptr;
  trace::SpanContext span_;
  MonotonicTime arrived_{};
  MonotonicTime queued_{};
  MonotonicTime scheduled_{};
  MonotonicTime first_token_{};
  MonotonicTime last_token_{};
  std::uint64_t tokens_ = 0;
  std::uint32_t retractions_ = 0;
  Part part_ = Part::all;
};

}  // namespace spanwire::journey
