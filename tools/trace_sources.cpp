#include "tools/trace_sources.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

bool is_trace_file(const std::filesystem::path& path) {
  const std::filesystem::path name = path.extension() == ".gz" ? path.stem() : path;
  return name.extension() == ".jsonl" || name.extension() == ".json";
}

// A folder that is gone, with all that is in it, when this is.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create() {
    std::string path = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
      return fail(Errc::file_open_failed, path + ": " + std::strerror(errno));
    }
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const noexcept { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

bool from_jaeger(const inspect::RunFolder& run) {
  std::error_code error;
  return std::filesystem::exists(run.of(inspect::kTracesFile), error);
}

std::string traces_of(const inspect::RunFolder& run) {
  return run.of(from_jaeger(run) ? inspect::kTracesFile : inspect::kOtlpFile);
}

// All but Jaeger's own: it speaks of exporters, too.
std::vector<std::string> logs_of(const inspect::RunFolder& run) {
  std::vector<std::string> logs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run.of("logs"), error)) {
    if (entry.is_regular_file() && entry.path().filename() != "jaeger.log") {
      logs.push_back(entry.path());
    }
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

Result<JudgedSource> read_run(const inspect::RunFolder& run, inspect::Reader& reader) {
  JudgedSource source;
  source.run = run.path();
  source.logs = logs_of(run);
  SPANWIRE_TRY_VOID(reader.read_file(traces_of(run)));
  if (from_jaeger(run)) {
    SPANWIRE_TRY(source.backend, inspect::answers_of(run));
  }
  return source;
}

Result<JudgedSource> ask_jaeger(const std::string& url, QueryArguments arguments,
                                inspect::Reader& reader) {
  arguments.source = url;
  SPANWIRE_TRY(const Query query, query_of(arguments));
  SPANWIRE_TRY(const TemporaryFolder temporary, TemporaryFolder::create());
  const bool keep = !arguments.run.empty();
  SPANWIRE_TRY(const inspect::RunFolder run,
               inspect::RunFolder::create(keep ? arguments.run : temporary.path()));
  SPANWIRE_TRY_VOID(fetch_run(arguments, query, run, Extent::all));
  SPANWIRE_TRY(JudgedSource source, read_run(run, reader));
  if (!keep) source.run.clear(), source.logs.clear();
  return source;
}

}  // namespace

bool is_backend_source(const std::string& source) {
  return is_url(source) || inspect::RunFolder::open(source).has_value();
}

Result<std::vector<std::string>> files_of(const std::vector<std::string>& sources) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    std::error_code error;
    if (!std::filesystem::is_directory(source, error)) {
      files.push_back(source);
      continue;
    }
    if (const Result<inspect::RunFolder> run = inspect::RunFolder::open(source)) {
      files.push_back(traces_of(*run));
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(source, error)) {
      if (entry.is_regular_file() && is_trace_file(entry.path())) found.push_back(entry.path());
    }
    if (error) return fail(Errc::file_open_failed, source + ": " + error.message());
    if (found.empty()) return fail(Errc::not_found, source + ": no *.jsonl and no *.json in it");
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Result<void> read_sources(const std::vector<std::string>& sources, inspect::Reader& reader) {
  SPANWIRE_TRY(const std::vector<std::string> files, files_of(sources));
  for (const std::string& file : files) SPANWIRE_TRY_VOID(reader.read_file(file));
  return {};
}

Result<JudgedSource> read_judged(const std::vector<std::string>& sources,
                                 const QueryArguments& query, inspect::Reader& reader) {
  if (sources.size() == 1 && is_url(sources.front())) {
    return ask_jaeger(sources.front(), query, reader);
  }
  for (const std::string& source : sources) {
    if (is_url(source)) {
      return fail(Errc::invalid_argument, source + ": an address stands alone");
    }
  }
  if (sources.size() == 1) {
    const Result<inspect::RunFolder> run = inspect::RunFolder::open(sources.front());
    if (run) return read_run(*run, reader);
  }
  SPANWIRE_TRY_VOID(read_sources(sources, reader));
  return JudgedSource();
}

}  // namespace spanwire::tools
