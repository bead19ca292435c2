// Reads spans from OTLP JSON lines, as OpenTelemetry's file exporters write them (one TracesData
// object a line), and hands each on as soon as it is read.  A line may also be an answer of
// Jaeger's API v3 (`result`), of Tempo (`batches`, `trace`), or a list of any of these; and each
// may be laid out over several lines, as long as its first bracket stands alone in one.  Ids are
// hex in any case, or base64 as a plain protobuf-to-JSON converter writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

// A longer line is read span by span, as is a document over several lines.
inline constexpr std::size_t kLineBytesMax = 8u << 20;
// Of such a one, a longer span, resource or scope is a problem, and left out.
inline constexpr std::size_t kSpanBytesMax = 32u << 20;
// Of such a one, what is held at a time.
inline constexpr std::size_t kReadPieceBytes = 1u << 20;
// Problems that are kept with their text; all are counted.
inline constexpr std::size_t kProblemsKeptMax = 100;
// Lists and maps inside of one another in an attribute.
inline constexpr std::size_t kValueDepthMax = 32;
// Different resources; spans of later ones count as the last one's.
inline constexpr std::size_t kProcessesMax = 65'536;
// Different scopes, likewise.
inline constexpr std::size_t kScopesMax = 65'536;

// Something that was not read, and where: "a.jsonl:12: resourceSpans[0].scopeSpans[0].spans[3].
// spanId: not 16 hex digits".
enum class ProblemKind : std::uint8_t {
  damaged,        // not JSON, not OTLP, a value that is none
  error_answer,   // a server's error in the place of traces
  zero_id,        // an id that is absent or all zeros
  bad_id,         // not an id in any spelling
  base64_as_hex,  // an id in base64 that somebody decoded, or printed, as if it were hex
};

struct Problem {
  std::string file;
  std::size_t line = 0;  // from 1
  std::string text;
  ProblemKind kind = ProblemKind::damaged;
};

struct ReadReport {
  std::size_t files = 0;
  std::size_t lines = 0;       // that held something
  std::size_t duplicates = 0;  // the same span again, as a retried export leaves it: dropped
  std::size_t base64_ids = 0;
  std::size_t spans_left_out = 0;  // of which too much was damaged
  std::size_t problem_count = 0;
  std::vector<Problem> problems;  // the first kProblemsKeptMax of them
};

struct ReadLimits {
  std::size_t line_bytes = kLineBytesMax;     // of a line that is held as a whole
  std::size_t span_bytes = kSpanBytesMax;     // of a span in a longer one, or in several lines
  std::size_t piece_bytes = kReadPieceBytes;  // of such a one, held at a time
};

class LineReader;
class LineSource;

// Damage costs what is damaged: a bad span its span, a bad line its line.  Memory is bounded by
// kLineBytesMax, the longest span and the tables of processes and scopes, not by the input.  One
// thread at a time.
class SpanReader {
 public:
  explicit SpanReader(const ReadLimits& limits = {});
  SpanReader(const SpanReader&) = delete;
  SpanReader& operator=(const SpanReader&) = delete;
  virtual ~SpanReader();

  // Adds a file, which gzip may have packed.  "-" is standard input.  Fails with file_open_failed
  // or file_read_failed; what was read before a failure stays.
  Result<void> read_file(const std::string& path);
  // Adds text; `name` is what problems call it.
  void read_text(std::string_view name, std::string_view text);

  const ReadReport& report() const noexcept { return report_; }
  // The processes and scopes so far; of the spans those that on_span() has put there.
  const TraceSet& traces() const noexcept { return traces_; }

 protected:
  // Each span as it is read, its process and scope in traces().  It may be moved from; the reader
  // uses what is left of it for the next one.
  virtual void on_span(Span& span) = 0;
  // Each piece of a document that is not held as a whole, before its spans: itself a line of OTLP.
  virtual void on_piece(std::string_view) {}
  // After each piece of input: bytes of this file so far.
  virtual void on_progress(std::uint64_t) {}
  // Forgets the processes and scopes; spans that follow count theirs anew.
  void forget_tables() noexcept;

  TraceSet traces_;
  ReadReport report_;

 private:
  friend class LineReader;

  // The number of its last line.
  std::size_t read_source(std::string_view name, LineSource& source);
  void read_document(std::string_view name, std::size_t& number, LineSource& source, bool one_line);
  static bool rest_is_blank(LineSource& source, bool stay);
  void read_line(std::string_view name, std::size_t number, std::string_view line, bool complete);
  void add_problem(std::string_view name, std::size_t line, std::string text,
                   ProblemKind kind = ProblemKind::damaged);
  std::uint32_t intern_process(Process process);
  std::uint32_t intern_scope(Scope scope);

  ReadLimits limits_;
  std::unique_ptr<LineReader> lines_;
  std::string padded_;
  std::unordered_map<std::string, std::uint32_t> process_index_;
  std::unordered_map<std::string, std::uint32_t> scope_index_;
};

}  // namespace spanwire::inspect
