#include "tools/run_query.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include "spanwire/base/clock.hpp"
#include "spanwire/inspect/text.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

constexpr std::string_view kTempo = "tempo+";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<inspect::FileMark> mark_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return fail(Errc::file_open_failed, path);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  inspect::FileMark mark;
  std::vector<char> block(std::size_t{1} << 18);
  for (std::size_t got; (got = std::fread(block.data(), 1, block.size(), file.get())) > 0;) {
    EVP_DigestUpdate(digest.get(), block.data(), got);
    mark.bytes += got;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum;
  unsigned length = 0;
  EVP_DigestFinal_ex(digest.get(), sum.data(), &length);
  constexpr std::string_view kHex = "0123456789abcdef";
  for (unsigned i = 0; i < length; ++i) mark.sha256 += {kHex[sum[i] >> 4], kHex[sum[i] & 15]};
  return mark;
}

// The services of the backend itself, which no run is about.
bool is_backends_own(std::string_view service) {
  return service == "jaeger" || service == "jaeger-query" || service == "jaeger-all-in-one";
}

// The services that are asked for; when none is named, those that are listed once the list no
// longer grows.
Result<std::vector<inspect::TraceQuery>> settled_searches(inspect::JaegerClient& client,
                                                          const Query& query) {
  if (!query.services.empty()) return searches_of(query, {});
  const auto deadline = std::chrono::steady_clock::now() + query.options.settle;
  std::vector<std::string> before;
  for (std::size_t equal = 1;;) {
    SPANWIRE_TRY(std::vector<std::string> listed, client.services({}));
    equal = listed == before ? equal + 1 : 1;
    const bool settled = !listed.empty() && equal >= query.options.polls_equal;
    if (settled || std::chrono::steady_clock::now() >= deadline) return searches_of(query, listed);
    before = std::move(listed);
    std::this_thread::sleep_for(query.options.poll_pause);
  }
}

Result<void> fetch_traces(inspect::JaegerClient& client, const Query& query,
                          const inspect::RunFolder& run, const std::string& trace,
                          std::vector<inspect::TraceQuery>& searches, inspect::Manifest& manifest) {
  const std::string file = run.of(inspect::kTracesFile);
  if (!trace.empty()) {
    SPANWIRE_TRY(manifest.traces, client.trace(trace, file));
    manifest.depth = 0;
  } else {
    SPANWIRE_TRY(searches, settled_searches(client, query));
    SPANWIRE_TRY(manifest.traces, client.fetch(searches, file));
  }
  complain("traces: " + count_text(*manifest.traces));
  return inspect::unwrap_answer(file, run.of(inspect::kOtlpFile));
}

// The variable is for what should not stand on a command line.
Result<inspect::RequestHeaders> headers_of(const QueryArguments& arguments) {
  std::vector<std::string> lines = arguments.headers;
  if (!arguments.tenant.empty()) lines.push_back("X-Scope-OrgID: " + arguments.tenant);
  if (const std::string line = variable("SPANWIRE_QUERY_HEADER"); !line.empty()) {
    lines.push_back(line);
  }
  inspect::RequestHeaders headers;
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    const std::size_t begin = line.find_first_not_of(' ', std::min(colon, line.size() - 1) + 1);
    const bool good = colon != std::string::npos && !name.empty() && begin != std::string::npos &&
                      name.find_first_of(" \t") == std::string::npos &&
                      line.find_first_of("\r\n") == std::string::npos;
    // Its value may be a secret.
    if (!good) return fail(Errc::invalid_argument, "header '" + name + "': not 'NAME: VALUE'");
    headers.emplace_back(name, line.substr(begin));
  }
  return headers;
}

// Empty when the folder has none that can be read.
inspect::Manifest manifest_in(const std::string& run) {
  const std::string path = std::filesystem::path(run) / inspect::kManifestFile;
  const Result<std::string> text = read_whole_file(path);
  Result<inspect::Manifest> manifest = text ? inspect::parse_manifest(*text) : inspect::Manifest();
  return manifest ? std::move(*manifest) : inspect::Manifest();
}

// The address, and nothing of files.
std::string source_of_run(const QueryArguments& arguments) {
  const Result<std::string> run = run_path_of(arguments);
  std::string source = run ? manifest_in(*run).source : std::string();
  return is_url(source) ? source : std::string();
}

void describe_folder(const QueryArguments& arguments, const inspect::RunFolder& run,
                     inspect::Manifest& to) {
  to.tool = "spanwire " SPANWIRE_VERSION;
  to.host_path = std::filesystem::absolute(run.path()).lexically_normal().string();
  to.run_id = arguments.run_id.empty() ? std::filesystem::path(to.host_path).filename().string()
                                       : arguments.run_id;
  if (!arguments.container_root.empty()) {
    to.container_path = arguments.container_root + "/container_runs/" + to.run_id;
  }
  to.created = inspect::rfc3339(Clock::system().wall().time_since_epoch().count());
}

}  // namespace

std::string count_text(const inspect::Fetched& fetched) {
  std::string text =
      inspect::counted(fetched.spans, "span") + " in " + inspect::counted(fetched.traces, "trace");
  if (fetched.searches > 0) {
    text += ", " + inspect::counted(fetched.searches, "search", "searches");
  }
  if (fetched.truncated) text += ", TRUNCATED: there are more";
  if (!fetched.stable) text += ", still growing";
  if (fetched.foreign > 0) {
    text += ", " + inspect::counted(fetched.foreign, "trace") + " without the service asked for";
  }
  return text;
}

bool only_validate() { return variable("VALIDATE_ONLY") == "1"; }

bool is_url(std::string_view source) noexcept {
  if (source.starts_with(kTempo)) source.remove_prefix(kTempo.size());
  return source.starts_with("http://") || source.starts_with("https://");
}

int complain_of(const Error& error) {
  complain(error.message());
  switch (error.code()) {
    case Errc::invalid_argument:
    case Errc::file_malformed:
      return kExitUsage;
    case Errc::query_failed:
    case Errc::answer_not_understood:
      return kExitNotUnderstood;
    case Errc::file_write_failed:
      return kExitFailed;
    default:
      return kExitUnreachable;
  }
}

void add_query_options(CLI::App& command, QueryArguments& to) {
  command.add_option("--service", to.services, "Of which service; default: all that are listed")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command.add_option("--start", to.start, "From: 2026-11-21T09:30:00Z, or 10m for then")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_option("--end", to.end, "To, the same way")->type_name("TIME")->capture_default_str();
  command.add_option("--depth", to.depth, "Traces of one search; more are searched for in halves")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command.add_option("--header", to.headers, "With each request; SPANWIRE_QUERY_HEADER too")
      ->type_name("'NAME: VALUE'")
      ->expected(1)
      ->take_all();
  command.add_option("--tenant", to.tenant, "The header X-Scope-OrgID, for Tempo")->type_name("ID");
  command.add_option("--timeout", to.timeout, "Of each request")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command.add_option("--settle", to.settle, "Wait at most so long until no more spans come")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command.add_option("--polls", to.polls, "Answers in a row with as many spans")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000));
  command.add_option("--run", to.run, "The run's folder")->type_name("DIR");
  command.add_option("--run-id", to.run_id, "The run's id; default: the folder's name")
      ->type_name("ID");
}

Result<Query> query_of(const QueryArguments& arguments) {
  Query query;
  if (!arguments.source.empty()) {
    query.options.url = arguments.source;
  } else if (const std::string url = variable("SPANWIRE_JAEGER_URL"); !url.empty()) {
    query.options.url = url;
  } else if (const std::string kept = source_of_run(arguments); !kept.empty()) {
    query.options.url = kept;
  }
  query.tempo = query.options.url.starts_with(kTempo);
  if (query.tempo) query.options.url.erase(0, kTempo.size());
  SPANWIRE_TRY(const std::string endpoint,
               inspect::host_and_port(query.options.url, query.tempo ? 3'200 : 16'686));
  if (!is_url(query.options.url)) query.options.url = "http://" + endpoint;
  const std::int64_t now = Clock::system().wall().time_since_epoch().count();
  SPANWIRE_TRY(query.start_ns, inspect::parse_time(arguments.start, now));
  SPANWIRE_TRY(query.end_ns, inspect::parse_time(arguments.end, now));
  // Both ends count; servers refuse a window without length in ways of their own.
  if (query.start_ns >= query.end_ns) {
    return fail(Errc::invalid_argument,
                "the window ends before it starts: " + inspect::rfc3339(query.start_ns) + " to " +
                    inspect::rfc3339(query.end_ns));
  }
  SPANWIRE_TRY(query.options.headers, headers_of(arguments));
  query.options.depth = arguments.depth;
  query.options.polls_equal = arguments.polls;
  SPANWIRE_TRY(query.options.timeout, parse_duration(arguments.timeout));
  SPANWIRE_TRY(query.options.settle, parse_duration(arguments.settle));
  query.services = arguments.services;
  return query;
}

Result<std::string> run_path_of(const QueryArguments& arguments) {
  if (!arguments.run.empty()) return arguments.run;
  const std::string root = variable("HOST_TELEMETRY_ROOT");
  const std::string id = arguments.run_id.empty() ? variable("RUN_ID") : arguments.run_id;
  if (!root.empty() && !id.empty()) return root + "/container_runs/" + id;
  return fail(Errc::invalid_argument,
              "no folder for the run: --run DIR, or HOST_TELEMETRY_ROOT and RUN_ID");
}

std::vector<inspect::TraceQuery> searches_of(const Query& query,
                                             const std::vector<std::string>& listed) {
  std::vector<inspect::TraceQuery> searches;
  for (const std::string& service : query.services.empty() ? listed : query.services) {
    if (query.services.empty() && is_backends_own(service)) continue;
    searches.push_back({service, query.start_ns, query.end_ns});
  }
  return searches;
}

Result<void> write_manifest(const inspect::RunFolder& run, inspect::Manifest& manifest) {
  for (const std::string_view name :
       {inspect::kServicesFile, inspect::kProbeFile, inspect::kTracesFile, inspect::kOtlpFile,
        inspect::kJaegerConfigFile}) {
    std::error_code error;
    if (!std::filesystem::exists(run.of(name), error)) continue;
    SPANWIRE_TRY(manifest.files[std::string(name)], mark_of(run.of(name)));
  }
  return inspect::write_whole_file(run.of(inspect::kManifestFile), manifest_text(manifest));
}

inspect::Manifest manifest_of(const QueryArguments& arguments, const Query& query,
                              const inspect::RunFolder& run) {
  inspect::Manifest manifest;
  describe_folder(arguments, run, manifest);
  manifest.source = query.tempo ? std::string(kTempo) + query.options.url : query.options.url;
  manifest.services = query.services;
  manifest.start_ns = query.start_ns;
  manifest.end_ns = query.end_ns;
  manifest.depth = query.options.depth;
  return manifest;
}

Result<void> note_source(const QueryArguments& arguments, const inspect::RunFolder& run,
                         std::string source) {
  inspect::Manifest manifest = manifest_in(run.path());
  describe_folder(arguments, run, manifest);
  manifest.source = std::move(source);
  return write_manifest(run, manifest);
}

Result<inspect::Manifest> fetch_run(const QueryArguments& arguments, const Query& query,
                                    const inspect::RunFolder& run, Extent extent) {
  if (query.tempo) return fetch_tempo_run(arguments, query, run, extent);
  inspect::JaegerClient client(query.options);
  inspect::Manifest manifest = manifest_of(arguments, query, run);
  // The traces first: what is asked when they have settled is not too early either.
  std::vector<inspect::TraceQuery> searches;
  if (extent == Extent::all) {
    SPANWIRE_TRY_VOID(fetch_traces(client, query, run, arguments.trace, searches, manifest));
  }
  SPANWIRE_TRY(const std::vector<std::string> listed,
               client.services(run.of(inspect::kServicesFile)));
  complain("services: " + (listed.empty() ? "none" : CLI::detail::join(listed, ", ")));
  if (searches.empty()) searches = searches_of(query, listed);
  if (arguments.trace.empty() && !searches.empty()) {
    manifest.probe_depth = arguments.probe_depth;
    SPANWIRE_TRY(manifest.probe, client.probe(searches.front(), arguments.probe_depth,
                                              run.of(inspect::kProbeFile)));
    complain("probe of " + searches.front().service + ": " + count_text(*manifest.probe));
  }
  if (!arguments.config.empty()) {
    SPANWIRE_TRY(const std::string text, read_whole_file(arguments.config));
    SPANWIRE_TRY_VOID(inspect::write_whole_file(run.of(inspect::kJaegerConfigFile), text));
  }
  SPANWIRE_TRY_VOID(write_manifest(run, manifest));
  return manifest;
}

void print_plan(const QueryArguments& arguments, const Query& query, const std::string& run,
                Extent extent) {
  const auto line = [&](const std::string& url, std::string_view file) {
    print("GET " + url + "\n  -> " + run + '/' + std::string(file) + '\n');
  };
  std::vector<std::string> services = query.services;
  if (services.empty()) services = {"SERVICE"};
  const inspect::TraceQuery first{services.front(), query.start_ns, query.end_ns};
  if (query.tempo) {
    print_tempo_plan(arguments, query, run);
    return;
  }
  line(inspect::services_url(query.options), inspect::kServicesFile);
  if (arguments.trace.empty()) {
    line(inspect::traces_url(query.options, first, arguments.probe_depth), inspect::kProbeFile);
  }
  if (extent == Extent::all && !arguments.trace.empty()) {
    line(inspect::trace_url(query.options, arguments.trace), inspect::kTracesFile);
  } else if (extent == Extent::all) {
    for (const std::string& service : services) {
      const inspect::TraceQuery search{service, query.start_ns, query.end_ns};
      line(inspect::traces_url(query.options, search, query.options.depth), inspect::kTracesFile);
    }
  }
  if (extent == Extent::all) print("  -> " + run + '/' + std::string(inspect::kOtlpFile) + '\n');
  print("  -> " + run + '/' + std::string(inspect::kManifestFile) + '\n');
}

}  // namespace spanwire::tools
