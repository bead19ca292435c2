// Error codes, results, bytes, the pool, clocks and chance.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/fork.hpp"
#include "spanwire/base/pool.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using testing::LeakCheck;
using testing::run_in_child;

// --- Errc.

// Every enumerator of the header, by name and number.
std::vector<std::pair<std::string, int>> enumerators_of_header() {
  std::ifstream header(SPANWIRE_SOURCE_DIR "/include/spanwire/base/errc.hpp");
  std::vector<std::pair<std::string, int>> found;
  const std::regex row(R"(^\s+(\w+) = (\d+),.*)");
  std::smatch match;
  for (std::string line; std::getline(header, line);) {
    if (std::regex_match(line, match, row)) found.emplace_back(match[1], std::stoi(match[2]));
  }
  return found;
}

TEST(Errc, EachHasItsNameItsSentenceAndACondition) {
  std::set<std::string_view> sentences;
  const auto enumerators = enumerators_of_header();
  ASSERT_GT(enumerators.size(), 80u);
  for (const auto& [text, number] : enumerators) {
    const auto code = static_cast<Errc>(number);
    EXPECT_EQ(name(code), text);
    EXPECT_TRUE(sentences.insert(describe(code)).second) << text << ": " << describe(code);
    EXPECT_NE(describe(code).back(), '.') << text;
    EXPECT_EQ(make_error_code(code).default_error_condition().category(), std::generic_category())
        << text;
  }
}

TEST(Errc, UnknownNumbersAreSaidToBeUnknown) {
  EXPECT_EQ(name(static_cast<Errc>(9999)), "unknown");
  EXPECT_FALSE(describe(static_cast<Errc>(9999)).empty());
}

TEST(Errc, MapsToStandardConditions) {
  EXPECT_EQ(make_error_code(Errc::deadline_exceeded), std::errc::timed_out);
  EXPECT_EQ(make_error_code(Errc::connection_reset), std::errc::connection_reset);
  EXPECT_EQ(make_error_code(Errc::truncated), std::errc::bad_message);
  EXPECT_EQ(make_error_code(Errc::cancelled), std::errc::operation_canceled);
  EXPECT_FALSE(make_error_code(Errc::ok));
  const std::error_code code = Errc::no_route;
  EXPECT_STREQ(code.category().name(), "spanwire");
}

// --- Result.

TEST(Error, SaysCauseAndValue) {
  EXPECT_EQ(Error(Errc::deadline_exceeded).message(),
            "deadline_exceeded: the call's deadline passed");
  const Error error(Errc::deadline_exceeded, "250 ms, decode at 10.0.0.7:7001");
  EXPECT_EQ(error.message(),
            "deadline_exceeded: the call's deadline passed (250 ms, decode at 10.0.0.7:7001)");
  EXPECT_EQ(error, Error(Errc::deadline_exceeded));
}

Result<int> parse(bool good) {
  if (!good) return fail(Errc::truncated, "at byte 3");
  return 4;
}
Result<int> twice(bool good) {
  SPANWIRE_TRY(const int value, parse(good));
  SPANWIRE_TRY_VOID(parse(good));
  return value * 2;
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(twice(true), 8);
  EXPECT_EQ(twice(false).error().detail(), "at byte 3");
}

// --- Slice and Buffer.

TEST(Slice, SharesItsBlockWithItsParts) {
  const LeakCheck leaks;
  Slice part;
  {
    const Slice whole = Slice::copy_of("hello, world");
    part = whole.part(7, 5);
    EXPECT_EQ(part.data(), whole.data() + 7);
  }
  EXPECT_EQ(part.text(), "world");
  EXPECT_GE(part.pinned_bytes(), 12u);
}

TEST(Slice, TakesOverStringsAndPointsAtLiterals) {
  const LeakCheck leaks;
  std::string text(1000, 'x');
  const char* data = text.data();
  const Slice taken = Slice::of(std::move(text));
  EXPECT_EQ(taken.text().data(), data);
  EXPECT_EQ(Slice::of_static("abc"), Slice::copy_of("abc"));
  EXPECT_EQ(Slice::of_static("abc").pinned_bytes(), 0u);
  EXPECT_TRUE(Slice::copy_of("").empty());
}

TEST(Slice, ReleasesForeignMemoryOnce) {
  int released = 0;
  std::array<std::byte, 4> memory{};
  Block* block = Block::wrap(
      memory.data(), memory.size(), [](void* owner) noexcept { ++*static_cast<int*>(owner); },
      &released);
  {
    const Slice slice = Slice::adopt(block, memory.data(), memory.size());
    const Slice copy = slice;
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(Buffer, GrowsAndBecomesASliceWithoutACopy) {
  const LeakCheck leaks;
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    buffer.append("0123456789");
    expected += "0123456789";
  }
  const std::byte* data = buffer.data();
  const Slice slice = buffer.take();
  EXPECT_EQ(slice.text(), expected);
  EXPECT_EQ(slice.data(), data);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_TRUE(buffer.take().empty());
}

TEST(Buffer, CommitsWhatWasWrittenIntoItsRoom) {
  Buffer buffer;
  MutableByteView room = buffer.reserve(3);
  ASSERT_GE(room.size(), 3u);
  std::memcpy(room.data(), "abc", 3);
  buffer.commit(2);
  EXPECT_EQ(text_of(buffer.view()), "ab");
}

// --- Pool.

TEST(Pool, GivesAtLeastWhatWasAskedForAndAligned) {
  const LeakCheck leaks;
  for (const std::size_t bytes : {0u, 1u, 64u, 65u, 1024u, 1025u, 2048u, 2049u, 262144u, 262145u}) {
    EXPECT_GE(pool_capacity(bytes), bytes);
    void* memory = pool_allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignof(std::max_align_t), 0u);
    std::memset(memory, 1, pool_capacity(bytes));
    pool_free(memory, bytes);
  }
}

TEST(Pool, TakesMemoryBackOnAnotherThread) {
  const LeakCheck leaks;
  std::vector<void*> memory;
  std::thread([&memory] {
    for (int i = 0; i < 1000; ++i) memory.push_back(pool_allocate(200));
  }).join();
  for (void* piece : memory) pool_free(piece, 200);
}

// --- Clock and Random.

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const MonotonicTime monotonic = clock.monotonic();
  const WallTime wall = clock.wall();
  clock.advance(3s);
  clock.step_wall(-1h);
  EXPECT_EQ(clock.monotonic() - monotonic, 3s);
  EXPECT_EQ(clock.wall() - wall, 3s - 1h);
}

TEST(Clock, SystemClockGoesForward) {
  const MonotonicTime first = Clock::system().monotonic();
  EXPECT_LE(first, Clock::system().monotonic());
  EXPECT_GT(Clock::system().wall().time_since_epoch(), 24h * 365 * 50);
}

TEST(Random, FollowsFromItsSeed) {
  Random first(7);
  Random second(7);
  Random other(8);
  EXPECT_EQ(first.next(), second.next());
  EXPECT_NE(first.next(), other.next());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(first.below(10), 10u);
    EXPECT_LT(first.unit(), 1.0);
    EXPECT_NE(first.next_nonzero(), 0u);
  }
}

TEST(Random, DiffersBetweenThreadsAndAfterAFork) {
  Random before = Random::of_thread();
  Random expected = before;
  std::uint64_t elsewhere = 0;
  std::thread([&elsewhere] { elsewhere = Random::of_thread().next(); }).join();
  EXPECT_NE(elsewhere, expected.next());
  const std::uint32_t generation = fork_generation();
  EXPECT_EQ(run_in_child([before, generation]() mutable {
              if (fork_generation() == generation) return 1;
              return Random::of_thread().next() == before.next() ? 2 : 0;
            }),
            0);
}

}  // namespace
}  // namespace spanwire
