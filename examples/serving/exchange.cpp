#include "examples/serving/exchange.hpp"

#include <poll.h>

#include <array>
#include <utility>

#include "spanwire/rpc/failure.hpp"

namespace serving {

namespace rpc = spanwire::rpc;
namespace trace = spanwire::trace;

Exchange::~Exchange() {
  if (generation_ != nullptr) generation_->cancel();
}

void Exchange::begin(AnswerHead head, std::size_t prompt_tokens, bool include_usage,
                     std::shared_ptr<Generation> generation) {
  head_ = std::move(head);
  prompt_tokens_ = prompt_tokens;
  include_usage_ = include_usage;
  generation_ = std::move(generation);
  begin_ = spanwire::Clock::system().monotonic();
  span_.set({{"gen_ai.operation.name", "chat"},
             {"gen_ai.request.model", kModelName},
             {"gen_ai.response.id", head_.id},
             {"gen_ai.usage.input_tokens", prompt_tokens}});
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
    if (!news_.tokens.empty() || news_.end) return Wake::news;
  }
}

std::string Exchange::take_text(const Vocabulary& vocabulary) {
  if (completion_tokens_ == 0 && !news_.tokens.empty()) {
    const auto waited = spanwire::Clock::system().monotonic() - begin_;
    const double ms = std::chrono::duration<double, std::milli>(waited).count();
    span_.add_event("first token", {{"serving.ttft_ms", ms}});
  }
  std::string text;
  for (const Token token : news_.tokens) text += vocabulary.text(token);
  // The model goes on where a sentence was; the answer begins.
  if (completion_tokens_ == 0) text.erase(0, text.find_first_not_of(' '));
  completion_tokens_ += news_.tokens.size();
  news_.tokens.clear();
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
