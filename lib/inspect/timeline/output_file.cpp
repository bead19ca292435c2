#include "lib/inspect/timeline/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace spanwire::inspect {
namespace {

std::string system_text(const std::string& path) { return path + ": " + std::strerror(errno); }

// What open() would give a new file; mkstemp gives it to the owner alone.
mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

OutputFile::~OutputFile() {
  if (file_ >= 0 && file_ != STDOUT_FILENO) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

std::string OutputFile::folder() const {
  const std::size_t slash = path_.rfind('/');
  if (path_ == "-" || path_.starts_with("/dev/")) {
    const char* temporary = std::getenv("TMPDIR");
    return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
  }
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path_.substr(0, slash);
}

Result<void> OutputFile::open() {
  if (path_ == "-") {
    file_ = STDOUT_FILENO;
    return {};
  }
  struct stat status{};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ < 0) return fail(Errc::file_open_failed, system_text(path_));
    return {};
  }
  if (exists && ::access(path_.c_str(), W_OK) != 0) {
    return fail(Errc::file_open_failed, system_text(path_));
  }
  return open_beside(exists, status.st_mode & 07777);
}

Result<void> OutputFile::open_beside(bool exists, unsigned mode) {
  beside_ = true;
  file_ = ::open(folder().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (file_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string temporary = path_ + ".XXXXXX";
    file_ = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (file_ >= 0) temporary_ = std::move(temporary);
    if (!exists) mode = usual_mode();
  } else if (!exists) {
    mode = 0;
  }
  if (file_ < 0) return fail(Errc::file_open_failed, system_text(path_));
  // An older file's successor is as open to others as that was.
  if (mode != 0) ::fchmod(file_, mode);
  return {};
}

Result<void> OutputFile::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Errc::file_write_failed, system_text(path_));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  bytes_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<void> OutputFile::commit() {
  SPANWIRE_TRY_VOID(flush());
  if (file_ == STDOUT_FILENO) return {};
  if (beside_ && temporary_.empty()) {
    const std::string nameless = "/proc/self/fd/" + std::to_string(file_);
    const std::string name = path_ + '.' + std::to_string(::getpid()) + ".part";
    if (::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return fail(Errc::file_write_failed, system_text(name));
    }
    temporary_ = name;
  }
  // Some file systems report a full disk only here.
  if (::close(std::exchange(file_, -1)) != 0) {
    return fail(Errc::file_write_failed, system_text(path_));
  }
  if (beside_ && std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return fail(Errc::file_write_failed, system_text(path_));
  }
  temporary_.clear();
  return {};
}

}  // namespace spanwire::inspect
