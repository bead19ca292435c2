#include "spanwire/inspect/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace spanwire::inspect {
namespace {

tl::unexpected<Error> system_failure(Errc code, const std::string& path) {
  return fail(code, path + ": " + std::strerror(errno));
}

// The name itself is on the disk only when its folder is.
void sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

Result<WholeFile> WholeFile::create(const std::string& path) {
  WholeFile whole;
  whole.path_ = path;
  static std::atomic<unsigned> count{0};
  const std::string name =
      path + ".part-" + std::to_string(::getpid()) + '-' + std::to_string(count.fetch_add(1));
  const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return system_failure(Errc::file_open_failed, path);
  whole.temporary_ = name;
  whole.file_.reset(::fdopen(descriptor, "w"));
  if (!whole.file_) {
    ::close(descriptor);
    return system_failure(Errc::file_open_failed, path);
  }
  return whole;
}

WholeFile::WholeFile(WholeFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)) {}

WholeFile& WholeFile::operator=(WholeFile&& other) noexcept {
  if (this == &other) return *this;
  drop();
  path_ = std::move(other.path_);
  temporary_ = std::exchange(other.temporary_, {});
  file_ = std::move(other.file_);
  return *this;
}

WholeFile::~WholeFile() { drop(); }

void WholeFile::drop() noexcept {
  file_.reset();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

Result<void> WholeFile::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    return system_failure(Errc::file_write_failed, path_);
  }
  return {};
}

Result<void> WholeFile::flush() {
  if (std::fflush(file_.get()) != 0) return system_failure(Errc::file_write_failed, path_);
  return {};
}

Result<void> WholeFile::keep_as(const std::string& path) {
  path_ = path;
  return keep();
}

Result<void> WholeFile::keep() {
  SPANWIRE_TRY_VOID(flush());
  if (::fsync(::fileno(file_.get())) != 0 || std::fclose(file_.release()) != 0 ||
      std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return system_failure(Errc::file_write_failed, path_);
  }
  temporary_.clear();
  sync_folder(path_);
  return {};
}

Result<void> write_whole_file(const std::string& path, std::string_view bytes) {
  SPANWIRE_TRY(WholeFile file, WholeFile::create(path));
  SPANWIRE_TRY_VOID(file.write(bytes));
  return file.keep();
}

const std::vector<std::string_view>& RunFolder::folders() {
  static const std::vector<std::string_view> all = {"logs",    "prometheus", "metrics",
                                                    "configs", "telemetry",  "jaeger/badger"};
  return all;
}

Result<RunFolder> RunFolder::create(const std::string& path) {
  for (const std::string_view folder : folders()) {
    const std::string name = path + '/' + std::string(folder);
    std::error_code error;
    std::filesystem::create_directories(name, error);
    if (error) return fail(Errc::file_open_failed, name + ": " + error.message());
    // Dropped at once: that it could be made is what was asked.
    SPANWIRE_TRY(WholeFile probe, WholeFile::create(name + "/.writable"));
    SPANWIRE_TRY_VOID(probe.write("x"));
    SPANWIRE_TRY_VOID(probe.flush());
  }
  return RunFolder(path);
}

Result<RunFolder> RunFolder::open(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path + "/telemetry", error)) {
    return fail(Errc::not_found, path + ": no run: there is no telemetry/ in it");
  }
  return RunFolder(path);
}

}  // namespace spanwire::inspect
