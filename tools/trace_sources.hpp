// Where traces are read from: files, folders of them, folders of runs, Jaeger itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/verify.hpp"
#include "tools/run_query.hpp"

namespace spanwire::tools {

// The files that these stand for: of a run's folder its traces, of any other one its *.jsonl and
// *.json.  Fails with not_found or file_open_failed.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& sources);
// Reads all of them.  Fails with what keeps a source from
// being read at all; what is damaged inside of one is in the reader's report.
Result<void> read_sources(const std::vector<std::string>& sources, inspect::Reader& reader);

struct JudgedSource {
  std::optional<inspect::BackendAnswers> backend;
  std::string run;                // the folder of the run that it is; empty: it is none
  std::vector<std::string> logs;  // what the servers of the run said
};

// Whether it is one of those of which more is known than spans: a server, the folder of a run.
bool is_backend_source(const std::string& source);

// The same, with what is known beside the spans: of a run's folder, and of Jaeger, which is asked
// now; its answers stay in `query.run` or, without one, nowhere.
Result<JudgedSource> read_judged(const std::vector<std::string>& sources,
                                 const QueryArguments& query, inspect::Reader& reader);

}  // namespace spanwire::tools
