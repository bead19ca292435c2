#include "lib/transport/zmq/key_file.hpp"

#include <fcntl.h>
#include <string.h>  // explicit_bzero
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace spanwire::transport {
namespace {

std::string describe(const std::string& path, int error) {
  return path + ": " + std::generic_category().message(error);
}

class File {
 public:
  explicit File(int descriptor) noexcept : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

std::string octal(mode_t mode) {
  std::string text = "0000";
  for (std::size_t i = 0; i < 3; ++i) {
    text[3 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7));
  }
  return text;
}

// As for keys of ssh; and, as root's files are mounted into containers, readable by a group.
Result<void> check_secret(const std::string& path, const struct stat& info) {
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(Errc::file_permissions, path + " belongs to user " + std::to_string(info.st_uid) +
                                            ": want this user or root");
  }
  const mode_t forbidden = info.st_uid == 0 && ::geteuid() != 0 ? 0037 : 0077;
  if ((info.st_mode & forbidden) != 0) {
    return fail(Errc::file_permissions,
                path + " has mode " + octal(info.st_mode) + ": want 0600, for its owner alone");
  }
  return {};
}

Result<void> check_file(const std::string& path, KeyFileKind kind, const struct stat& info,
                        std::size_t bytes_max) {
  if (!S_ISREG(info.st_mode)) return fail(Errc::file_malformed, path + " is not a file");
  if (static_cast<std::uint64_t>(info.st_size) > bytes_max) {
    return fail(Errc::file_malformed, path + " has " + std::to_string(info.st_size) +
                                          " bytes: at most " + std::to_string(bytes_max));
  }
  if (kind == KeyFileKind::secret) return check_secret(path, info);
  if ((info.st_mode & S_IWOTH) != 0) {
    return fail(Errc::file_permissions,
                path + " has mode " + octal(info.st_mode) + ": anybody may change it");
  }
  return {};
}

// What the two key lines of a file hold.
struct KeyLines {
  std::string public_key;
  std::string secret_key;

  ~KeyLines() { explicit_bzero(secret_key.data(), secret_key.size()); }
};

std::string place(const std::string& path, std::size_t line) {
  return path + ", line " + std::to_string(line);
}

// `name = "value"`, of which only the names of keys matter: metadata is free.
Result<void> take_key_line(std::string_view line, const std::string& where, KeyLines& keys) {
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::string*>{"public-key", &keys.public_key},
        std::pair<std::string_view, std::string*>{"secret-key", &keys.secret_key}}) {
    if (!line.starts_with(name)) continue;
    std::string_view rest = line.substr(name.size());
    while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
    if (!rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
    if (rest.size() < 2 || rest.front() != '"' || rest.back() != '"') {
      return fail(Errc::file_malformed, where + ": want " + std::string(name) + " = \"...\"");
    }
    if (!value->empty()) {
      return fail(Errc::file_malformed, where + ": a second " + std::string(name));
    }
    *value = rest.substr(1, rest.size() - 2);
  }
  return {};
}

Result<KeyLines> read_key_lines(const std::string& path, KeyFileKind kind) {
  SPANWIRE_TRY(std::string content, read_key_file(path, kind, kKeyFileBytesMax));
  KeyLines keys;
  std::string_view rest = content;
  Result<void> taken;
  for (std::size_t line = 1; taken && !rest.empty(); ++line) {
    const std::string_view text = take_line(rest);
    if (!text.starts_with('#')) taken = take_key_line(text, place(path, line), keys);
  }
  explicit_bzero(content.data(), content.size());
  if (!taken) return fail(taken.error());
  if (keys.public_key.empty()) return fail(Errc::file_malformed, path + " has no public-key");
  return keys;
}

Error in_file(const std::string& path, std::string_view name, const Error& error) {
  return Error(error.code(), path + ": " + std::string(name) + ": " + std::string(error.detail()));
}

Result<void> write_all(const File& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(Errc::file_write_failed);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file.get()) == 0 ? Result<void>() : fail(Errc::file_write_failed);
}

// Written beside its place and then put there, so that no reader ever sees half of it.
Result<void> write_file(const std::string& path, std::string_view text, mode_t mode,
                        bool overwrite) {
  const std::string beside = path + ".new-" + std::to_string(::getpid());
  const File file(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (file.get() < 0) return fail(Errc::file_write_failed, describe(beside, errno));
  Result<void> done;
  if (::fchmod(file.get(), mode) != 0 || !write_all(file, text)) {
    done = fail(Errc::file_write_failed, describe(beside, errno));
  } else if (overwrite && ::rename(beside.c_str(), path.c_str()) == 0) {
    return {};
  } else if (overwrite || ::link(beside.c_str(), path.c_str()) != 0) {
    done = fail(errno == EEXIST ? Errc::already_exists : Errc::file_write_failed,
                describe(path, errno));
  }
  ::unlink(beside.c_str());
  return done;
}

}  // namespace

Result<std::string> read_key_file(const std::string& path, KeyFileKind kind,
                                  std::size_t bytes_max) {
  // Not blocking: a pipe in the place of the file must not hold us.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return fail(Errc::file_open_failed, describe(path, errno));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail(Errc::file_read_failed, describe(path, errno));
  SPANWIRE_TRY_VOID(check_file(path, kind, info, bytes_max));
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::file_read_failed, describe(path, errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
}

Result<CurvePublicKey> read_public_key_file(const std::string& path) {
  SPANWIRE_TRY(const KeyLines lines, read_key_lines(path, KeyFileKind::open));
  if (!lines.secret_key.empty()) {
    return fail(Errc::file_malformed,
                path + " holds a secret key: hand out the file with the public key alone");
  }
  Result<CurvePublicKey> key = CurvePublicKey::parse(lines.public_key);
  if (!key) return fail(in_file(path, "public-key", key.error()));
  return key;
}

Result<CurveKeyPair> read_secret_key_file(const std::string& path) {
  SPANWIRE_TRY(const KeyLines lines, read_key_lines(path, KeyFileKind::secret));
  if (lines.secret_key.empty()) return fail(Errc::file_malformed, path + " has no secret-key");
  Result<CurveKeyPair> keys = CurveKeyPair::of_secret(lines.secret_key);
  if (!keys) return fail(in_file(path, "secret-key", keys.error()));
  if (keys->public_key().text() != lines.public_key) {
    return fail(Errc::file_malformed, path + ": its public-key and secret-key are no pair");
  }
  return keys;
}

Result<void> write_key_files(const std::string& name, const CurveKeyPair& keys, bool overwrite) {
  const std::string public_path = name + ".key";
  const std::string secret_path = name + ".key_secret";
  const std::string public_line = "curve\n    public-key = \"" + keys.public_key().text() + "\"\n";
  if (!overwrite) {
    // Before the first of the two is written.
    for (const std::string& path : {secret_path, public_path}) {
      struct stat info{};
      if (::lstat(path.c_str(), &info) == 0) return fail(Errc::already_exists, path);
    }
  }
  std::string secret_text = keys.secret_text();
  std::string secret_file = "# ZeroMQ CURVE secret key: for its owner alone.\n" + public_line +
                            "    secret-key = \"" + secret_text + "\"\n";
  const Result<void> secret_written = write_file(secret_path, secret_file, 0600, overwrite);
  explicit_bzero(secret_file.data(), secret_file.size());
  explicit_bzero(secret_text.data(), secret_text.size());
  SPANWIRE_TRY_VOID(secret_written);
  return write_file(public_path, "# ZeroMQ CURVE public key: to hand out.\n" + public_line, 0644,
                    overwrite);
}

}  // namespace spanwire::transport
