#include "spanwire/inspect/span_reader.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "lib/inspect/line_reader.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept {
    if (file != stdin) std::fclose(file);
  }
};

std::string system_text(const std::string& path, int error) {
  return path + ": " + std::strerror(error);
}

bool is_blank(std::string_view line) noexcept {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

void append_key(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

// Lines of a file, in place: behind each there are kLinePadding bytes that may be looked at.
class LineSource {
 public:
  explicit LineSource(std::FILE* file) : file_(file), buffer_(kReadBytes + kLinePadding) {}

  enum class Kind { line, last, too_long, end };

  // The next line, valid until the next call; `last` has no line end.
  Kind next(std::string_view& line) {
    for (;;) {
      const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
      const std::size_t found = rest.find('\n', searched_);
      if (found != std::string_view::npos) {
        line = rest.substr(0, found);
        begin_ += found + 1;
        searched_ = 0;
        if (!skipping_) return Kind::line;
        skipping_ = false;
        continue;
      }
      searched_ = rest.size();
      if (rest.size() > kLineBytesMax) {
        drop_rest();
        if (std::exchange(skipping_, true)) continue;
        return Kind::too_long;
      }
      if (skipping_) drop_rest();
      if (fill()) continue;
      line = std::string_view(buffer_.data() + begin_, end_ - begin_);
      drop_rest();
      return line.empty() ? Kind::end : Kind::last;
    }
  }

  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  void drop_rest() noexcept { begin_ = end_ = searched_ = 0; }

  bool fill() {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ + kReadBytes / 2 + kLinePadding > buffer_.size()) buffer_.resize(2 * buffer_.size());
    const std::size_t room = buffer_.size() - kLinePadding - end_;
    const std::size_t got = std::fread(buffer_.data() + end_, 1, room, file_);
    end_ += got;
    bytes_read_ += got;
    return got > 0;
  }

  std::FILE* file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // bytes behind begin_ that hold no line end
  std::uint64_t bytes_read_ = 0;
  bool skipping_ = false;  // behind a line that is too long, up to its end
};

}  // namespace

SpanReader::SpanReader() : lines_(std::make_unique<LineReader>(*this)) {}
SpanReader::~SpanReader() = default;

Result<void> SpanReader::read_file(const std::string& path) {
  const bool standard_input = path == "-";
  const std::unique_ptr<std::FILE, CloseFile> file(standard_input ? stdin
                                                                  : std::fopen(path.c_str(), "re"));
  if (!file) return fail(Errc::file_open_failed, system_text(path, errno));
  const std::string_view name = standard_input ? std::string_view("standard input") : path;
  ++report_.files;
  LineSource source(file.get());
  std::string_view line;
  for (std::size_t number = 1;; ++number) {
    const LineSource::Kind kind = source.next(line);
    on_progress(source.bytes_read());
    if (std::ferror(file.get()) != 0) return fail(Errc::file_read_failed, system_text(path, errno));
    if (kind == LineSource::Kind::end) return {};
    if (kind == LineSource::Kind::too_long) {
      add_problem(name, number, "longer than " + std::to_string(kLineBytesMax) + " bytes");
    } else {
      read_line(name, number, line, kind == LineSource::Kind::line);
    }
  }
}

void SpanReader::read_text(std::string_view name, std::string_view text) {
  ++report_.files;
  std::string padded;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const bool complete = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    padded.assign(line);
    padded.append(kLinePadding, '\0');
    read_line(name, number, std::string_view(padded).substr(0, line.size()), complete);
    text.remove_prefix(complete ? end + 1 : text.size());
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
