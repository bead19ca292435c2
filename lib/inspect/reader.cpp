#include "spanwire/inspect/reader.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

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

// The library's text says where it stumbled, and names itself first: only the former is for users.
std::string parse_error_text(const nlohmann::json::parse_error& error) {
  std::string text = error.what();
  const std::size_t end = text.find("] ");
  if (end != std::string::npos) text.erase(0, end + 2);
  return text;
}

bool same_span(const Span& a, const Span& b) noexcept {
  return a.trace == b.trace && a.parent == b.parent && a.process == b.process &&
         a.start_ns == b.start_ns && a.end_ns == b.end_ns && a.name == b.name;
}

}  // namespace

Result<void> Reader::read_file(const std::string& path) {
  const bool standard_input = path == "-";
  const std::unique_ptr<std::FILE, CloseFile> file(standard_input ? stdin
                                                                  : std::fopen(path.c_str(), "re"));
  if (!file) return fail(Errc::file_open_failed, system_text(path, errno));
  const std::string_view name = standard_input ? std::string_view("standard input") : path;
  ++report_.files;
  std::string pending;
  std::vector<char> block(kReadBytes);
  std::size_t line = 0;
  bool skipping = false;  // behind a line that is too long, up to its end
  for (;;) {
    const std::size_t got = std::fread(block.data(), 1, block.size(), file.get());
    if (got == 0) break;
    std::string_view rest(block.data(), got);
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      pending.append(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      ++line;
      if (!skipping) read_line(name, line, pending, true);
      skipping = false;
      pending.clear();
    }
    if (skipping) continue;
    pending.append(rest);
    if (pending.size() > kLineBytesMax) {
      add_problem(name, line + 1, "longer than " + std::to_string(kLineBytesMax) + " bytes");
      pending = std::string();
      skipping = true;
    }
  }
  if (std::ferror(file.get()) != 0) return fail(Errc::file_read_failed, system_text(path, errno));
  if (!skipping) read_line(name, line + 1, pending, false);
  return {};
}

void Reader::read_text(std::string_view name, std::string_view text) {
  ++report_.files;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const bool complete = end != std::string_view::npos;
    read_line(name, line, text.substr(0, end), complete);
    text.remove_prefix(complete ? end + 1 : text.size());
  }
}

void Reader::read_line(std::string_view name, std::size_t number, std::string_view line,
                       bool complete) {
  if (is_blank(line)) return;
  ++report_.lines;
  try {
    LineReader(*this, name, number).read(nlohmann::json::parse(line));
  } catch (const nlohmann::json::parse_error& error) {
    // A file whose writer was killed ends like this: say that instead of what JSON would expect.
    add_problem(name, number,
                complete || error.byte < line.size()
                    ? "not JSON: " + parse_error_text(error)
                    : "ends in the middle: its writer was stopped while writing");
  }
}

void Reader::add_problem(std::string_view name, std::size_t line, std::string text,
                         ProblemKind kind) {
  ++report_.problem_count;
  if (report_.problems.size() < kProblemsKeptMax) {
    report_.problems.push_back({std::string(name), line, std::move(text), kind});
  }
}

std::uint32_t Reader::intern_process(Process process) {
  std::string key;
  for (const Attribute& attribute : process.attributes) {
    append_key(key, attribute.key);
    append_key(key, attribute.value.text());
  }
  const auto [item, fresh] =
      process_index_.try_emplace(key, static_cast<std::uint32_t>(traces_.processes.size()));
  if (fresh) traces_.processes.push_back(std::move(process));
  return item->second;
}

std::uint32_t Reader::intern_scope(Scope scope) {
  std::string key;
  append_key(key, scope.name);
  append_key(key, scope.version);
  const auto [item, fresh] =
      scope_index_.try_emplace(key, static_cast<std::uint32_t>(traces_.scopes.size()));
  if (fresh) traces_.scopes.push_back(std::move(scope));
  return item->second;
}

void Reader::add_span(Span span) {
  const auto [first, last] = span_index_.equal_range(span.id);
  for (auto item = first; item != last; ++item) {
    if (same_span(traces_.spans[item->second], span)) {
      ++report_.duplicates;
      return;
    }
  }
  span_index_.emplace(span.id, traces_.spans.size());
  traces_.spans.push_back(std::move(span));
}

}  // namespace spanwire::inspect
