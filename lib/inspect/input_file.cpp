#include "lib/inspect/input_file.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace spanwire::inspect {
namespace {

constexpr unsigned kPackedBytesAtOnce = 1u << 17;
constexpr std::size_t kReadAtOnceMax = std::size_t{1} << 30;

}  // namespace

InputFile::InputFile(std::string path, gzFile_s* file) noexcept
    : path_(std::move(path)), file_(file) {}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, nullptr)),
      failure_(std::move(other.failure_)),
      damage_(std::move(other.damage_)) {}

InputFile::~InputFile() {
  if (file_ != nullptr) gzclose(file_);
}

Result<InputFile> InputFile::open(const std::string& path) {
  const int fd = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Errc::file_open_failed, path + ": " + std::strerror(errno));
  gzFile_s* const file = gzdopen(fd, "rb");
  if (file == nullptr) {
    ::close(fd);
    return fail(Errc::file_open_failed, path + ": no memory for it");
  }
  gzbuffer(file, kPackedBytesAtOnce);
  return InputFile(path, file);
}

std::size_t InputFile::read(char* to, std::size_t room) {
  errno = 0;
  const int got = gzread(file_, to, static_cast<unsigned>(std::min(room, kReadAtOnceMax)));
  int code = Z_OK;
  const char* const text = gzerror(file_, &code);
  if (code == Z_ERRNO) {
    failure_ = fail(Errc::file_read_failed, path_ + ": " + std::strerror(errno));
  } else if (code != Z_OK && code != Z_STREAM_END) {
    damage_ = code == Z_BUF_ERROR ? "the gzip file is cut off" : std::string("gzip: ") + text;
  }
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

}  // namespace spanwire::inspect
