// Sorts more records than fit into memory: what exceeds the budget goes, sorted, to a file without
// a name, and is merged when it is read.  Internal to inspect.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/inspect/timeline/byte_arena.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::inspect {

// Compared from the first word on.  Records with equal keys come out in any order.
using SortKey = std::array<std::uint64_t, 4>;

// One thread at a time: add() any number of times, finish(), then next() to the end, and again
// after each rewind().
class SpillSorter {
 public:
  // The file is made in `folder` when it is needed.
  SpillSorter(std::string folder, std::size_t memory_bytes)
      : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}
  SpillSorter(const SpillSorter&) = delete;
  SpillSorter& operator=(const SpillSorter&) = delete;
  ~SpillSorter();

  // Fails with file_open_failed, file_write_failed (a full disk) or file_read_failed, as the
  // others do.
  Result<void> add(const SortKey& key, std::string_view payload);
  Result<void> finish();
  Result<void> rewind();
  // False at the end.  The payload is valid until the next call.
  Result<bool> next(SortKey& key, std::string_view& payload);

  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t bytes_on_disk() const noexcept { return file_bytes_; }

 private:
  struct Entry {
    SortKey key;
    const char* payload;
    std::uint32_t bytes;
  };
  struct Run {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // Reads a run from the file, record by record.
  struct Cursor {
    Run run;
    std::vector<char> block;
    std::size_t begin = 0;
    std::size_t end = 0;
    SortKey key{};
    std::string_view payload;
  };

  void sort_memory();
  Result<void> spill();
  Result<void> append(const SortKey& key, std::string_view payload);
  Result<void> flush();
  Result<void> merge_runs(std::size_t count);
  Result<void> open_cursors(std::size_t count);
  Result<bool> advance(Cursor& cursor);
  Result<void> fill(Cursor& cursor, std::size_t wanted);
  Result<bool> next_of_runs(SortKey& key, std::string_view& payload);

  std::string folder_;
  std::size_t memory_bytes_;
  std::uint64_t size_ = 0;
  ByteArena arena_;
  std::vector<Entry> entries_;
  std::size_t next_entry_ = 0;
  int file_ = -1;
  std::uint64_t file_bytes_ = 0;
  std::string pending_;  // behind file_bytes_
  std::vector<Run> runs_;
  std::vector<Cursor> cursors_;
  std::vector<std::size_t> heap_;  // of cursors, the smallest key first
  bool taken_ = false;             // the record of the first cursor was handed out
};

}  // namespace spanwire::inspect
