#include "lib/transport/send_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include "spanwire/base/random.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::transport {
namespace {

std::string text_in(const SendQueue& queue) {
  std::array<iovec, 64> vectors;
  const std::size_t count = queue.fill(vectors);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return text;
}

TEST(SendQueue, SmallPiecesLieInOneRun) {
  const testing::LeakCheck leaks;
  SendQueue queue;
  for (int i = 0; i < 100; ++i) queue.append(bytes_of("ab"));
  std::array<iovec, 64> vectors;
  EXPECT_EQ(queue.fill(vectors), 1u);
  EXPECT_EQ(queue.queued_bytes(), 200u);
}

TEST(SendQueue, SlicesAreNotCopied) {
  SendQueue queue;
  const Slice payload = Slice::copy_of(std::string(10'000, 'p'));
  queue.append(bytes_of("head"));
  queue.append(Slice(payload));
  queue.append(bytes_of("next"));
  std::array<iovec, 64> vectors;
  ASSERT_EQ(queue.fill(vectors), 3u);
  EXPECT_EQ(vectors[1].iov_base, payload.data());
  EXPECT_EQ(text_in(queue), "head" + std::string(10'000, 'p') + "next");
}

TEST(SendQueue, FillsNoMoreVectorsThanThereAre) {
  SendQueue queue;
  for (int i = 0; i < 10; ++i) queue.append(Slice::copy_of("slice"));
  std::array<iovec, 4> vectors;
  EXPECT_EQ(queue.fill(vectors), 4u);
  queue.consume(20);
  EXPECT_EQ(queue.queued_bytes(), 30u);
}

TEST(SendQueue, TakesAHeadLargerThanItsBlocks) {
  SendQueue queue;
  queue.append(bytes_of("before"));
  queue.append(bytes_of(std::string(140'000, 'h')));
  EXPECT_EQ(text_in(queue), "before" + std::string(140'000, 'h'));
}

// Any mixture of additions and consumption leaves exactly the bytes that are still to go.
TEST(SendQueue, KeepsTheBytesInOrderWhateverIsConsumedWhen) {
  const testing::LeakCheck leaks;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    SendQueue queue;
    std::string model;
    for (int step = 0; step < 300; ++step) {
      const std::string piece(1 + random.below(step % 10 == 0 ? 30'000 : 300),
                              static_cast<char>('a' + step % 26));
      switch (random.below(4)) {
        case 0:
          queue.append(Slice::copy_of(piece));
          model += piece;
          break;
        case 1:
        case 2:
          queue.append(bytes_of(piece));
          model += piece;
          break;
        default: {
          const std::size_t bytes = random.below(model.size() + 1);
          queue.consume(bytes);
          model.erase(0, bytes);
        }
      }
      ASSERT_EQ(queue.queued_bytes(), model.size());
      const std::string front = text_in(queue);
      ASSERT_EQ(front, model.substr(0, front.size()));
      ASSERT_EQ(front.empty(), model.empty());
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
  }
}

}  // namespace
}  // namespace spanwire::transport
