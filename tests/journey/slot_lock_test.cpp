#include "lib/journey/slot_lock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "tests/support/sanitized.hpp"

namespace spanwire::journey {
namespace {

#ifdef SPANWIRE_TEST_SANITIZED
constexpr int kRounds = 2'000;
#else
constexpr int kRounds = 5'000;
#endif

class SlotLockTest : public testing::Test {
 protected:
  SlotLockTest() { lock_.adopt(); }
  // Biased to the calling thread, as a context that begins.
  void begin() {
    ASSERT_TRUE(lock_.lock(lock_.generation()));
    lock_.bias();
    lock_.unlock();
  }
  SlotLock lock_;
  int guarded_ = 0;  // by the lock alone
};

TEST_F(SlotLockTest, IsTakenByItsOwnerAndByOthersInTurn) {
  begin();
  const std::uint32_t generation = lock_.generation();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lock_.lock(generation));
    lock_.unlock();
    std::thread([&] {
      ASSERT_TRUE(lock_.lock(generation));
      lock_.unlock();
    }).join();
  }
}

TEST_F(SlotLockTest, IsOverForEveryoneWithItsGeneration) {
  for (const bool biased : {false, true}) {
    if (biased) begin();
    const std::uint32_t generation = lock_.generation();
    ASSERT_TRUE(lock_.lock(generation));
    lock_.unlock_and_retire();
    EXPECT_FALSE(lock_.lock(generation));
    std::thread([&] { EXPECT_FALSE(lock_.lock(generation)); }).join();
    EXPECT_EQ(lock_.generation(), generation + 1);
    ASSERT_TRUE(lock_.lock(generation + 1));
    lock_.unlock();
  }
}

// The owner's way in is without a fence: whoever else comes in has to be kept out all the same.
// Each round is one bias and one end of it.  Stores to cold memory keep the owner's next ones back,
// as a ring does.  Without the fence on its core this fails or hangs in builds that are optimised;
// in others each atomic store is a fence by itself.
TEST_F(SlotLockTest, KeepsTheOwnerAndOthersApart) {
  constexpr int kOwnersTurns = 20;
  constexpr std::size_t kStep = 4096 + 64;
  std::vector<char> cold(64u << 20);
  std::size_t place = 0;
  const std::uint32_t generation = lock_.generation();
  std::atomic<int> round_of_other{0};
  std::atomic<int> round_of_owner{0};
  const auto enter = [&] {
    ASSERT_TRUE(lock_.lock(generation));
    const int before = guarded_;
    // Long enough for whoever comes in as well to be seen.
    for (int i = 0; i < 200; ++i) light_fence();
    guarded_ = before + 1;
    lock_.unlock();
  };
  const auto wait_for = [](const std::atomic<int>& round, int wanted) {
    for (int i = 1; round.load() < wanted; ++i) {
      if (i % 1000 == 0) std::this_thread::yield();
    }
  };
  std::thread other([&] {
    for (int round = 1; round <= kRounds; ++round) {
      wait_for(round_of_owner, round);
      for (int i = 0; i < round % 2000; ++i) light_fence();  // at any of the owner's turns
      enter();
      round_of_other.store(round);
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    begin();
    round_of_owner.store(round);
    for (int i = 0; i < kOwnersTurns; ++i) {
      for (int line = 0; line < 40; ++line) cold[(place += kStep) % cold.size()] = 1;
      enter();
    }
    wait_for(round_of_other, round);
  }
  other.join();
  EXPECT_EQ(guarded_, kRounds * (kOwnersTurns + 1));
}

// A generation that ends while others wait for it lets them go, and leaves the lock free.
TEST_F(SlotLockTest, EndsUnderThoseThatWait) {
  for (int round = 0; round < kRounds / 20; ++round) {
    begin();
    const std::uint32_t generation = lock_.generation();
    std::latch all(3);
    const auto come = [&] {
      all.arrive_and_wait();
      while (lock_.lock(generation)) {
        ++guarded_;
        lock_.unlock();
      }
    };
    std::vector<std::thread> others;
    others.emplace_back(come);
    others.emplace_back(come);
    all.arrive_and_wait();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(lock_.lock(generation));
      --guarded_;
      lock_.unlock();
    }
    ASSERT_TRUE(lock_.lock(generation));
    lock_.unlock_and_retire();
    for (std::thread& other : others) other.join();
    ASSERT_TRUE(lock_.lock(generation + 1));
    lock_.unlock();
  }
}

}  // namespace
}  // namespace spanwire::journey
