// A file that is there whole or not at all.  Internal to inspect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::inspect {

// Written beside its place without a name, so that nothing is left of it however the process ends;
// gets its name, in the place of what had it, by commit().  "-" is standard output; it and what is
// no regular file (a pipe, a device) are written directly.  One thread at a time.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Fails with file_open_failed.
  Result<void> open();
  // What is appended to buffer() is written now and then; both fail with file_write_failed.
  std::string& buffer() noexcept { return buffer_; }
  Result<void> flush_if_full() { return buffer_.size() < kBufferBytes ? Result<void>() : flush(); }
  Result<void> commit();

  std::uint64_t bytes() const noexcept { return bytes_ + buffer_.size(); }
  // Where temporary files belong.
  std::string folder() const;

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  Result<void> flush();
  Result<void> open_beside(bool exists, unsigned mode);

  std::string path_;
  std::string temporary_;  // its name until commit(), where the file system gives none without
  bool beside_ = false;    // else written directly
  std::string buffer_;
  std::uint64_t bytes_ = 0;
  int file_ = -1;
};

}  // namespace spanwire::inspect
