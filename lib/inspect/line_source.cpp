#include "lib/inspect/line_source.hpp"

#include <cstring>
#include <utility>

#include "lib/inspect/line_reader.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

bool is_blank(std::string_view line) noexcept {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// No document fits in such a line, and none that was damaged leaves one.
bool is_opening(std::string_view line) noexcept {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos || (line[first] != '{' && line[first] != '[')) return false;
  return line.find_first_not_of(" \t\r", first + 1) == std::string_view::npos;
}

}  // namespace

LineSource::LineSource(Fill fill, std::size_t line_bytes_max)
    : fill_(std::move(fill)), line_bytes_max_(line_bytes_max), buffer_(kReadBytes + kLinePadding) {}

LineSource::Kind LineSource::next(std::string_view& line) {
  for (;;) {
    const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
    const std::size_t found = rest.find('\n', searched_);
    if (found == std::string_view::npos && rest.size() <= line_bytes_max_) {
      searched_ = rest.size();
      if (fill()) continue;
    }
    searched_ = 0;
    // Where it is now: looking for more may have moved it.
    line = std::string_view(buffer_.data() + begin_, end_ - begin_).substr(0, found);
    if (is_opening(line)) return Kind::document;
    if (line.size() > line_bytes_max_ && !is_blank(line)) return Kind::long_line;
    begin_ += line.size() + (found == std::string_view::npos ? 0 : 1);
    if (found != std::string_view::npos) return Kind::line;
    return line.empty() ? Kind::end : Kind::last;
  }
}

std::string_view LineSource::buffered() {
  if (begin_ == end_) fill();
  return {buffer_.data() + begin_, end_ - begin_};
}

void LineSource::consume(std::size_t bytes) noexcept { begin_ += bytes; }

bool LineSource::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ + kReadBytes / 2 + kLinePadding > buffer_.size()) buffer_.resize(2 * buffer_.size());
  const std::size_t got = fill_(buffer_.data() + end_, buffer_.size() - kLinePadding - end_);
  end_ += got;
  bytes_read_ += got;
  return got > 0;
}

}  // namespace spanwire::inspect
