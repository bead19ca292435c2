#include "lib/otlp/write_all.hpp"

#include <unistd.h>

#include <cerrno>

namespace spanwire::otlp {

int write_all(int file, ByteView& bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace spanwire::otlp
