#include "lib/inspect/timeline/spill_sorter.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/base/random.hpp"

namespace spanwire::inspect {
namespace {

using Record = std::pair<SortKey, std::string>;

std::vector<Record> random_records(std::uint64_t seed, std::size_t count, std::size_t bytes_max) {
  Random random(seed);
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t wide = random.next() % 8;
    records.push_back({{wide, random.next() % 100, random.next(), i},
                       std::string(random.next() % bytes_max, static_cast<char>('a' + i % 26))});
  }
  return records;
}

std::vector<Record> sorted_by(SpillSorter& sorter, const std::vector<Record>& records) {
  for (const auto& [key, payload] : records) EXPECT_TRUE(sorter.add(key, payload));
  EXPECT_TRUE(sorter.finish());
  std::vector<Record> found;
  SortKey key;
  std::string_view payload;
  for (;;) {
    const Result<bool> more = sorter.next(key, payload);
    EXPECT_TRUE(more);
    if (!more || !*more) return found;
    found.emplace_back(key, payload);
  }
}

TEST(SpillSorter, SortsInMemoryAndOnDiskAlike) {
  std::vector<Record> records = random_records(3, 5'000, 200);
  SpillSorter roomy(::testing::TempDir(), std::size_t{64} << 20);
  // About two runs, about twenty, and more than are merged at once.
  SpillSorter two(::testing::TempDir(), 500'000);
  SpillSorter twenty(::testing::TempDir(), 40'000);
  SpillSorter many(::testing::TempDir(), 4'000);
  const std::vector<Record> in_memory = sorted_by(roomy, records);
  EXPECT_EQ(roomy.bytes_on_disk(), 0u);
  for (SpillSorter* sorter : {&two, &twenty, &many}) {
    EXPECT_EQ(sorted_by(*sorter, records), in_memory);
    EXPECT_GT(sorter->bytes_on_disk(), 500'000u);
    EXPECT_EQ(sorter->size(), records.size());
  }
  std::sort(records.begin(), records.end());
  EXPECT_EQ(in_memory, records);
}

TEST(SpillSorter, TakesRecordsOfEverySize) {
  std::vector<Record> records = random_records(5, 20, 10);
  records.push_back({{1, 2, 3, 4}, std::string(3'000'000, 'x')});
  records.push_back({{9, 9, 9, 9}, ""});
  SpillSorter sorter(::testing::TempDir(), 1'000);
  const std::vector<Record> found = sorted_by(sorter, records);
  std::sort(records.begin(), records.end());
  EXPECT_EQ(found, records);
}

TEST(SpillSorter, NothingSortsToNothing) {
  SpillSorter sorter(::testing::TempDir(), 1'000);
  EXPECT_TRUE(sorted_by(sorter, {}).empty());
}

TEST(SpillSorter, NamesTheFolderThatCannotBeWritten) {
  SpillSorter sorter("/nonexistent", 100);
  const Result<void> added = sorter.add({1, 2, 3, 4}, std::string(200, 'x'));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code(), Errc::file_open_failed);
  EXPECT_NE(added.error().detail().find("/nonexistent"), std::string_view::npos);
}

}  // namespace
}  // namespace spanwire::inspect
