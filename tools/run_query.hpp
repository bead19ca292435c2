// What probe, fetch and verify share: where to ask, for what, and into which folder.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "spanwire/inspect/manifest.hpp"

namespace spanwire::tools {

struct QueryArguments {
  std::string source;
  std::vector<std::string> services;
  std::string start = "1h";
  std::string end = "now";
  std::size_t depth = 100;
  std::size_t probe_depth = 5;
  std::string timeout = "30s";
  std::string settle = "10s";
  std::size_t polls = 3;
  std::string run;
  std::string run_id;
  std::string container_root;
  std::string config;
  std::string trace;
  bool dry_run = false;
};

// Flags win over the environment (SPANWIRE_JAEGER_URL, HOST_TELEMETRY_ROOT, RUN_ID,
// VALIDATE_ONLY), that over the defaults.
void add_query_options(CLI::App& command, QueryArguments& to);

// With flags, environment and defaults put together.
struct Query {
  inspect::JaegerOptions options;
  std::vector<std::string> services;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};
// Fails with invalid_argument.
Result<Query> query_of(const QueryArguments& arguments);
// The folder of the run.  Fails with invalid_argument when there is none.
Result<std::string> run_path_of(const QueryArguments& arguments);

bool is_url(std::string_view source) noexcept;
// The searches; without services, those that `listed` has, but the backend's own.
std::vector<inspect::TraceQuery> searches_of(const Query& query,
                                             const std::vector<std::string>& listed);

enum class Extent { probe, all };
// Asks, writes the files of a run and its manifest; tells on standard error what it does.
Result<inspect::Manifest> fetch_run(const QueryArguments& arguments, const Query& query,
                                    const inspect::RunFolder& run, Extent extent);
// What fetch_run would ask and write, and nothing done.
void print_plan(const QueryArguments& arguments, const Query& query, const std::string& run,
                Extent extent);

// Complains, and says which exit code an error of reading back is.
int complain_of(const Error& error);

}  // namespace spanwire::tools
