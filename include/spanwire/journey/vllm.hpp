// vLLM's journey of a request: the span llm_request in the API server, llm_core under it in the
// scheduler, and on both the events of vllm_order.hpp.
//
//   API server                                   scheduler, another process or thread
//   VllmRequest request = VllmRequest::start(    VllmCore core = VllmCore::from(carrier, id);
//       incoming, id);                           core.queued({.step = step, ...});
//   request.inject(carrier);                     core.scheduled(VllmSchedule::first, {...});
//   request.handoff_to_core();                   core.first_token({...});
//   request.first_response_from_core();          core.finished(VllmFinish::stopped, {...});
//   request.departed({.usage = ...});
//
// Spans, events, attributes and log lines are named as vLLM names them, so that what reads vLLM's
// traces reads these.  Where a function takes a time, zero means now.
//
// Functions that return Errc return ok unless strict (misuse.hpp).  What is told in the wrong order
// is recorded all the same: the span gets the status error and spanwire.misuse with the names of
// what was wrong, each kind is counted, and an event after the end becomes a span of its own under
// the one that ended.  A request that is neither traced nor counted costs a branch a call, and its
// order is not looked at.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/errc.hpp"
#include "spanwire/journey/genai.hpp"
#include "spanwire/journey/numbers.hpp"
#include "spanwire/journey/vllm_order.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/span.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::journey {

// Says to the scheduler that the API server traces this request: "1", or not there.
inline constexpr std::string_view kVllmSampledHeader = "x-vllm-journey-sampled";
// Of one llm_core.  Further preemptions are in num_preemptions and in spanwire.preemptions_unlisted
// only, so that the events behind them keep their place within the limits of a span.
inline constexpr std::uint32_t kVllmPreemptionsListedMax = 48;

// Lines about single requests, at the levels info and debug.
enum class RequestLines : std::uint8_t {
  off,
  limited,  // at most kLogLinesPerSecondMax of a kind; what is left out is counted in the log
  every,
};

struct VllmOptions {
  // Share of requests that are traced, 0 to 1; decided once, in the API server, beside whatever the
  // sampler decides.  Another value is warned of.
  double sample_rate = 1.0;
  RequestLines request_lines = RequestLines::limited;  // log lines about single requests
  // Of events without a time.  Must outlive the process.
  const Clock* clock = &Clock::system();
};
// May be called at any time, for requests that begin later.
void set_vllm_options(const VllmOptions& options) noexcept;

// vLLM's set-up for one scope, with its log lines.  The first call in a process starts the provider
// with `options`; later ones, for another scope, use that one, whatever `options` they have.  A
// later call with another endpoint is warned of; the first stays.  `endpoint` is for the log: where
// spans go is said by the exporters of `options`.
trace::Tracer init_vllm(VllmScope scope, std::string_view endpoint, trace::ProviderOptions options);
// With the provider that is active; without one, a warning, and nothing is recorded.
trace::Tracer init_vllm(VllmScope scope, std::string_view endpoint);

namespace detail {

// True for one object of those that are moved from one to the other.
class Armed {
 public:
  Armed() noexcept = default;
  Armed(Armed&& other) noexcept : armed_(std::exchange(other.armed_, false)) {}
  Armed& operator=(Armed&& other) noexcept {
    armed_ = std::exchange(other.armed_, false);
    return *this;
  }
  void arm() noexcept { armed_ = true; }
  bool disarm() noexcept { return std::exchange(armed_, false); }
  bool armed() const noexcept { return armed_; }

 private:
  bool armed_ = false;
};

// What both spans have in common: the order, the marks of misuse, the numbers.
class VllmJourney {
 public:
  explicit VllmJourney(VllmSpan kind) noexcept : order_(kind) {}
  VllmJourney(VllmJourney&&) noexcept = default;
  VllmJourney& operator=(VllmJourney&&) = delete;
  ~VllmJourney() = default;

  void begin(trace::Span span, const RequestNumbers& numbers) noexcept;
  // Takes one event with its attributes.
  Errc take(const VllmMark& mark, std::span<const trace::Attribute> attributes) noexcept;
  // The same for one that is left out of the span's events.
  Errc take_unlisted(const VllmMark& mark) noexcept;
  Errc misused(Errc kind, std::string_view what) noexcept;
  // Ends the span.
  void end(MonotonicTime at) noexcept;
  // Nothing was told for the end: says so and ends it.
  void give_up() noexcept;

  trace::Span& span() noexcept { return span_; }
  const trace::Span& span() const noexcept { return span_; }
  RequestNumbers& numbers() noexcept { return numbers_; }
  const VllmOrder& order() const noexcept { return order_; }
  bool open() const noexcept { return open_.armed(); }
  // Somebody wants to know: it is traced or counted.  Otherwise every call does nothing.
  bool watched() const noexcept { return watched_.armed(); }

 private:
  void export_late(const VllmMark& mark, std::span<const trace::Attribute> attributes,
                   Errc kind) noexcept;

  trace::Span span_;
  RequestNumbers numbers_;
  VllmOrder order_;
  std::uint32_t misuse_ = 0;  // a bit for each kind
  Armed watched_;
  Armed open_;
};

void log_injected(const trace::SpanContext& span) noexcept;

}  // namespace detail

// What the end of a request says.
struct VllmDeparture {
  Usage usage{};
  Outcome outcome = Outcome::stop;
  std::string_view response_model{};
  MonotonicTime at{};
};

struct VllmStart {
  MonotonicTime at{};                     // of arrival, or of the start of llm_core
  const RouteNumbers* numbers = nullptr;  // outlives the request; null: none
};

// A request in the API server.  One thread at a time; movable.  A request that is dropped without
// departed() or aborted() is exported as left open.  Exactly one llm_request a request: a second
// start of an id that is under way in this process is exported as "llm_request (repeated)".
class VllmRequest {
 public:
  // `incoming`: as extracted from the caller's headers; the parent, if it has a span.  That it has
  // one and there is no provider is warned of once.
  static VllmRequest start(const trace::Context& incoming, std::string_view request_id,
                           const VllmStart& start = {});
  VllmRequest(VllmRequest&&) noexcept = default;
  VllmRequest& operator=(VllmRequest&&) = delete;
  ~VllmRequest();

  // Its journey is traced here, and is to be in the scheduler.
  bool sampled() const noexcept { return sampled_; }
  // For the scheduler, on any carrier: the request's span; what came in, untouched, if not sampled.
  const trace::Context& core_context() const noexcept { return core_context_; }
  // What belongs beside it under kVllmSampledHeader; nothing to write if empty.
  std::string_view sampled_header() const noexcept { return sampled_ ? "1" : ""; }
  // Writes both into a map or list of names and values.
  template <trace::OwningContainer Carrier>
  void inject(Carrier& carrier) const {
    trace::inject(core_context_, carrier);
    if (!sampled_) return;
    using Value = std::remove_cvref_t<decltype(carrier.begin()->second)>;
    carrier.insert(carrier.end(), {std::string(kVllmSampledHeader), Value{"1"}});
    detail::log_injected(core_context_.span());
  }

  // Request and response attributes, in the vocabulary in force.
  void set(GenAi attribute, trace::AttributeValue value) noexcept {
    journey::set(journey_.span(), attribute, value);
  }

  Errc handoff_to_core(MonotonicTime at = {}) noexcept;
  Errc first_response_from_core(MonotonicTime at = {}) noexcept;
  // Ends it.  Sets usage, time to first token and the whole time.
  Errc departed(const VllmDeparture& departure = {}) noexcept;
  Errc aborted(std::string_view error, std::string_view reason = {},
               MonotonicTime at = {}) noexcept;

 private:
  explicit VllmRequest(const trace::Context& incoming)
      : journey_(VllmSpan::request), core_context_(incoming) {}
  Errc event(VllmEvent event, MonotonicTime at, std::string_view error = {},
             std::string_view reason = {}) noexcept;
  void end(Outcome outcome, const Usage& usage, MonotonicTime at) noexcept;

  detail::VllmJourney journey_;
  trace::Context core_context_;
  MonotonicTime arrived_{};
  MonotonicTime first_response_{};
  std::uint64_t live_ = 0;  // its place among the requests under way; 0: none
  bool sampled_ = false;
};

// Where the scheduler is with a request.
struct VllmStep {
  std::int64_t step = 0;  // the scheduler's count
  VllmProgress progress{};
  MonotonicTime at{};
};

// A request in the scheduler.  As VllmRequest; its end is finished().
class VllmCore {
 public:
  // `sampled`: the value of kVllmSampledHeader; empty for none, and then nothing is traced.
  static VllmCore start(const trace::Context& from_api, std::string_view sampled,
                        std::string_view request_id, const VllmStart& start = {});
  // From the map or list of names and values that VllmRequest::inject() wrote to.
  template <trace::PairRange Carrier>
  static VllmCore from(const Carrier& carrier, std::string_view request_id,
                       const VllmStart& options = {}) {
    std::string_view sampled;
    for (const auto& [key, value] : carrier) {
      if (is_sampled_header(key)) sampled = value;
    }
    return start(trace::extract(carrier).context(), sampled, request_id, options);
  }
  VllmCore(VllmCore&&) noexcept = default;
  VllmCore& operator=(VllmCore&&) = delete;
  ~VllmCore();

  bool sampled() const noexcept { return sampled_; }
  // For calls that are made on behalf of the request: llm_core; what came in, untouched, if not
  // sampled.
  const trace::Context& context() const noexcept { return context_; }
  const trace::SpanContext& span() const noexcept { return context_.span(); }
  void set(GenAi attribute, trace::AttributeValue value) noexcept {
    journey::set(journey_.span(), attribute, value);
  }

  Errc queued(const VllmStep& step) noexcept;
  Errc scheduled(VllmSchedule kind, const VllmStep& step) noexcept;
  Errc first_token(const VllmStep& step) noexcept;
  // Tokens after the first: no event, only numbers.
  void tokens(std::uint32_t count, MonotonicTime at) noexcept {
    if (journey_.watched()) journey_.numbers().tokens(count, at);
  }
  Errc preempted(const VllmStep& step) noexcept;
  // Ends it.  Sets the times in queue, prefill, decode and inference.
  Errc finished(VllmFinish status, const VllmStep& step) noexcept;

 private:
  explicit VllmCore(const trace::Context& from_api)
      : journey_(VllmSpan::core), context_(from_api) {}
  static bool is_sampled_header(std::string_view name) noexcept;
  Errc event(VllmMark mark, const VllmStep& step) noexcept;
  void set_times() noexcept;

  detail::VllmJourney journey_;
  trace::Context context_;
  MonotonicTime queued_{};
  MonotonicTime scheduled_{};
  MonotonicTime first_token_{};
  MonotonicTime finished_{};
  std::uint32_t preemptions_ = 0;
  bool sampled_ = false;
};

}  // namespace spanwire::journey
