#include "spanwire/otlp/file_exporter.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "lib/otlp/write_all.hpp"

namespace spanwire::otlp {
namespace {

std::string cause_of(const std::string& path, int error) {
  return path + ": " + std::generic_category().message(error);
}

bool was_removed(int file) noexcept {
  struct stat info{};
  return fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 0;
}

}  // namespace

std::string expand_path(const std::string& pattern) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == 'p') path += std::to_string(getpid());
    if (next == '%') path += '%';
    if (next == 'p' || next == '%') {
      ++i;
    } else {
      path += pattern[i];
    }
  }
  return path;
}

FileExporter::FileExporter(std::string pattern) : pattern_(std::move(pattern)) {}

FileExporter::~FileExporter() { close(); }

void FileExporter::start(const trace::Resource& resource) {
  path_ = expand_path(pattern_);
  encoder_.emplace(resource);
}

Result<void> FileExporter::open() {
  if (file_ >= 0 && was_removed(file_)) close();
  if (file_ >= 0) return {};
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) return fail(Errc::file_open_failed, cause_of(path_, errno));
  torn_line_ = false;
  return {};
}

Result<void> FileExporter::write(ByteView bytes) {
  const std::size_t whole = bytes.size();
  const int error = write_all(file_, bytes);
  if (bytes.size() != whole) torn_line_ = !bytes.empty();
  if (error != 0) return fail(Errc::file_write_failed, cause_of(path_, error));
  return {};
}

trace::ExportResult FileExporter::export_batch(std::span<const trace::SpanRecordView> spans,
                                               MonotonicTime) {
  if (Result<void> opened = open(); !opened) return {0, opened.error()};
  line_.clear();
  if (torn_line_) line_.append("\n");
  encoder_->encode(spans, line_);
  line_.append("\n");
  if (Result<void> written = write(line_.view()); !written) return {0, written.error()};
  return {spans.size(), {}};
}

Result<void> FileExporter::shutdown(MonotonicTime) {
  close();
  line_ = Buffer();
  return {};
}

std::unique_ptr<trace::Exporter> FileExporter::for_child() const {
  return std::make_unique<FileExporter>(pattern_);
}

void FileExporter::close() noexcept {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

}  // namespace spanwire::otlp
