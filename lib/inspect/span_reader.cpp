#include "spanwire/inspect/span_reader.hpp"

#include <algorithm>

#include "lib/inspect/input_file.hpp"
#include "lib/inspect/line_reader.hpp"
#include "lib/inspect/line_source.hpp"
#include "lib/inspect/span_splitter.hpp"

namespace spanwire::inspect {
namespace {

bool is_blank(std::string_view line) noexcept {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

void append_key(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

}  // namespace

SpanReader::SpanReader(const ReadLimits& limits)
    : limits_(limits), lines_(std::make_unique<LineReader>(*this)) {}
SpanReader::~SpanReader() = default;

Result<void> SpanReader::read_file(const std::string& path) {
  SPANWIRE_TRY(InputFile file, InputFile::open(path));
  LineSource source([&](char* to, std::size_t room) { return file.read(to, room); },
                    limits_.line_bytes);
  const std::string_view name = path == "-" ? std::string_view("standard input") : path;
  const std::size_t lines = read_source(name, source);
  if (!file.damage().empty()) add_problem(name, lines, file.damage());
  return file.failure();
}

void SpanReader::read_text(std::string_view name, std::string_view text) {
  LineSource source(
      [&](char* to, std::size_t room) {
        const std::size_t got = text.copy(to, room);
        text.remove_prefix(got);
        return got;
      },
      limits_.line_bytes);
  read_source(name, source);
}

std::size_t SpanReader::read_source(std::string_view name, LineSource& source) {
  ++report_.files;
  std::string_view line;
  for (std::size_t number = 1;; ++number) {
    const LineSource::Kind kind = source.next(line);
    on_progress(source.bytes_read());
    switch (kind) {
      case LineSource::Kind::end:
        return number - 1;
      case LineSource::Kind::line:
      case LineSource::Kind::last:
        read_line(name, number, line, kind == LineSource::Kind::line);
        break;
      case LineSource::Kind::long_line:
      case LineSource::Kind::document:
        read_document(name, number, source, kind == LineSource::Kind::long_line);
    }
  }
}

// Cut into pieces as it comes.  `number` ends as the number of the last line that was taken.
void SpanReader::read_document(std::string_view name, std::size_t& number, LineSource& source,
                               bool one_line) {
  ++report_.lines;
  SpanSplitter splitter(
      limits_.piece_bytes, limits_.span_bytes,
      [&](std::string_view piece, const PiecePlace& place) {
        on_piece(piece);
        padded_.assign(piece);
        padded_.append(kLinePadding, '\0');
        lines_->read(name, number, std::string_view(padded_).substr(0, piece.size()), true, place);
      },
      [&](std::string text) { add_problem(name, number, std::move(text)); });
  bool line_ended = false;
  while (!line_ended && !splitter.ended() && !splitter.failed()) {
    std::string_view bytes = source.buffered();
    if (bytes.empty()) break;
    if (one_line) {
      const std::size_t end = bytes.find('\n');
      line_ended = end != std::string_view::npos;
      bytes = bytes.substr(0, end);
    }
    const std::size_t taken = splitter.feed(bytes);
    number += static_cast<std::size_t>(
        std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken), '\n'));
    source.consume(taken);
    on_progress(source.bytes_read());
  }
  const bool ended = splitter.ended();
  if (!ended) {
    add_problem(name, number, splitter.failed() ? "not JSON" : "cut off: it ends in the middle");
    splitter.finish();
  } else if (!splitter.has_resources()) {
    add_problem(name, number, "no resourceSpans: not a document of OTLP traces");
  }
  if (!rest_is_blank(source, !one_line && !ended) && ended) {
    add_problem(name, number, "not JSON: more behind the end of the document");
  }
}

// Up to the end of the line.  With `stay`, a line that begins here is left where it is: it may be
// a good one.
bool SpanReader::rest_is_blank(LineSource& source, bool stay) {
  bool blank = true;
  for (;;) {
    const std::string_view bytes = source.buffered();
    if (bytes.empty()) return blank;
    if (stay && bytes.front() == '{') return false;
    stay = false;
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    blank = blank && is_blank(bytes.substr(0, end));
    source.consume(end < bytes.size() ? end + 1 : end);
    if (end < bytes.size()) return blank;
  }
}

void SpanReader::forget_tables() noexcept {
  process_index_.clear();
  scope_index_.clear();
  traces_.processes.clear();
  traces_.scopes.clear();
}

void SpanReader::read_line(std::string_view name, std::size_t number, std::string_view line,
                           bool complete) {
  if (is_blank(line)) return;
  ++report_.lines;
  lines_->read(name, number, line, complete);
}

void SpanReader::add_problem(std::string_view name, std::size_t line, std::string text,
                             ProblemKind kind) {
  ++report_.problem_count;
  if (report_.problems.size() < kProblemsKeptMax) {
    report_.problems.push_back({std::string(name), line, std::move(text), kind});
  }
}

std::uint32_t SpanReader::intern_process(Process process) {
  std::string key;
  for (const Attribute& attribute : process.attributes) {
    append_key(key, attribute.key);
    append_key(key, attribute.value.text());
  }
  const auto known = process_index_.find(key);
  if (known != process_index_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(traces_.processes.size());
  if (index >= kProcessesMax) return index - 1;
  process_index_.emplace(std::move(key), index);
  traces_.processes.push_back(std::move(process));
  return index;
}

std::uint32_t SpanReader::intern_scope(Scope scope) {
  std::string key;
  append_key(key, scope.name);
  append_key(key, scope.version);
  const auto known = scope_index_.find(key);
  if (known != scope_index_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(traces_.scopes.size());
  if (index >= kScopesMax) return index - 1;
  scope_index_.emplace(std::move(key), index);
  traces_.scopes.push_back(std::move(scope));
  return index;
}

}  // namespace spanwire::inspect
