// Gateway: the frontend's side of the workers: routes a prompt, has it computed, and collects the
// answer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "examples/serving/chat.hpp"
#include "examples/serving/generation.hpp"
#include "examples/serving/language_model.hpp"
#include "examples/serving/messages.hpp"
#include "examples/serving/router.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/trace/context.hpp"

namespace serving {

// Safe from any thread; calls that block must not come from the runtime's.
class Gateway {
 public:
  // `prefill` may be empty: then each decode worker does both phases.
  Gateway(spanwire::rpc::Runtime& runtime, std::shared_ptr<const LanguageModel> model,
          const std::vector<std::string>& prefill, const std::vector<std::string>& decode);
  // Cancels what is under way and waits for it.
  ~Gateway();

  // Waits until every worker answers, and checks that all have one model.
  spanwire::Result<void> connect();

  const LanguageModel& model() const noexcept { return *model_; }
  // Returns at once.  `from` goes along to the workers: the span that all of this belongs to, which
  // is cancelled with the generation, and the slice before theirs.
  std::shared_ptr<Generation> start(const spanwire::journey::PropagateContext& from, std::string id,
                                    std::vector<Token> prompt, const ChatRequest& request);

  struct WorkerState {
    std::string address;
    spanwire::Result<WorkerInfo> info;
  };
  // Asks all workers; blocks for at most some seconds.
  std::vector<WorkerState> workers();
  // Metrics of one of them, in the order of workers(), as text for what an HTTP client accepts.
  spanwire::Result<std::string> metrics(std::size_t worker, std::string accept);

 private:
  struct DecodeWorker {
    std::string address;
    std::unique_ptr<spanwire::rpc::Client> client;
  };
  struct Request;

  spanwire::Result<WorkerInfo> ask(spanwire::rpc::Client& client, std::chrono::seconds timeout,
                                   bool wait);
  spanwire::rpc::CallOptions options_of(const Request& request) const;
  Router::Choice find_best_match(Request& request);
  void start_prefill(const std::shared_ptr<Request>& request);
  spanwire::Task<void> prefill(std::shared_ptr<Request> request, spanwire::trace::Span routing);
  spanwire::Task<void> decode(std::shared_ptr<Request> request);
  spanwire::Task<spanwire::Result<GenerateAnswer>> read_answer(Request& request);
  void finish(Request& request, spanwire::Result<GenerateAnswer> answer);
  void run(spanwire::Task<void> task);
  void task_done();

  spanwire::rpc::Runtime& runtime_;
  std::shared_ptr<const LanguageModel> model_;
  Router router_;
  std::vector<std::string> prefill_addresses_;
  std::unique_ptr<spanwire::rpc::Client> prefill_;  // null without prefill workers
  std::vector<DecodeWorker> decode_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t tasks_ = 0;  // that use this object
};

}  // namespace serving
