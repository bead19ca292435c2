// Path: the name of what is called, "llm/decode/generate".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::rpc {

// UTF-8, at most 4 KiB (wire::kPathBytesMax), segments parted by '/'.  A literal costs no copy,
// other text is copied once.  A value; safe to move between threads.
class Path {
 public:
  Path() noexcept = default;
  template <std::size_t N>
  consteval Path(const char (&literal)[N]) noexcept  // NOLINT: a literal is a path
      : data_(literal), size_(N - 1), plain_(is_plain({literal, N - 1})) {}
  Path(const std::string& text) : Path(std::string_view(text)) {}  // NOLINT
  Path(std::string_view text)                                      // NOLINT
      : owned_(Slice::copy_of(text)), data_(owned_.text().data()), size_(text.size()) {}
  // Text that outlives every copy of this path.
  static Path of_static(std::string_view text) noexcept {
    Path path;
    path.data_ = text.data();
    path.size_ = text.size();
    return path;
  }

  std::string_view text() const noexcept { return {data_, size_}; }
  // Known to be fine when the program was compiled: nothing is left to check.
  bool plain() const noexcept { return plain_; }

 private:
  Slice owned_;
  static constexpr bool is_plain(std::string_view text) noexcept {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    return !text.empty() && text.size() <= wire::kPathBytesMax;
  }

  const char* data_ = "";
  std::size_t size_ = 0;
  bool plain_ = false;
};

// path_too_long, path_not_utf8, or invalid_argument for an empty path, with the value in the text.
Result<void> check_path(std::string_view path);

}  // namespace spanwire::rpc
