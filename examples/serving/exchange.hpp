// Exchange: one HTTP request for an answer, from its admission to its last byte: its span, journey
// and numbers, its place among those that are served at once, and the wait for news or for the
// client to vanish.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "examples/serving/chat.hpp"
#include "examples/serving/generation.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/base/semaphore.hpp"
#include "spanwire/journey/stages.hpp"
#include "spanwire/trace/span.hpp"

namespace serving {

// The status of a client that did not wait, in the traces.
inline constexpr int kClientGone = 499;

// One thread at a time.
class Exchange {
 public:
  enum class Wake : std::uint8_t { news, client_gone, stopping };

  Exchange(spanwire::trace::Span span, spanwire::Permit permit)
      : span_(std::move(span)), permit_(std::move(permit)) {}
  // Gives up what is still under way.
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // It is a question that can be answered: its journey begins, under `context`.
  void begin(const spanwire::trace::Context& context, std::string_view id, AnswerHead head,
             bool include_usage);
  // Of this thread.
  spanwire::journey::RequestStages& stages() noexcept { return stages_; }
  // For the workers: the journey so far, or just the context where that is not traced.
  spanwire::journey::PropagateContext hand_over() const;
  void generates(std::size_t prompt_tokens, std::shared_ptr<Generation> generation);
  // Blocks until something comes; what came is in news().  The descriptors: the client's socket,
  // and one that is readable when the server stops.
  Wake wait(int socket, int stop);
  Generation::News& news() noexcept { return news_; }
  // Counts the news' tokens and gives their text.
  std::string take_text();

  const AnswerHead& head() const noexcept { return head_; }
  Usage usage(const GenerateAnswer& answer) const noexcept;
  bool include_usage() const noexcept { return include_usage_; }
  spanwire::trace::Span& span() noexcept { return span_; }
  // What the client was told, or 499 for one that did not wait.  The last call.
  void answered(int status, std::string_view outcome);

 private:
  spanwire::journey::Outcome outcome_of(int status) const;

  spanwire::trace::Span span_;
  spanwire::Permit permit_;
  const spanwire::MonotonicTime begin_ = spanwire::Clock::system().monotonic();
  spanwire::trace::Context context_;
  spanwire::journey::RequestStages stages_;
  AnswerHead head_;
  bool include_usage_ = false;
  std::shared_ptr<Generation> generation_;
  Generation::News news_;
  std::size_t prompt_tokens_ = 0;
  std::size_t completion_tokens_ = 0;
};

// The HTTP status and OpenAI's type of error for a failed generation.
struct HttpFailure {
  int status;
  std::string_view type;
};
HttpFailure http_failure(const spanwire::Error& error);

}  // namespace serving
