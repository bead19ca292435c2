// spanwire probe and spanwire fetch: from Jaeger into the folder of a run.
#include <filesystem>
#include <memory>

#include "tools/command.hpp"
#include "tools/run_query.hpp"
#include "tools/trace_sources.hpp"

namespace spanwire::tools {
namespace {

bool is_dry(const QueryArguments& arguments) { return arguments.dry_run || only_validate(); }

// What each expected service and the searches say; prints why it fails.
int judge(const inspect::Manifest& manifest, Extent extent) {
  const auto& fetched = extent == Extent::all ? manifest.traces : manifest.probe;
  if (!fetched || fetched->spans == 0) {
    complain("no traces in the window");
    return kExitFailed;
  }
  if (fetched->foreign > 0) {
    complain("the server did not keep to the service that it was asked for");
    return kExitNotUnderstood;
  }
  return extent == Extent::all && fetched->truncated ? kExitFailed : kExitOk;
}

// Files are on the disk, servers are not.
bool is_path(const std::string& source) {
  std::error_code error;
  return !source.empty() && !is_url(source) && std::filesystem::exists(source, error);
}

Result<inspect::Manifest> fetch_all(const QueryArguments& arguments, const Query& query,
                                    const inspect::RunFolder& run, Extent extent,
                                    const std::vector<std::string>& files) {
  return files.empty() ? fetch_run(arguments, query, run, extent)
                       : copy_run(arguments, query, run, files);
}

int fetch(QueryArguments arguments, Extent extent) {
  std::vector<std::string> files;
  const std::string source = arguments.source;
  if (extent == Extent::all && is_path(source)) {
    Result<std::vector<std::string>> found = files_of({source});
    if (!found) return complain_of(found.error());
    files = std::move(*found);
    arguments.source.clear();
  }
  const Result<Query> query = query_of(arguments);
  if (!query) return complain_of(query.error());
  const Result<std::string> path = run_path_of(arguments);
  if (!path) return complain_of(path.error());
  arguments.source = source;
  if (is_dry(arguments)) {
    for (const std::string& file : files) print("READ " + file + '\n');
    if (files.empty()) print_plan(arguments, *query, *path, extent);
    return kExitOk;
  }
  const Result<inspect::RunFolder> run = inspect::RunFolder::create(*path);
  if (!run) {
    complain(run.error().message());
    return kExitFailed;
  }
  const Result<inspect::Manifest> manifest = fetch_all(arguments, *query, *run, extent, files);
  if (!manifest) return complain_of(manifest.error());
  print(run->of(inspect::kManifestFile) + '\n');
  return judge(*manifest, extent);
}

CLI::App* add_command(CLI::App& app, const char* name, const char* what,
                      const std::shared_ptr<QueryArguments>& arguments) {
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("SOURCE", arguments->source,
                      "The address of Jaeger's query server; for fetch also of a Tempo,\n"
                      "tempo+http://HOST:3200, or a file or folder of OTLP JSON.  Default:\n"
                      "SPANWIRE_JAEGER_URL, then where the run's manifest says that its traces\n"
                      "are (spanwire jaeger up, or an earlier fetch), then http://127.0.0.1:16686");
  add_query_options(*command, *arguments);
  command->add_option("--probe-depth", arguments->probe_depth, "Traces of the probe")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command
      ->add_option("--container-root", arguments->container_root,
                   "The folder of all runs as a container sees it, for the manifest")
      ->type_name("DIR");
  command->add_option("--config", arguments->config, "Jaeger's configuration, to be kept with it")
      ->type_name("FILE");
  command->add_flag("--dry-run", arguments->dry_run, "Print requests and files, touch nothing");
  return command;
}

}  // namespace

void add_probe(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<QueryArguments>();
  CLI::App* command = add_command(
      app, "probe", "Ask Jaeger which services it has, and for a few traces", arguments);
  command->footer(
      "Examples:\n"
      "  spanwire probe --service sglang --run runs/7\n"
      "  spanwire probe http://jaeger:16686 --service vllm-decode --start 10m --run runs/7\n"
      "\n"
      "Writes telemetry/jaeger_services.json, telemetry/jaeger_probe.json and manifest.json into\n"
      "the run's folder.  Exit codes: 0 traces are there, 1 none are, 2 the command line is "
      "wrong,\n"
      "3 not reachable or too slow, 4 the answer is not understood.");
  command->callback([arguments, &exit_code] { exit_code = fetch(*arguments, Extent::probe); });
}

void add_fetch(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<QueryArguments>();
  CLI::App* command =
      add_command(app, "fetch", "Bring the traces of a time window into a run's folder", arguments);
  command->add_option("--trace", arguments->trace, "This one only")->type_name("ID");
  command->footer(
      "Examples:\n"
      "  spanwire fetch --service sglang --start 10m --run runs/7\n"
      "  spanwire fetch http://jaeger:16686 --service frontend --service decode \\\n"
      "      --start 2026-11-21T09:30:00Z --end 2026-11-21T09:45:00Z --run runs/7\n"
      "  spanwire fetch tempo+http://tempo:3200 --service sglang --start 10m --run runs/7\n"
      "  spanwire fetch traces/ --run runs/7\n"
      "  spanwire fetch --dry-run --service sglang --run runs/7\n"
      "  HOST_TELEMETRY_ROOT=telemetry RUN_ID=7 spanwire fetch --service sglang\n"
      "\n"
      "Writes telemetry/jaeger_services.json, jaeger_probe.json, jaeger_traces.json (as it came),\n"
      "traces.otlp.json (the same without its wrapper) and manifest.json, each whole or not at\n"
      "all; from Tempo and from files traces.otlp.json and manifest.json only.  A search that is "
      "full is repeated in halves of its window.  VALIDATE_ONLY=1 is\n"
      "--dry-run.  Then: spanwire verify runs/7.\n"
      "Exit codes: 0 all fetched, 1 nothing there, or more than can be fetched, 2 the command "
      "line\n"
      "is wrong, 3 not reachable or too slow, 4 the answer is not understood.");
  command->callback([arguments, &exit_code] { exit_code = fetch(*arguments, Extent::all); });
}

}  // namespace spanwire::tools
