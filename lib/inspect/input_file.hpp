// InputFile: the bytes of a file or of standard input; what is packed by gzip comes unpacked.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "spanwire/base/result.hpp"

struct gzFile_s;

namespace spanwire::inspect {

// One thread at a time.
class InputFile {
 public:
  // "-" is standard input.  Fails with file_open_failed.
  static Result<InputFile> open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  // Puts up to so many bytes there and returns how many; 0 at the end, or where nothing more can be
  // read: see failure() and damage().
  std::size_t read(char* to, std::size_t room);
  // Why the system did not give more: file_read_failed.
  const Result<void>& failure() const noexcept { return failure_; }
  // What is wrong with the packed bytes; empty if nothing.  What came before is good.
  const std::string& damage() const noexcept { return damage_; }

 private:
  InputFile(std::string path, gzFile_s* file) noexcept;

  std::string path_;
  gzFile_s* file_;
  Result<void> failure_;
  std::string damage_;
};

}  // namespace spanwire::inspect
