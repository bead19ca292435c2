#include "examples/serving/corpus.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace serving {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWordsMin = 4;  // less is no sentence

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "- item", "* item", "12. item": without the mark.
std::string_view without_list_mark(std::string_view line, bool& is_item) noexcept {
  is_item = false;
  std::size_t at = 0;
  if (line.starts_with('-') || line.starts_with('*')) {
    at = 1;
  } else {
    while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
    if (at == 0 || at == line.size() || line[at] != '.') return line;
    ++at;
  }
  if (at >= line.size() || line[at] != ' ') return line;
  is_item = true;
  return trimmed(line.substr(at));
}

// Drops link targets and marks: "[text](target)" is "text", "**text**" and "`text`" too.
std::string plain(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '`' || c == '[' || (c == '*' && line.substr(i, 2) == "**")) continue;
    if (c == '*' && i > 0 && line[i - 1] == '*') continue;
    if (c == ']') {
      const std::size_t close =
          line.substr(i + 1).starts_with('(') ? line.find(')', i) : std::string_view::npos;
      if (close != std::string_view::npos) i = close;
      continue;
    }
    if (c == ' ' && text.ends_with(' ')) continue;
    text += c;
  }
  return text;
}

// Names of things, not words: nobody says them.
bool has_code(std::string_view sentence) noexcept {
  return sentence.find_first_of("()[]{}<>/_=|&$%;\"\\") != std::string_view::npos ||
         sentence.find("::") != std::string_view::npos ||
         sentence.find("--") != std::string_view::npos;
}

// The sentences of a paragraph that are prose.
std::string sentences_of(std::string_view paragraph) {
  std::string kept;
  while (!paragraph.empty()) {
    const std::size_t dot = paragraph.find(". ");
    const std::size_t end = dot == std::string_view::npos ? paragraph.size() : dot + 1;
    const std::string_view sentence = paragraph.substr(0, end);
    if (!has_code(sentence)) {
      if (!kept.empty()) kept += ' ';
      kept += sentence;
    }
    paragraph.remove_prefix(std::min(end + 1, paragraph.size()));
  }
  return kept;
}

class ProseReader {
 public:
  void line(std::string_view raw) {
    const std::string_view line = trimmed(raw);
    if (line.starts_with("```")) {
      in_code_ = !in_code_;
      return finish();
    }
    if (in_code_) return;
    if (line.empty() || line.starts_with('|') || line.starts_with('#') || line.starts_with('<') ||
        line.starts_with("![")) {
      return finish();
    }
    bool is_item = false;
    const std::string_view text = without_list_mark(line, is_item);
    if (is_item) finish();
    if (!paragraph_.empty()) paragraph_ += ' ';
    paragraph_ += plain(text);
  }
  std::vector<std::string> take() {
    finish();
    return std::move(paragraphs_);
  }

 private:
  void finish() {
    std::string text = sentences_of(paragraph_);
    const auto blanks = std::count(text.begin(), text.end(), ' ');
    if (static_cast<std::size_t>(blanks) + 1 >= kWordsMin) paragraphs_.push_back(std::move(text));
    paragraph_.clear();
  }

  bool in_code_ = false;
  std::string paragraph_;
  std::vector<std::string> paragraphs_;
};

std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return {path};
  std::vector<fs::path> files = {path / "README.md"};
  for (const fs::directory_entry& entry : fs::directory_iterator(path / "docs", ignored)) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  std::sort(files.begin() + 1, files.end());
  return files;
}

}  // namespace

std::vector<std::string> prose_of(std::string_view markdown) {
  ProseReader reader;
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    reader.line(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return reader.take();
}

spanwire::Result<std::vector<std::string>> read_corpus(const std::string& path) {
  std::vector<std::string> paragraphs;
  bool any_read = false;
  for (const fs::path& name : files_of(path)) {
    std::ifstream file(name, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) continue;
    any_read = true;
    for (std::string& paragraph : prose_of(text.str())) paragraphs.push_back(std::move(paragraph));
  }
  if (!any_read) return spanwire::fail(spanwire::Errc::file_read_failed, "cannot read " + path);
  if (paragraphs.empty())
    return spanwire::fail(spanwire::Errc::invalid_argument, "no prose in " + path);
  return paragraphs;
}

}  // namespace serving
