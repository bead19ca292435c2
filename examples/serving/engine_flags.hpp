// The tracing flags of inference engines, as both programs take them: the command lines that
// operators of SGLang and vLLM have at hand work as they are.
#pragma once

#include <CLI/CLI.hpp>

namespace serving {

// Shows them in the help and checks them; Process reads them.
inline void declare_tracing(CLI::App& app) {
  static constexpr char kGroup[] = "Tracing, over the environment";
  app.add_flag("--enable-trace")
      ->description("Spans to the endpoint, by default http://localhost:4317")
      ->group(kGroup);
  app.add_flag("--enable-journey-tracing")
      ->description("The same, without the steps of each token")
      ->group(kGroup);
  app.add_option("--otlp-traces-endpoint,--oltp-traces-endpoint",
                 "Where spans go: gRPC, unless the port is 4318 or the path ends in v1/traces")
      ->type_name("ENDPOINT")
      ->group(kGroup);
  app.add_option("--collect-detailed-traces", "The steps of each token too")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({"model", "worker", "scheduler", "all"}))
      ->type_name("WHAT,...")
      ->group(kGroup);
}

}  // namespace serving
