#include "examples/serving/exchange.hpp"

#include <poll.h>

#include <array>
#include <utility>

#include "spanwire/journey/thread_info.hpp"
#include "spanwire/rpc/failure.hpp"

namespace serving {

namespace journey = spanwire::journey;
namespace rpc = spanwire::rpc;
namespace trace = spanwire::trace;

namespace {

const journey::RouteNumbers& numbers_of_chat() {
  static const journey::RouteNumbers numbers =
      journey::route_numbers("/v1/chat/completions", {.model = kModelName});
  return numbers;
}

}  // namespace

Exchange::~Exchange() {
  if (generation_ != nullptr) generation_->cancel();
  stages_.journey().leave_open();
}

void Exchange::begin(const trace::Context& context, std::string_view id, AnswerHead head,
                     bool include_usage) {
  context_ = context;
  head_ = std::move(head);
  include_usage_ = include_usage;
  journey::set_thread_info("tokenizer");
  const journey::Request request = journey::start_request(
      {.rid = id, .role = "frontend", .module = "request", .parent = &context});
  stages_ = journey::RequestStages(
      request,
      journey::RequestNumbers(numbers_of_chat(), context.span(), begin_, journey::Part::frontend));
  span_.set({{"gen_ai.operation.name", "chat"},
             {"gen_ai.request.model", kModelName},
             {"gen_ai.response.id", head_.id}});
}

journey::PropagateContext Exchange::hand_over() const {
  journey::PropagateContext context = stages_.journey().propagate();
  if (!context) context.request = context_;
  return context;
}

void Exchange::generates(std::size_t prompt_tokens, std::shared_ptr<Generation> generation) {
  prompt_tokens_ = prompt_tokens;
  generation_ = std::move(generation);
  span_.set("gen_ai.usage.input_tokens", prompt_tokens);
}

Exchange::Wake Exchange::wait(int socket, int stop) {
  constexpr short kGone = POLLRDHUP | POLLHUP | POLLERR | POLLNVAL;
  std::array<pollfd, 3> sources = {
      {{generation_->descriptor(), POLLIN, 0}, {socket, POLLRDHUP, 0}, {stop, POLLIN, 0}}};
  for (;;) {
    if (::poll(sources.data(), sources.size(), -1) < 0) continue;  // a signal
    if ((sources[1].revents & kGone) != 0) return Wake::client_gone;
    if (sources[2].revents != 0) return Wake::stopping;
    if (sources[0].revents == 0) continue;
    news_ = generation_->take();
    if (news_.tokens > 0 || news_.end) return Wake::news;
  }
}

std::string Exchange::take_text() {
  const spanwire::MonotonicTime now = spanwire::Clock::system().monotonic();
  if (completion_tokens_ == 0 && news_.tokens > 0) {
    const double ms = std::chrono::duration<double, std::milli>(now - begin_).count();
    span_.add_event("first token", {{"serving.ttft_ms", ms}});
  }
  stages_.tokens(static_cast<std::uint32_t>(news_.tokens), now);
  std::string text = std::exchange(news_.text, {});
  // The model goes on where a sentence was; the answer begins.
  if (completion_tokens_ == 0) text.erase(0, text.find_first_not_of(' '));
  completion_tokens_ += std::exchange(news_.tokens, 0);
  return text;
}

Usage Exchange::usage(const GenerateAnswer& answer) const noexcept {
  return {prompt_tokens_, answer.cached_tokens, completion_tokens_};
}

void Exchange::answered(int status, std::string_view outcome) {
  span_.set({{"http.response.status_code", status},
             {"gen_ai.usage.output_tokens", completion_tokens_},
             {"request.outcome", outcome}});
  if (status >= 500) span_.set_status(trace::StatusCode::error, outcome);
  const bool ended = news_.end && *news_.end;
  const std::size_t cached = ended ? (*news_.end)->cached_tokens : 0;
  stages_.finished(outcome_of(status), spanwire::Clock::system().monotonic(),
                   {prompt_tokens_, completion_tokens_, cached});
}

journey::Outcome Exchange::outcome_of(int status) const {
  if (status == kClientGone) return journey::Outcome::abort;
  if (!news_.end || !*news_.end) return journey::Outcome::error;
  return (*news_.end)->finish_reason == "stop" ? journey::Outcome::stop : journey::Outcome::length;
}

HttpFailure http_failure(const spanwire::Error& error) {
  switch (rpc::status_of(error)) {
    case rpc::StatusCode::invalid_argument:
      return {400, "invalid_request_error"};
    case rpc::StatusCode::deadline_exceeded:
      return {504, "timeout_error"};
    case rpc::StatusCode::resource_exhausted:
    case rpc::StatusCode::unavailable:
      return {503, "overloaded_error"};
    default:
      return {500, "server_error"};
  }
}

}  // namespace serving
