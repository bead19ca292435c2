// Looks through an answer of Jaeger's API v3 in one pass and in bounded memory: an answer may be
// many times larger than what should be held.  Internal to inspect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/ids.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kAnswerDepthMax = 128;       // of nested JSON
inline constexpr std::size_t kAnswerTracesMax = 1 << 20;  // distinct ids that are kept

// Bytes of the answer, from `begin` up to and without `end`.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct AnswerFacts {
  std::uint64_t spans = 0;
  // Each trace, and whether one of its spans is of the service that was asked for.
  std::unordered_map<std::string, bool> traces;
  std::size_t foreign = 0;  // traces without such a span; 0 when no service was asked for
  ByteRange result;         // the object that holds resourceSpans
  std::vector<ByteRange> resources;
  std::vector<std::string> services;  // of an answer to /services
  bool has_services = false;
  bool is_empty = false;  // "{}": how some versions say that they have no services
  // Of an error in the place of an answer.
  bool has_error = false;
  std::int64_t error_code = 0;
  std::string error_message;
};

// Reads the whole of `path`.  Fails with answer_not_understood: not JSON (an HTML page is named as
// such), cut off, nested too deep, or neither traces nor services nor an error nor empty; or with
// file_open_failed, file_read_failed.  `service` empty: nothing is foreign.
Result<AnswerFacts> scan_answer(const std::string& path, std::string_view service);
// The same for a text in memory.
Result<AnswerFacts> scan_answer_text(std::string_view text, std::string_view service);

}  // namespace spanwire::inspect
