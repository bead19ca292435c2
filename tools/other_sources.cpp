// Runs from elsewhere than Jaeger: from Tempo, from files.
#include "spanwire/inspect/tempo.hpp"
#include "tools/command.hpp"
#include "tools/run_query.hpp"

namespace spanwire::tools {
namespace {

inspect::TempoOptions tempo_options(const Query& query) {
  inspect::TempoOptions options;
  options.url = query.options.url;
  options.headers = query.options.headers;
  options.timeout = query.options.timeout;
  options.depth = query.options.depth;
  options.answer_bytes_max = query.options.answer_bytes_max;
  options.polls_equal = query.options.polls_equal;
  options.settle = query.options.settle;
  options.poll_pause = query.options.poll_pause;
  return options;
}

// Tempo has no list of services that needs no guess: without a name, all are searched at once.
std::vector<inspect::TraceQuery> tempo_searches(const Query& query) {
  if (query.services.empty()) return {{"", query.start_ns, query.end_ns}};
  return searches_of(query, {});
}

}  // namespace

Result<inspect::Manifest> fetch_tempo_run(const QueryArguments& arguments, const Query& query,
                                          const inspect::RunFolder& run, Extent extent) {
  if (extent == Extent::probe) {
    return fail(Errc::invalid_argument, "probe asks Jaeger only; fetch asks Tempo, too");
  }
  inspect::Manifest manifest = manifest_of(arguments, query, run);
  const std::string file = run.of(inspect::kOtlpFile);
  if (arguments.trace.empty()) {
    SPANWIRE_TRY(manifest.traces,
                 inspect::fetch_tempo(tempo_options(query), tempo_searches(query), file));
  } else {
    SPANWIRE_TRY(manifest.traces,
                 inspect::fetch_tempo_trace(tempo_options(query), arguments.trace, file));
    manifest.depth = 0;
  }
  complain("traces: " + count_text(*manifest.traces));
  SPANWIRE_TRY_VOID(write_manifest(run, manifest));
  return manifest;
}

void print_tempo_plan(const QueryArguments& arguments, const Query& query, const std::string& run) {
  const inspect::TempoOptions options = tempo_options(query);
  if (arguments.trace.empty()) {
    for (const inspect::TraceQuery& search : tempo_searches(query)) {
      print("GET " + inspect::tempo_search_url(options, search) + '\n');
    }
  }
  print("GET " + options.url + "/api/traces/" + (arguments.trace.empty() ? "ID" : arguments.trace) +
        '\n');
  print("  -> " + run + '/' + std::string(inspect::kOtlpFile) + '\n');
  print("  -> " + run + '/' + std::string(inspect::kManifestFile) + '\n');
}

Result<inspect::Manifest> copy_run(const QueryArguments& arguments, const Query& query,
                                   const inspect::RunFolder& run,
                                   const std::vector<std::string>& files) {
  inspect::Manifest manifest = manifest_of(arguments, query, run);
  manifest.source = arguments.source;
  manifest.depth = 0;
  inspect::ReadReport report;
  SPANWIRE_TRY(manifest.traces, inspect::copy_as_otlp(files, run.of(inspect::kOtlpFile), report));
  for (const inspect::Problem& problem : report.problems) {
    complain(problem.file + ':' + std::to_string(problem.line) + ": " + problem.text);
  }
  manifest.traces->truncated = report.problem_count > 0;
  complain("traces: " + count_text(*manifest.traces));
  SPANWIRE_TRY_VOID(write_manifest(run, manifest));
  return manifest;
}

}  // namespace spanwire::tools
