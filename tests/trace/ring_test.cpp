#include "lib/trace/ring.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <thread>

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kEntry = 256;

// An entry that says who it is, at its beginning and its end.
void put(Ring& ring, std::uint64_t number) {
  std::byte* const to = ring.reserve(kEntry);
  ASSERT_NE(to, nullptr) << number;
  auto& header = *reinterpret_cast<RecordHeader*>(to);
  header.entry_bytes = kEntry;
  header.entry_type = EntryType::record;
  header.start_ns = static_cast<std::int64_t>(number);
  std::memcpy(to + kEntry - sizeof number, &number, sizeof number);
  ring.publish(to, kEntry);
}

// Those that wait, in order, beginning with `next`; as a processor reads them, `batch` at a time.
void take_all(Ring& ring, std::uint64_t& next, std::size_t batch) {
  auto [at, end] = ring.readable();
  for (std::size_t taken = 0; at != end;) {
    const auto& header = *reinterpret_cast<const RecordHeader*>(ring.at(at));
    if (header.entry_type == EntryType::record) {
      ASSERT_EQ(header.start_ns, static_cast<std::int64_t>(next));
      ASSERT_EQ(load_as<std::uint64_t>(reinterpret_cast<const char*>(ring.at(at)) + kEntry - 8),
                next);
      ++next;
      ++taken;
    }
    at += header.entry_bytes;
    if (taken % batch == 0) {
      ring.ready_ahead(end - at);
      ring.commit(at);
    }
  }
  ring.commit(at);
}

class RingOf : public ::testing::TestWithParam<std::size_t> {};

// Memory is made ready while the other thread writes, around the whole ring and again.
TEST_P(RingOf, LosesNothingWhileMemoryIsMadeReady) {
  Ring ring(GetParam());
  const std::uint64_t total = 5 * GetParam() / kEntry / 2;
  std::uint64_t next = 0;
  std::thread writer([&] {
    for (std::uint64_t number = 0; number < total; ++number) {
      while (ring.reserve(kEntry) == nullptr) std::this_thread::yield();
      put(ring, number);
    }
  });
  while (next < total) {
    take_all(ring, next, 512);
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(next, total);
}

TEST_P(RingOf, KeepsWhatWaitsWhileMemoryIsMadeReady) {
  Ring ring(GetParam());
  std::uint64_t put_in = 0;
  for (; ring.reserve(kEntry) != nullptr; ++put_in) {
    put(ring, put_in);
    ring.ready_ahead(kEntry * put_in);
  }
  EXPECT_GE(put_in, GetParam() / kEntry / 2);
  std::uint64_t next = 0;
  take_all(ring, next, 1);
  EXPECT_EQ(next, put_in);
}

bool is_resident(const std::byte* page) {
  unsigned char resident = 0;
  return mincore(const_cast<std::byte*>(page), 4096, &resident) == 0 && (resident & 1) != 0;
}

// Ahead of the writer, once so much waits, and not before.
TEST(Ring, HasMemoryReadyWhereMuchWaits) {
  constexpr std::size_t kAhead = 3u << 20;
  Ring ring(8u << 20);
  put(ring, 0);
  std::byte* const ahead = ring.at(kAhead);
  if (madvise(ring.at(2u << 20), 2u << 20, MADV_HUGEPAGE) != 0) {
    GTEST_SKIP() << "this kernel has no huge pages";
  }
  ring.ready_ahead(kEntry);
  EXPECT_FALSE(is_resident(ahead));
  ring.ready_ahead(1u << 20);
  EXPECT_TRUE(is_resident(ahead));
}

INSTANTIATE_TEST_SUITE_P(Sizes, RingOf, ::testing::Values(4096u, 1u << 20, 2u << 20, 8u << 20));

}  // namespace
}  // namespace spanwire::trace::detail
