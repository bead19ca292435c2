// Exchange: one HTTP request for an answer, from its admission to its last byte: the span, the
// place among those that are served at once, and the wait for news or for the client to vanish.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "examples/serving/chat.hpp"
#include "examples/serving/generation.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/base/semaphore.hpp"
#include "spanwire/trace/span.hpp"

namespace serving {

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

  void begin(AnswerHead head, std::size_t prompt_tokens, bool include_usage,
             std::shared_ptr<Generation> generation);
  // Blocks until something comes; what came is in news().  The descriptors: the client's socket,
  // and one that is readable when the server stops.
  Wake wait(int socket, int stop);
  Generation::News& news() noexcept { return news_; }
  // Counts the news' tokens and gives their text.
  std::string take_text(const Vocabulary& vocabulary);

  const AnswerHead& head() const noexcept { return head_; }
  Usage usage(const GenerateAnswer& answer) const noexcept;
  bool include_usage() const noexcept { return include_usage_; }
  spanwire::trace::Span& span() noexcept { return span_; }
  // What the client was told, or 499 for one that did not wait.
  void answered(int status, std::string_view outcome);

 private:
  spanwire::trace::Span span_;
  spanwire::Permit permit_;
  AnswerHead head_;
  bool include_usage_ = false;
  std::shared_ptr<Generation> generation_;
  Generation::News news_;
  std::size_t prompt_tokens_ = 0;
  std::size_t completion_tokens_ = 0;
  spanwire::MonotonicTime begin_{};
};

// The HTTP status and OpenAI's type of error for a failed generation.
struct HttpFailure {
  int status;
  std::string_view type;
};
HttpFailure http_failure(const spanwire::Error& error);

}  // namespace serving
