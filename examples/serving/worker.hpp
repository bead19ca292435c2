// Worker: what a worker serves, with an engine behind it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "examples/serving/engine.hpp"
#include "examples/serving/messages.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

namespace serving {

struct WorkerOptions {
  std::string role = "both";  // "prefill", "decode", or "both": the whole of each request
  std::string instance;
  std::string detokenizer;  // the address of this worker's
  EngineOptions engine;
};

struct Answer;

// Adds its handlers to a server and outlives it.
class Worker {
 public:
  Worker(spanwire::rpc::Runtime& runtime, std::shared_ptr<const LanguageModel> model,
         WorkerOptions options);

  void serve_on(spanwire::rpc::Server& server);

 private:
  using Status = spanwire::rpc::Status;
  using Call = spanwire::rpc::Call;

  spanwire::Task<Status> generate(Call& call);
  spanwire::Task<spanwire::Result<void>> pass_on(Call& call, Answer& answer);
  spanwire::Task<Status> receive_state(Call& call);
  spanwire::Task<spanwire::Result<PrefillAnswer>> prefill(Call& call, GenerateRequest request);
  spanwire::Task<spanwire::Result<WorkerInfo>> info() const;
  spanwire::Task<Status> metrics(Call& call) const;

  // Says what is wrong with a request; ok when nothing is.
  spanwire::Error check(const GenerateRequest& request) const;
  spanwire::rpc::Client& decode_worker(const std::string& address);

  spanwire::rpc::Runtime& runtime_;
  const WorkerOptions options_;
  spanwire::rpc::Client detokenizer_;
  Engine engine_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<spanwire::rpc::Client>> decode_workers_;  // by address
};

}  // namespace serving
