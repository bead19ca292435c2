// The folder of one run: which file lies where, and files that are written whole or not at all.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"

namespace spanwire::inspect {

// Where the files of a run lie, below its folder.
inline constexpr std::string_view kServicesFile = "telemetry/jaeger_services.json";
inline constexpr std::string_view kProbeFile = "telemetry/jaeger_probe.json";
inline constexpr std::string_view kTracesFile = "telemetry/jaeger_traces.json";
inline constexpr std::string_view kOtlpFile = "telemetry/traces.otlp.json";
inline constexpr std::string_view kManifestFile = "manifest.json";
inline constexpr std::string_view kJaegerConfigFile = "configs/jaeger.yaml";
inline constexpr std::string_view kVerdictFile = "verify.json";
inline constexpr std::string_view kVerdictJunitFile = "verify.junit.xml";

// A file that has its name only when all of it is on the disk.  Dropped before keep(): nothing is
// left of it.  One thread at a time.
class WholeFile {
 public:
  // Begins beside `path`.  Fails with file_open_failed.
  static Result<WholeFile> create(const std::string& path);
  WholeFile(WholeFile&&) noexcept;
  WholeFile& operator=(WholeFile&&) noexcept;
  ~WholeFile();

  // Fails with file_write_failed, as when the disk is full.
  Result<void> write(std::string_view bytes);
  // Written out, synchronised, renamed to its path; replaces what was there.  Fails with
  // file_write_failed.
  Result<void> keep();
  // The same under another name in the same folder.
  Result<void> keep_as(const std::string& path);
  // What was written can be read here until keep().
  Result<void> flush();
  const std::string& temporary_path() const noexcept { return temporary_; }

 private:
  WholeFile() = default;
  void drop() noexcept;

  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::string path_;
  std::string temporary_;
  std::unique_ptr<std::FILE, Close> file_;
};

// All of `bytes` as the file at `path`, whole or not at all.
Result<void> write_whole_file(const std::string& path, std::string_view bytes);

// One run's folder and its subfolders.
class RunFolder {
 public:
  // Makes what is missing: logs, prometheus, metrics, configs, telemetry, jaeger/badger; and writes
  // and removes a file in each, so that whoever cannot write there learns it now.  Fails with
  // file_open_failed and the path.
  static Result<RunFolder> create(const std::string& path);
  // Of a run that is there.  Fails with not_found when there is no telemetry in it.
  static Result<RunFolder> open(const std::string& path);

  const std::string& path() const noexcept { return path_; }
  std::string of(std::string_view file) const { return path_ + '/' + std::string(file); }
  // The subfolders, as create() makes them.
  static const std::vector<std::string_view>& folders();

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace spanwire::inspect
