#include "lib/inspect/timeline/lanes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "spanwire/base/random.hpp"
#include "tests/inspect/build.hpp"

namespace spanwire::inspect {
namespace {

using testing::trace_id;

struct Item {
  std::int64_t start;
  std::int64_t end;
  std::uint64_t parent;  // the number of an earlier one, from 1
  unsigned request;
  std::uint32_t lane;  // expected
};

struct LanesCase {
  const char* name;
  std::vector<Item> items;
};

TEST(Lanes, AreAssignedByTheseRules) {
  const LanesCase cases[] = {
      {"one after the other share a lane", {{0, 5, 0, 1, 0}, {5, 9, 0, 2, 0}}},
      {"two at once do not", {{0, 5, 0, 1, 0}, {4, 9, 0, 2, 1}}},
      {"the lowest free lane",
       {{0, 9, 0, 1, 0}, {1, 3, 0, 2, 1}, {2, 9, 0, 3, 2}, {4, 5, 0, 4, 1}}},
      {"a child lies on its parent", {{0, 9, 0, 1, 0}, {2, 4, 1, 1, 0}, {4, 9, 1, 1, 0}}},
      {"a child of equal times too", {{0, 9, 0, 1, 0}, {0, 9, 1, 1, 0}}},
      {"not what is no child", {{0, 9, 0, 1, 0}, {2, 4, 0, 1, 1}}},
      {"a child that lasts longer", {{0, 5, 0, 1, 0}, {2, 9, 1, 1, 1}}},
      {"a second child at once", {{0, 9, 0, 1, 0}, {1, 5, 1, 1, 0}, {2, 6, 1, 1, 1}}},
      {"a grandchild on its own parent",
       {{0, 9, 0, 1, 0}, {1, 5, 1, 1, 0}, {2, 6, 1, 1, 1}, {3, 4, 3, 1, 1}}},
      {"a child behind its parent's end", {{0, 3, 0, 1, 0}, {3, 5, 1, 1, 0}}},
      {"slices without length", {{2, 2, 0, 1, 0}, {2, 2, 0, 2, 0}, {2, 2, 2, 2, 0}}},
      {"the lane that the request used before",
       {{0, 9, 0, 1, 0}, {1, 3, 0, 2, 1}, {10, 12, 0, 2, 1}, {11, 12, 0, 3, 0}}},
      {"another when that one is taken",
       {{0, 9, 0, 1, 0}, {1, 3, 0, 2, 1}, {4, 20, 0, 3, 1}, {10, 12, 0, 2, 0}}},
  };
  for (const LanesCase& item : cases) {
    Lanes lanes;
    std::vector<std::uint32_t> placed;
    for (const Item& slice : item.items) {
      const Lanes::Slice wanted{placed.size() + 1, slice.parent, trace_id(slice.request),
                                slice.start, slice.end};
      placed.push_back(lanes.place(wanted, slice.parent == 0 ? 0 : placed[slice.parent - 1]));
      EXPECT_EQ(placed.back(), slice.lane) << item.name << ", slice " << placed.size();
    }
  }
}

TEST(Lanes, WithoutParentsWhatFitsIsNested) {
  Lanes lanes;
  auto place = [&lanes, number = std::uint64_t{0}](std::int64_t start, std::int64_t end) mutable {
    return lanes.place_by_time({++number, 0, {}, start, end});
  };
  EXPECT_EQ(place(0, 9), 0u);
  EXPECT_EQ(place(1, 5), 0u);
  EXPECT_EQ(place(2, 6), 1u);
  EXPECT_EQ(place(3, 4), 0u);
  EXPECT_EQ(place(6, 9), 0u);
  EXPECT_EQ(place(9, 9), 0u);
}

TEST(Lanes, DoNotNestDeeperThanAnImporterReads) {
  Lanes lanes;
  std::vector<std::uint32_t> placed;
  for (std::uint64_t number = 1; number <= 2'000; ++number) {
    placed.push_back(
        lanes.place({number, number - 1, trace_id(1), static_cast<std::int64_t>(number), 9'000},
                    placed.empty() ? 0 : placed.back()));
  }
  EXPECT_EQ(*std::max_element(placed.begin(), placed.end()), 3u);
}

// Whatever comes: on each lane a slice lies inside of the one that is open there, and that one is
// an ancestor of it.
TEST(Lanes, NestForRandomSlices) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<Item> items;
    for (int i = 0; i < 400; ++i) {
      const auto start = static_cast<std::int64_t>(random.next() % 500);
      const auto length = static_cast<std::int64_t>(random.next() % (i % 3 == 0 ? 500 : 20));
      items.push_back({start, start + length, 0, static_cast<unsigned>(random.next() % 20 + 1), 0});
    }
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
      return a.start != b.start ? a.start < b.start : a.end > b.end;
    });
    Lanes lanes;
    std::map<std::uint32_t, std::vector<std::uint64_t>> open;
    for (std::uint64_t number = 1; number <= items.size(); ++number) {
      Item& item = items[number - 1];
      if (number > 1 && random.next() % 4 != 0) item.parent = random.next() % (number - 1) + 1;
      const std::uint32_t on = item.parent == 0 ? 0 : items[item.parent - 1].lane;
      item.lane =
          lanes.place({number, item.parent, trace_id(item.request), item.start, item.end}, on);
      std::vector<std::uint64_t>& stack = open[item.lane];
      while (!stack.empty() && items[stack.back() - 1].end <= item.start) stack.pop_back();
      if (!stack.empty()) {
        ASSERT_EQ(stack.back(), item.parent) << "seed " << seed;
        ASSERT_LE(item.end, items[stack.back() - 1].end) << "seed " << seed;
      }
      stack.push_back(number);
    }
  }
}

}  // namespace
}  // namespace spanwire::inspect
