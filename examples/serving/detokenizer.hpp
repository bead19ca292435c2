// Detokenizer: turns the scheduler's tokens into text, on a thread of its own that the scheduler
// reaches as it would another process: over RPC.
#pragma once

#include <memory>
#include <string>

#include "examples/serving/language_model.hpp"
#include "spanwire/rpc/server.hpp"

namespace serving {

class Detokenizer {
 public:
  explicit Detokenizer(std::shared_ptr<const LanguageModel> model);

  // Serves kDetokenizePath; returns where.
  spanwire::Result<std::string> start(const std::string& address);

 private:
  spanwire::Task<spanwire::rpc::Status> detokenize(spanwire::rpc::Call& call);

  const std::shared_ptr<const LanguageModel> model_;
  spanwire::rpc::Runtime runtime_;
  spanwire::rpc::Server server_;
};

}  // namespace serving
