#include "lib/inspect/timeline/spill_sorter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace spanwire::inspect {
namespace {

constexpr std::size_t kRunsMax = 64;
constexpr std::size_t kCursorBytesMin = std::size_t{16} << 10;
constexpr std::size_t kCursorBytesMax = std::size_t{256} << 10;
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr std::size_t kHeadBytes = sizeof(SortKey) + sizeof(std::uint32_t);

std::string system_text(std::string_view what) {
  return std::string(what) + ": " + std::strerror(errno);
}

}  // namespace

SpillSorter::~SpillSorter() {
  if (file_ >= 0) ::close(file_);
}

Result<void> SpillSorter::add(const SortKey& key, std::string_view payload) {
  // Address space costs nothing until it is used; a vector that grows uses all of it twice.
  if (entries_.capacity() == 0) entries_.reserve(memory_bytes_ / (2 * sizeof(Entry)));
  entries_.push_back({key, arena_.store(payload), static_cast<std::uint32_t>(payload.size())});
  ++size_;
  if (arena_.stored_bytes() + entries_.size() * sizeof(Entry) < memory_bytes_) return {};
  return spill();
}

void SpillSorter::sort_memory() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.key < b.key; });
}

Result<void> SpillSorter::spill() {
  if (file_ < 0) {
    std::string path = folder_ + "/.spanwire-sort-XXXXXX";
    file_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (file_ < 0) return fail(Errc::file_open_failed, system_text(path));
    ::unlink(path.c_str());
  }
  sort_memory();
  const std::uint64_t begin = file_bytes_;
  for (const Entry& entry : entries_) {
    SPANWIRE_TRY_VOID(append(entry.key, {entry.payload, entry.bytes}));
  }
  SPANWIRE_TRY_VOID(flush());
  runs_.push_back({begin, file_bytes_});
  entries_.clear();
  arena_.clear();
  return {};
}

Result<void> SpillSorter::append(const SortKey& key, std::string_view payload) {
  const auto bytes = static_cast<std::uint32_t>(payload.size());
  pending_.append(reinterpret_cast<const char*>(key.data()), sizeof key);
  pending_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  pending_.append(payload);
  return pending_.size() < kWriteBytes ? Result<void>() : flush();
}

Result<void> SpillSorter::flush() {
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const ssize_t written =
        ::pwrite(file_, rest.data(), rest.size(), static_cast<off_t>(file_bytes_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return fail(Errc::file_write_failed, system_text("a temporary file in " + folder_));
    }
    file_bytes_ += static_cast<std::uint64_t>(written);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  pending_.clear();
  return {};
}

Result<void> SpillSorter::finish() {
  if (runs_.empty()) {
    sort_memory();
    return {};
  }
  SPANWIRE_TRY_VOID(spill());
  entries_ = {};
  arena_ = ByteArena();
  while (runs_.size() > kRunsMax) SPANWIRE_TRY_VOID(merge_runs(kRunsMax));
  return open_cursors(runs_.size());
}

Result<void> SpillSorter::rewind() {
  next_entry_ = 0;
  return runs_.empty() ? Result<void>() : open_cursors(runs_.size());
}

// The oldest runs become one, behind the others: each record is written about once more for each
// factor of kRunsMax.
Result<void> SpillSorter::merge_runs(std::size_t count) {
  SPANWIRE_TRY_VOID(open_cursors(count));
  const std::uint64_t begin = file_bytes_;
  SortKey key;
  std::string_view payload;
  for (;;) {
    SPANWIRE_TRY(const bool more, next_of_runs(key, payload));
    if (!more) break;
    SPANWIRE_TRY_VOID(append(key, payload));
  }
  SPANWIRE_TRY_VOID(flush());
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(count));
  runs_.push_back({begin, file_bytes_});
  return {};
}

Result<void> SpillSorter::open_cursors(std::size_t count) {
  cursors_.clear();
  cursors_.resize(count);
  heap_.clear();
  taken_ = false;
  for (std::size_t i = 0; i < count; ++i) {
    cursors_[i].run = runs_[i];
    SPANWIRE_TRY(const bool more, advance(cursors_[i]));
    if (more) heap_.push_back(i);
  }
  const auto later = [this](std::size_t a, std::size_t b) {
    return cursors_[b].key < cursors_[a].key;
  };
  std::make_heap(heap_.begin(), heap_.end(), later);
  return {};
}

Result<bool> SpillSorter::advance(Cursor& cursor) {
  if (cursor.begin == cursor.end && cursor.run.begin == cursor.run.end) return false;
  if (cursor.end - cursor.begin < kHeadBytes) SPANWIRE_TRY_VOID(fill(cursor, kHeadBytes));
  std::uint32_t bytes = 0;
  std::memcpy(cursor.key.data(), cursor.block.data() + cursor.begin, sizeof cursor.key);
  std::memcpy(&bytes, cursor.block.data() + cursor.begin + sizeof cursor.key, sizeof bytes);
  const std::size_t whole = kHeadBytes + bytes;
  if (cursor.end - cursor.begin < whole) SPANWIRE_TRY_VOID(fill(cursor, whole));
  cursor.payload = {cursor.block.data() + cursor.begin + kHeadBytes, bytes};
  cursor.begin += whole;
  return true;
}

// Until `wanted` bytes are there.
Result<void> SpillSorter::fill(Cursor& cursor, std::size_t wanted) {
  const std::size_t kept = cursor.end - cursor.begin;
  if (kept > 0) std::memmove(cursor.block.data(), cursor.block.data() + cursor.begin, kept);
  cursor.begin = 0;
  cursor.end = kept;
  // All cursors together keep to the budget, too.
  const std::size_t usual = std::clamp(memory_bytes_ / kRunsMax, kCursorBytesMin, kCursorBytesMax);
  if (cursor.block.size() < wanted) cursor.block.resize(std::max(wanted, usual));
  while (cursor.end < wanted) {
    const std::size_t room = std::min<std::uint64_t>(cursor.block.size() - cursor.end,
                                                     cursor.run.end - cursor.run.begin);
    const ssize_t got = ::pread(file_, cursor.block.data() + cursor.end, room,
                                static_cast<off_t>(cursor.run.begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail(Errc::file_read_failed, system_text("a temporary file in " + folder_));
    }
    cursor.end += static_cast<std::size_t>(got);
    cursor.run.begin += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<bool> SpillSorter::next_of_runs(SortKey& key, std::string_view& payload) {
  const auto later = [this](std::size_t a, std::size_t b) {
    return cursors_[b].key < cursors_[a].key;
  };
  // The last one's payload lay in its cursor: only now may that go on.
  if (taken_) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    SPANWIRE_TRY(const bool more, advance(cursors_[heap_.back()]));
    if (more) {
      std::push_heap(heap_.begin(), heap_.end(), later);
    } else {
      cursors_[heap_.back()].block = {};
      heap_.pop_back();
    }
  }
  taken_ = !heap_.empty();
  if (!taken_) return false;
  key = cursors_[heap_.front()].key;
  payload = cursors_[heap_.front()].payload;
  return true;
}

Result<bool> SpillSorter::next(SortKey& key, std::string_view& payload) {
  if (!runs_.empty()) return next_of_runs(key, payload);
  if (next_entry_ == entries_.size()) return false;
  const Entry& entry = entries_[next_entry_++];
  key = entry.key;
  payload = {entry.payload, entry.bytes};
  return true;
}

}  // namespace spanwire::inspect
