#include <array>

#include "lib/journey/live_requests.hpp"
#include "lib/journey/vllm_log.hpp"
#include "lib/journey/vllm_settings.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/journey/vllm.hpp"

namespace spanwire::journey {
namespace {

constinit LiveRequests live_requests;
constinit NamedCounter untracked("spanwire.journey.vllm.requests_untracked");

constexpr trace::Key kRepeated = "llm_request (repeated)";

trace::Span start_span(const trace::Context& incoming, bool repeated, MonotonicTime at) noexcept {
  trace::SpanOptions options;
  options.kind = repeated ? trace::SpanKind::internal : trace::SpanKind::server;
  options.start = at;
  return tracer_of(VllmScope::api)
      .start(incoming, repeated ? kRepeated : name(VllmSpan::request), options);
}

RequestNumbers numbers_of(const VllmStart& start, const trace::SpanContext& span,
                          MonotonicTime at) noexcept {
  if (start.numbers == nullptr) return {};
  return {*start.numbers, span, at, Part::frontend};
}

}  // namespace

VllmRequest VllmRequest::start(const trace::Context& incoming, std::string_view request_id,
                               const VllmStart& start) {
  VllmRequest request(incoming);
  if (trace::provider() == nullptr) vllm_log::tracing_is_off(incoming);
  const bool sampled = sample_journey();
  if (!sampled && start.numbers == nullptr) return request;
  request.arrived_ = given_or_now(start.at);
  if (!sampled) {
    request.journey_.begin({}, numbers_of(start, incoming.span(), request.arrived_));
    request.event(VllmEvent::arrived, request.arrived_);
    return request;
  }
  vllm_log::creating(VllmSpan::request, request_id, incoming);
  const LiveRequests::Result live = live_requests.add(request_id);
  if (live.added == LiveRequests::Added::no_room) untracked.add();
  const bool repeated = live.added == LiveRequests::Added::already_there;
  request.live_ = live.key;
  trace::Span span = start_span(incoming, repeated, request.arrived_);
  request.sampled_ = span.recording();
  request.core_context_ = incoming.with_span(span.context());
  const RequestNumbers numbers = numbers_of(start, span.context(), request.arrived_);
  request.journey_.begin(std::move(span), numbers);
  if (!request.journey_.watched()) {
    live_requests.remove(std::exchange(request.live_, 0));
    return request;
  }
  request.set(GenAi::request_id, request_id);
  if (repeated) request.journey_.misused(Errc::journey_request_repeated, request_id);
  request.event(VllmEvent::arrived, request.arrived_);
  if (request.sampled_) {
    vllm_log::created(VllmSpan::request, request_id, incoming, request.core_context_.span());
  }
  return request;
}

VllmRequest::~VllmRequest() {
  if (!journey_.open()) return;
  journey_.give_up();
  live_requests.remove(live_);
}

Errc VllmRequest::event(VllmEvent event, MonotonicTime at, std::string_view error,
                        std::string_view reason) noexcept {
  const double seconds = monotonic_seconds(at);
  // vLLM's API server has the second name, its scheduler the first; both read here.
  const std::array<trace::Attribute, 5> attributes = {{{"event.type", type_of(event)},
                                                       {"ts.monotonic", seconds},
                                                       {"event.ts.monotonic", seconds},
                                                       {"error", error},
                                                       {"reason", reason}}};
  std::size_t used = 3;
  if (!error.empty()) used = reason.empty() ? 4 : 5;
  VllmMark mark;
  mark.event = event;
  mark.at = at;
  return journey_.take(mark, {attributes.data(), used});
}

Errc VllmRequest::handoff_to_core(MonotonicTime at) noexcept {
  if (!journey_.watched()) return Errc::ok;
  return event(VllmEvent::handoff_to_core, given_or_now(at));
}

Errc VllmRequest::first_response_from_core(MonotonicTime at) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const MonotonicTime now = given_or_now(at);
  if (!journey_.order().has(VllmEvent::first_response_from_core)) {
    first_response_ = now;
    journey_.numbers().tokens(1, now);
  }
  return event(VllmEvent::first_response_from_core, now);
}

void VllmRequest::end(Outcome outcome, const Usage& usage, MonotonicTime at) noexcept {
  if (!journey_.open()) return;
  journey_.numbers().finished(outcome, at, usage);
  set(GenAi::time_end_to_end, seconds_between(arrived_, at));
  if (first_response_ != MonotonicTime{}) {
    set(GenAi::time_to_first_token, seconds_between(arrived_, first_response_));
  }
  journey_.end(at);
  live_requests.remove(std::exchange(live_, 0));
}

Errc VllmRequest::departed(const VllmDeparture& departure) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const MonotonicTime at = given_or_now(departure.at);
  const Errc wrong = event(VllmEvent::departed, at);
  if (!journey_.open()) return wrong;
  set(GenAi::prompt_tokens, departure.usage.prompt);
  set(GenAi::completion_tokens, departure.usage.generated);
  if (departure.usage.cached != 0) set(GenAi::cached_tokens, departure.usage.cached);
  if (!departure.response_model.empty()) set(GenAi::response_model, departure.response_model);
  end(departure.outcome, departure.usage, at);
  return wrong;
}

Errc VllmRequest::aborted(std::string_view error, std::string_view reason,
                          MonotonicTime at) noexcept {
  if (!journey_.watched()) return Errc::ok;
  const MonotonicTime now = given_or_now(at);
  const Errc wrong = event(VllmEvent::aborted, now, error.empty() ? "aborted" : error, reason);
  if (!journey_.open()) return wrong;
  if (wrong == Errc::ok) {
    journey_.span().set_status(trace::StatusCode::error, error.empty() ? "aborted" : error);
  }
  end(Outcome::abort, {}, now);
  return wrong;
}

}  // namespace spanwire::journey
