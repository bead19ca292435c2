// Where traces are read from: files, folders of them, folders of runs, Jaeger itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/verify.hpp"
#include "tools/run_query.hpp"

namespace spanwire::tools {

// Reads all of them.  Of a folder: its *.jsonl and *.json.  Fails with what keeps a source from
// being read at all; what is damaged inside of one is in the reader's report.
Result<void> read_sources(const std::vector<std::string>& sources, inspect::Reader& reader);

struct JudgedSource {
  std::optional<inspect::BackendAnswers> backend;
  std::string run;  // the folder of the run that it is; empty: it is none
};

// The same, with what is known beside the spans: of a run's folder, and of Jaeger, which is asked
// now; its answers stay in `query.run` or, without one, nowhere.
Result<JudgedSource> read_judged(const std::vector<std::string>& sources,
                                 const QueryArguments& query, inspect::Reader& reader);

}  // namespace spanwire::tools
