#include "spanwire/inspect/manifest.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "lib/inspect/answer.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<std::string_view, std::string_view> kPaths[] = {
    {"run", ""},
    {"logs", "logs"},
    {"prometheus", "prometheus"},
    {"metrics", "metrics"},
    {"configs", "configs"},
    {"jaeger", "jaeger"},
    {"badger", "jaeger/badger"},
    {"telemetry", "telemetry"},
    {"jaeger_config", kJaegerConfigFile},
    {"jaeger_services", kServicesFile},
    {"jaeger_probe", kProbeFile},
    {"jaeger_traces", kTracesFile},
    {"traces_otlp", kOtlpFile},
};

Json paths_below(const std::string& root) {
  Json paths;
  for (const auto& [name, path] : kPaths) {
    paths[std::string(name)] = path.empty() ? root : root + '/' + std::string(path);
  }
  return paths;
}

Json json_of(const Fetched& fetched) {
  return {{"spans", fetched.spans},     {"traces", fetched.traces},
          {"foreign", fetched.foreign}, {"searches", fetched.searches},
          {"depth", fetched.depth},     {"truncated", fetched.truncated},
          {"stable", fetched.stable},   {"merged", fetched.merged}};
}

Fetched fetched_of(const Json& json) {
  Fetched fetched;
  fetched.spans = json.value("spans", std::uint64_t{0});
  fetched.traces = json.value("traces", std::size_t{0});
  fetched.foreign = json.value("foreign", std::size_t{0});
  fetched.searches = json.value("searches", std::size_t{0});
  fetched.depth = json.value("depth", std::size_t{0});
  fetched.truncated = json.value("truncated", false);
  fetched.stable = json.value("stable", true);
  fetched.merged = json.value("merged", false);
  return fetched;
}

std::string root_of(const Json& json, const char* view) {
  const Json paths = json.value("paths", Json::object()).value(view, Json::object());
  return paths.value("run", std::string());
}

void read_files(const Json& json, Manifest& to) {
  if (!json.contains("files")) return;
  for (const auto& item : json.at("files").items()) {
    FileMark& mark = to.files[item.key()];
    mark.bytes = item.value().value("bytes", std::uint64_t{0});
    mark.sha256 = item.value().value("sha256", std::string());
  }
}

Result<std::string> read_text(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return fail(Errc::file_open_failed, path + ": " + std::strerror(errno));
  std::string text;
  std::array<char, 4096> block;
  for (std::size_t got; (got = std::fread(block.data(), 1, block.size(), file.get())) > 0;) {
    text.append(block.data(), got);
  }
  if (std::ferror(file.get()) != 0) {
    return fail(Errc::file_read_failed, path + ": " + std::strerror(errno));
  }
  return text;
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
  Json json = {{"tool", manifest.tool},
               {"run_id", manifest.run_id},
               {"created", manifest.created},
               {"source", manifest.source},
               {"services", manifest.services}};
  if (manifest.end_ns != 0) {
    json["window"] = {{"start", rfc3339(manifest.start_ns)}, {"end", rfc3339(manifest.end_ns)}};
    json["depth"] = manifest.depth;
  }
  if (manifest.probe) {
    json["probe"] = json_of(*manifest.probe);
    json["probe"]["asked_depth"] = manifest.probe_depth.value_or(0);
  }
  if (manifest.traces) json["traces"] = json_of(*manifest.traces);
  json["paths"]["host"] = paths_below(manifest.host_path);
  if (!manifest.container_path.empty()) {
    json["paths"]["container"] = paths_below(manifest.container_path);
  }
  Json files = Json::object();
  for (const auto& [name, mark] : manifest.files) {
    files[name] = {{"bytes", mark.bytes}, {"sha256", mark.sha256}};
  }
  json["files"] = std::move(files);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Result<Manifest> parse_manifest(std::string_view text) {
  Manifest manifest;
  try {
    const Json json = Json::parse(text);
    manifest.tool = json.value("tool", std::string());
    manifest.run_id = json.value("run_id", std::string());
    manifest.created = json.value("created", std::string());
    manifest.source = json.value("source", std::string());
    manifest.services = json.value("services", std::vector<std::string>());
    manifest.depth = json.value("depth", std::size_t{0});
    manifest.host_path = root_of(json, "host");
    manifest.container_path = root_of(json, "container");
    const Json window = json.value("window", Json::object());
    SPANWIRE_TRY(manifest.start_ns, parse_time(window.value("start", rfc3339(0)), 0));
    SPANWIRE_TRY(manifest.end_ns, parse_time(window.value("end", rfc3339(0)), 0));
    if (json.contains("probe")) {
      manifest.probe = fetched_of(json.at("probe"));
      manifest.probe_depth = json.at("probe").value("asked_depth", std::size_t{0});
    }
    if (json.contains("traces")) manifest.traces = fetched_of(json.at("traces"));
    read_files(json, manifest);
  } catch (const Json::exception&) {
    return fail(Errc::file_malformed, "not the manifest of a run");
  }
  return manifest;
}

Result<BackendAnswers> answers_of(const RunFolder& run) {
  BackendAnswers answers;
  if (exists(run.of(kServicesFile))) {
    SPANWIRE_TRY(AnswerFacts facts, scan_answer(run.of(kServicesFile), {}));
    if (facts.has_services || facts.is_empty) answers.services = std::move(facts.services);
  }
  if (exists(run.of(kProbeFile))) {
    SPANWIRE_TRY(const AnswerFacts facts, scan_answer(run.of(kProbeFile), {}));
    answers.probe_traces = facts.traces.size();
  }
  if (!exists(run.of(kManifestFile))) return answers;
  SPANWIRE_TRY(const std::string text, read_text(run.of(kManifestFile)));
  SPANWIRE_TRY(const Manifest manifest, parse_manifest(text));
  if (manifest.end_ns == 0) return answers;  // nothing was asked yet
  answers.asked = manifest.services;
  answers.window_start = manifest.start_ns;
  answers.window_end = manifest.end_ns;
  if (manifest.traces && manifest.depth > 0) {
    answers.depth = manifest.traces->depth;
    answers.truncated = manifest.traces->truncated;
    answers.stable = manifest.traces->stable;
  }
  return answers;
}

}  // namespace spanwire::inspect
