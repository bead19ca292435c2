// Lines of an input, in place.  Internal to inspect.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace spanwire::inspect {

// One thread at a time.
class LineSource {
 public:
  // Puts up to so many bytes there and returns how many; 0 at the end.
  using Fill = std::function<std::size_t(char* to, std::size_t room)>;

  // Lines longer than `line_bytes_max` are not handed out as such.
  LineSource(Fill fill, std::size_t line_bytes_max);

  enum class Kind {
    line,
    last,       // a line without its end
    long_line,  // the beginning of one: to be taken by buffered() and consume()
    document,   // a bracket alone in its line: the beginning of a document over several; likewise
    end,
  };
  // The next line, valid until the next call, with kLinePadding bytes behind it that may be looked
  // at.
  Kind next(std::string_view& line);

  // What is there and was not handed out; empty at the end only.
  std::string_view buffered();
  void consume(std::size_t bytes) noexcept;
  // More behind what is buffered; false at the end.
  bool fill();

  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  Fill fill_;
  std::size_t line_bytes_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // bytes behind begin_ that hold no line end
  std::uint64_t bytes_read_ = 0;
};

}  // namespace spanwire::inspect
