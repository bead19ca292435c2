#include "lib/trace/arena.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "spanwire/base/pool.hpp"

namespace spanwire::trace::detail {
namespace {

TEST(Arena, ABlockThatWasGivenBackIsTheNextOfItsSize) {
  if (!spanwire::detail::kPoolKeeps) GTEST_SKIP() << "nothing is kept under the address sanitizer";
  Arena arena(1 << 20);
  std::byte* const first = arena.take(3000);
  ASSERT_NE(first, nullptr);
  std::memset(first, 1, 3000);
  arena.give(first, 3000);
  std::byte* const smaller = arena.take(2048);  // another class
  std::byte* const again = arena.take(4096);
  std::byte* const another = arena.take(4096);
  EXPECT_NE(smaller, first);
  EXPECT_EQ(again, first);
  EXPECT_NE(another, first);
  arena.give(smaller, 2048);
  arena.give(again, 4096);
  arena.give(another, 4096);
}

TEST(Arena, IsBounded) {
  Arena arena(10'000);
  std::byte* const block = arena.take(6'000);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(arena.take(6'000), nullptr);
  EXPECT_EQ(arena.take(~std::size_t{0}), nullptr);
  arena.give(block, 6'000);
  std::byte* const all = arena.take(10'000);
  EXPECT_NE(all, nullptr);
  arena.give(all, 10'000);
}

TEST(Arena, TakesEverySizeAndGivesTheLargeOnesBack) {
  Arena arena(64u << 20);
  for (const std::size_t bytes : {1, 2048, 2049, 4096, 4097, 8192, 8193, 16'384, 16'385, 1 << 20}) {
    std::byte* const block = arena.take(bytes);
    ASSERT_NE(block, nullptr) << bytes;
    std::memset(block, 0xFF, bytes);
    arena.give(block, bytes);
  }
}

// One thread takes, another gives back, as recording and exporting threads do.
TEST(Arena, WandersBetweenThreads) {
  Arena arena(64u << 20);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::byte*> blocks;
    for (int i = 0; i < 100; ++i) blocks.push_back(arena.take(2000));
    std::thread giver([&] {
      for (std::byte* block : blocks) arena.give(block, 2000);
    });
    std::byte* const beside = arena.take(2000);
    ASSERT_NE(beside, nullptr);
    giver.join();
    arena.give(beside, 2000);
  }
}

}  // namespace
}  // namespace spanwire::trace::detail
