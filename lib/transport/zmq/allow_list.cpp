#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <unordered_set>
#include <vector>

#include "lib/transport/zmq/key_file.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter allow_list_failures("spanwire.zmq.allow_list_failures");
constinit NamedCounter allow_list_reads("spanwire.zmq.allow_list_reads");

// Keys are random: a part of one is its hash.
struct KeyHash {
  std::size_t operator()(const CurvePublicKey& key) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, key.bytes().data(), sizeof(hash));
    return hash;
  }
};
using KeySet = std::unordered_set<CurvePublicKey, KeyHash>;

bool is_folder(const std::string& path) noexcept {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// The *.key files of a folder, sorted.
Result<std::vector<std::string>> key_files(const std::string& folder) {
  struct stat info{};
  if (::stat(folder.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0) {
    return fail(Errc::file_permissions, folder + ": anybody may put keys there");
  }
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) {
    return fail(Errc::file_open_failed, folder + ": " + std::generic_category().message(errno));
  }
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".key") && !name.starts_with('.'))
      files.push_back(folder + '/' + entry->d_name);
  }
  ::closedir(open);
  std::ranges::sort(files);
  return files;
}

Result<std::vector<CurvePublicKey>> read_folder(const std::string& folder) {
  SPANWIRE_TRY(const std::vector<std::string> files, key_files(folder));
  if (files.size() > kAllowedKeysMax) {
    return fail(Errc::file_malformed, folder + " has more than 100,000 keys");
  }
  std::vector<CurvePublicKey> keys;
  for (const std::string& file : files) {
    SPANWIRE_TRY(const CurvePublicKey key, read_public_key_file(file));
    keys.push_back(key);
  }
  return keys;
}

Result<std::vector<CurvePublicKey>> read_lines(const std::string& path) {
  SPANWIRE_TRY(const std::string content,
               read_key_file(path, KeyFileKind::open, kAllowListBytesMax));
  std::vector<CurvePublicKey> keys;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = take_line(rest);
    // No key begins with #: it would be more than four bytes can hold.
    if (line.empty() || line.starts_with('#')) continue;
    const std::string where = path + ", line " + std::to_string(number);
    if (keys.size() == kAllowedKeysMax) {
      return fail(Errc::file_malformed, where + ": more than 100,000 keys");
    }
    const Result<CurvePublicKey> key =
        CurvePublicKey::parse(line.substr(0, line.find_first_of(" \t")));
    if (!key) {
      return fail(key.error().code(), where + ": " + std::string(key.error().detail()));
    }
    keys.push_back(*key);
  }
  return keys;
}

void mix(std::uint64_t& hash, std::uint64_t value) noexcept {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 29;
}

void mix_file(std::uint64_t& hash, const std::string& path) noexcept {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return mix(hash, 0);
  for (const auto value :
       {static_cast<std::uint64_t>(info.st_ino), static_cast<std::uint64_t>(info.st_size),
        static_cast<std::uint64_t>(info.st_mode), static_cast<std::uint64_t>(info.st_ctim.tv_sec),
        static_cast<std::uint64_t>(info.st_ctim.tv_nsec)}) {
    mix(hash, value);
  }
}

}  // namespace

Result<std::vector<CurvePublicKey>> read_allow_list(const std::string& path) {
  SPANWIRE_TRY(std::vector<CurvePublicKey> keys,
               is_folder(path) ? read_folder(path) : read_lines(path));
  if (keys.empty()) return fail(Errc::not_found, path + " names no key: nobody could connect");
  return keys;
}

std::uint64_t allow_list_fingerprint(const std::string& path) {
  std::uint64_t hash = 1;
  mix_file(hash, path);
  if (!is_folder(path)) return hash;
  if (const Result<std::vector<std::string>> files = key_files(path)) {
    for (const std::string& file : *files) mix_file(hash, file);
  }
  return hash;
}

struct AllowList::State {
  State(std::string file, const Clock& used) : path(std::move(file)), clock(used) {}

  Result<void> read();

  const std::string path;
  const Clock& clock;
  mutable std::mutex mutex;
  KeySet keys;
  std::uint64_t fingerprint = 0;
  bool failed = false;
  MonotonicTime looked;
};

// Taken before reading: a change in between is seen at the next look.
Result<void> AllowList::State::read() {
  looked = clock.monotonic();
  fingerprint = allow_list_fingerprint(path);
  const Result<std::vector<CurvePublicKey>> read = read_allow_list(path);
  allow_list_reads.add();
  keys.clear();
  failed = !read;
  if (failed) {
    allow_list_failures.add();
    return fail(read.error());
  }
  keys.insert(read->begin(), read->end());
  return {};
}

AllowList::AllowList(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
AllowList::~AllowList() = default;

Result<std::shared_ptr<AllowList>> AllowList::open(std::string path, const Clock& clock) {
  std::shared_ptr<AllowList> list(new AllowList(std::make_unique<State>(std::move(path), clock)));
  SPANWIRE_TRY_VOID(list->reload());
  return list;
}

bool AllowList::allows(const CurvePublicKey& key) {
  const std::lock_guard lock(state_->mutex);
  if (state_->clock.monotonic() - state_->looked >= kAllowListCheck) {
    state_->looked = state_->clock.monotonic();
    if (state_->failed || allow_list_fingerprint(state_->path) != state_->fingerprint) {
      if (const Result<void> read = state_->read(); !read) {
        log_error("the list of allowed keys cannot be read: nobody is let in",
                  {{"error", read.error().message()}});
      } else {
        log_info("the list of allowed keys has changed",
                 {{"path", state_->path}, {"keys", state_->keys.size()}});
      }
    }
  }
  return state_->keys.contains(key);
}

Result<void> AllowList::reload() {
  const std::lock_guard lock(state_->mutex);
  return state_->read();
}

std::size_t AllowList::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->keys.size();
}

const std::string& AllowList::path() const noexcept { return state_->path; }

}  // namespace spanwire::transport
