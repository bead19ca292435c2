// What a run's folder holds and where it came from: manifest.json, beside the files themselves, so
// that whoever collects runs needs to look nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/jaeger.hpp"
#include "spanwire/inspect/run_folder.hpp"
#include "spanwire/inspect/verify.hpp"

namespace spanwire::inspect {

struct FileMark {
  std::uint64_t bytes = 0;
  std::string sha256;  // hex
};

struct Manifest {
  std::string tool;  // "spanwire 0.1.0"
  std::string run_id;
  std::string created;  // RFC 3339
  std::string source;   // the backend's address, or files
  std::string host_path;
  std::string container_path;  // the same folder as a container sees it; empty: there is none
  std::vector<std::string> services;  // that were asked for; empty: all
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;  // 0: nothing was fetched yet
  std::size_t depth = 0;
  std::optional<std::size_t> probe_depth;
  std::optional<Fetched> probe;
  std::optional<Fetched> traces;
  std::map<std::string, FileMark> files;  // by their place in the folder
};

std::string manifest_text(const Manifest& manifest);
// Fails with file_malformed.  Members that are not known are passed over: a later version's.
Result<Manifest> parse_manifest(std::string_view text);

// What verify wants to know of the backend, from a run's files; nothing of what is not there.
// Fails with answer_not_understood or file_malformed when a file is damaged.
Result<BackendAnswers> answers_of(const RunFolder& run);

}  // namespace spanwire::inspect
