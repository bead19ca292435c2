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
  std::vector<std::string> headers;
  std::string tenant;
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
// VALIDATE_ONLY), that over what the run's manifest says of its source, that over the defaults.
void add_query_options(CLI::App& command, QueryArguments& to);

// With flags, environment and defaults put together.
struct Query {
  inspect::JaegerOptions options;
  bool tempo = false;  // the address is that of a Tempo: tempo+http://
  std::vector<std::string> services;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};
// Fails with invalid_argument.
Result<Query> query_of(const QueryArguments& arguments);
// The folder of the run.  Fails with invalid_argument when there is none.
Result<std::string> run_path_of(const QueryArguments& arguments);

// VALIDATE_ONLY=1: what would be done is printed, nothing is started and no folder is made.
bool only_validate();
bool is_url(std::string_view source) noexcept;
// The searches; without services, those that `listed` has, but the backend's own.
std::vector<inspect::TraceQuery> searches_of(const Query& query,
                                             const std::vector<std::string>& listed);

enum class Extent { probe, all };
// Asks, writes the files of a run and its manifest; tells on standard error what it does.
Result<inspect::Manifest> fetch_run(const QueryArguments& arguments, const Query& query,
                                    const inspect::RunFolder& run, Extent extent);
// The parts of it that other sources than Jaeger share.
inspect::Manifest manifest_of(const QueryArguments& arguments, const Query& query,
                              const inspect::RunFolder& run);
// What `spanwire jaeger up` knows: the folder, and the address of its Jaeger; the rest as it was.
Result<void> note_source(const QueryArguments& arguments, const inspect::RunFolder& run,
                         std::string source);
Result<void> write_manifest(const inspect::RunFolder& run, inspect::Manifest& manifest);
// "12 spans in 3 traces, 1 search"
std::string count_text(const inspect::Fetched& fetched);
// The same of a Tempo, and of files: one file of OTLP and the manifest.
Result<inspect::Manifest> fetch_tempo_run(const QueryArguments& arguments, const Query& query,
                                          const inspect::RunFolder& run, Extent extent);
void print_tempo_plan(const QueryArguments& arguments, const Query& query, const std::string& run);
Result<inspect::Manifest> copy_run(const QueryArguments& arguments, const Query& query,
                                   const inspect::RunFolder& run,
                                   const std::vector<std::string>& files);
// What fetch_run would ask and write, and nothing done.
void print_plan(const QueryArguments& arguments, const Query& query, const std::string& run,
                Extent extent);

// Complains, and says which exit code an error of reading back is.
int complain_of(const Error& error);

}  // namespace spanwire::tools
