// Several answers of Jaeger's API v3 as one.  Internal to inspect.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/inspect/answer.hpp"
#include "spanwire/inspect/run_folder.hpp"

namespace spanwire::inspect {

// An answer as it came, flushed, and what is in it.
struct AnswerPart {
  WholeFile body;
  AnswerFacts facts;
  long status = 0;
};

// Writes the parts to `file` and returns how many spans that makes.  One part stays as it is, byte
// by byte; of several, a span that an earlier one has is left out, and resources are copied as they
// are where nothing is.  A resource of more than kReadPieceBytes becomes several, so that no more
// of it is held than that.
Result<std::uint64_t> keep_parts(std::vector<AnswerPart>& parts, const std::string& file);

}  // namespace spanwire::inspect
