#include "examples/serving/scheduler.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "spanwire/base/random.hpp"

namespace serving {
namespace {

std::vector<Token> tokens_from(Token first, std::size_t count) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

TEST(PrefixHashes, AreOneForEachFullBlockButTheLast) {
  EXPECT_EQ(prefix_hashes(tokens_from(0, 0)).size(), 0u);
  EXPECT_EQ(prefix_hashes(tokens_from(0, 16)).size(), 0u);
  EXPECT_EQ(prefix_hashes(tokens_from(0, 17)).size(), 1u);
  EXPECT_EQ(prefix_hashes(tokens_from(0, 32)).size(), 1u);
  EXPECT_EQ(prefix_hashes(tokens_from(0, 33)).size(), 2u);
}

TEST(PrefixHashes, DependOnAllThatIsBefore) {
  std::vector<Token> a = tokens_from(0, 40);
  std::vector<Token> b = a;
  b[3] = 999;
  EXPECT_NE(prefix_hashes(a)[1], prefix_hashes(b)[1]);
  b = a;
  b[20] = 999;
  EXPECT_EQ(prefix_hashes(a)[0], prefix_hashes(b)[0]);
}

TEST(BlockPool, HandsOutAllItHasAndNoMore) {
  BlockPool pool(3);
  std::vector<Block> held;
  EXPECT_FALSE(pool.allocate(4, held));
  EXPECT_TRUE(held.empty());
  EXPECT_TRUE(pool.allocate(3, held));
  EXPECT_EQ(pool.available(), 0u);
  pool.release(held);
  EXPECT_EQ(pool.available(), 3u);
}

TEST(BlockPool, KeepsWhatIsSealedUntilItsMemoryIsNeeded) {
  BlockPool pool(2);
  std::vector<Block> held;
  ASSERT_TRUE(pool.allocate(2, held));
  pool.seal(held[0], 100);
  pool.seal(held[1], 101);
  pool.release(held);
  const std::vector<std::uint64_t> hashes = {100, 101};
  const std::vector<Block> again = pool.match(hashes);
  EXPECT_EQ(again, held);
  EXPECT_EQ(pool.available(), 0u);
  pool.release(again);
  std::vector<Block> other;
  ASSERT_TRUE(pool.allocate(1, other));
  EXPECT_EQ(pool.match(hashes).size(), 1u) << "the end of a text goes before its beginning";
}

TEST(BlockPool, SharesABlockAmongItsHolders) {
  BlockPool pool(1);
  std::vector<Block> held;
  ASSERT_TRUE(pool.allocate(1, held));
  pool.seal(held[0], 7);
  const std::vector<std::uint64_t> hashes = {7};
  const std::vector<Block> shared = pool.match(hashes);
  pool.release(held);
  EXPECT_EQ(pool.available(), 0u);
  pool.release(shared);
  EXPECT_EQ(pool.available(), 1u);
}

class SchedulerTest : public testing::Test {
 protected:
  static SchedulerOptions options(std::size_t blocks, std::size_t batch = 8,
                                  std::size_t prefill = 1000) {
    SchedulerOptions options;
    options.blocks = blocks;
    options.batch_max = batch;
    options.prefill_tokens_max = prefill;
    return options;
  }
  Sequence& make(Token first, std::size_t count) {
    Sequence& sequence = *sequences_.emplace_back(std::make_unique<Sequence>());
    sequence.tokens = tokens_from(first, count);
    sequence.prompt_tokens = count;
    return sequence;
  }
  // One step, then a further token for each sequence that has all it needs.
  static Step run(Scheduler& scheduler) {
    Step step = scheduler.plan();
    scheduler.done(step);
    for (Sequence* sequence : scheduler.running()) {
      if (sequence->complete()) sequence->tokens.push_back(7);
    }
    return step;
  }

  std::vector<std::unique_ptr<Sequence>> sequences_;
};

TEST_F(SchedulerTest, ComputesThePromptThenOneTokenAStep) {
  Scheduler scheduler(options(10));
  Sequence& a = make(100, 20);
  scheduler.add(a);
  const Step first = run(scheduler);
  EXPECT_EQ(first.prefill_tokens, 20u);
  EXPECT_EQ(first.decode_sequences, 0u);
  EXPECT_EQ(a.generated(), 1u);
  const Step second = run(scheduler);
  EXPECT_EQ(second.prefill_tokens, 0u);
  EXPECT_EQ(second.decode_sequences, 1u);
  EXPECT_EQ(a.generated(), 2u);
}

TEST_F(SchedulerTest, LetsNewOnesJoinTheRunningBatch) {
  Scheduler scheduler(options(20));
  scheduler.add(make(100, 20));
  run(scheduler);
  scheduler.add(make(200, 10));
  const Step step = run(scheduler);
  EXPECT_EQ(step.decode_sequences, 1u);
  EXPECT_EQ(step.prefill_tokens, 10u);
  EXPECT_EQ(run(scheduler).decode_sequences, 2u);
}

TEST_F(SchedulerTest, CutsLongPromptsIntoSteps) {
  Scheduler scheduler(options(20, 8, 32));
  Sequence& a = make(100, 80);
  scheduler.add(a);
  EXPECT_EQ(run(scheduler).prefill_tokens, 32u);
  EXPECT_EQ(run(scheduler).prefill_tokens, 32u);
  EXPECT_EQ(a.generated(), 0u);
  EXPECT_EQ(run(scheduler).prefill_tokens, 16u);
  EXPECT_EQ(a.generated(), 1u);
}

TEST_F(SchedulerTest, KeepsTheOrderOfArrivalAndTheLimitOfTheBatch) {
  Scheduler scheduler(options(100, 2));
  Sequence& a = make(100, 4);
  Sequence& b = make(200, 4);
  Sequence& c = make(300, 4);
  for (Sequence* sequence : {&a, &b, &c}) scheduler.add(*sequence);
  const Step step = run(scheduler);
  EXPECT_EQ(step.admitted, (std::vector<Sequence*>{&a, &b}));
  EXPECT_EQ(scheduler.waiting().size(), 1u);
  scheduler.remove(a);
  EXPECT_EQ(run(scheduler).admitted, std::vector<Sequence*>{&c});
}

TEST_F(SchedulerTest, LetsTextsWithoutMemoryWait) {
  Scheduler scheduler(options(2));
  Sequence& a = make(100, 20);
  Sequence& b = make(200, 20);
  scheduler.add(a);
  scheduler.add(b);
  EXPECT_EQ(run(scheduler).admitted, std::vector<Sequence*>{&a});
  scheduler.remove(a);
  EXPECT_EQ(run(scheduler).admitted, std::vector<Sequence*>{&b});
}

TEST_F(SchedulerTest, PreemptsTheYoungestWhenMemoryRunsOut) {
  Scheduler scheduler(options(2));
  Sequence& a = make(100, 15);
  Sequence& b = make(200, 15);
  scheduler.add(a);
  scheduler.add(b);
  EXPECT_TRUE(run(scheduler).preempted.empty());  // 16 tokens each: a block
  const Step step = [&] {
    for (;;) {
      Step s = run(scheduler);
      if (!s.preempted.empty()) return s;
    }
  }();
  EXPECT_EQ(step.preempted, std::vector<Sequence*>{&b});
  EXPECT_EQ(b.preemptions, 1u);
  EXPECT_EQ(b.phase, Sequence::Phase::waiting);
  const std::size_t generated = b.generated();
  scheduler.remove(a);
  EXPECT_EQ(run(scheduler).admitted, std::vector<Sequence*>{&b});
  EXPECT_EQ(b.generated(), generated + 1) << "what it had said stays said";
}

TEST_F(SchedulerTest, KnowsABeginningThatItHadBefore) {
  Scheduler scheduler(options(10));
  Sequence& a = make(100, 40);
  scheduler.add(a);
  run(scheduler);
  scheduler.remove(a);
  Sequence& b = make(100, 40);
  scheduler.add(b);
  EXPECT_EQ(run(scheduler).prefill_tokens, 8u);
  EXPECT_EQ(b.cached, 32u);
}

TEST_F(SchedulerTest, WaitsForAStateAndThenGenerates) {
  Scheduler scheduler(options(10));
  Sequence& a = make(100, 20);
  a.expects_state = true;
  scheduler.add(a);
  EXPECT_TRUE(run(scheduler).work.empty());
  EXPECT_FALSE(a.complete());
  scheduler.transferred(a);
  EXPECT_TRUE(a.complete());
  const Step step = run(scheduler);
  EXPECT_TRUE(step.work.empty()) << "the first token came with the state";
  EXPECT_EQ(run(scheduler).decode_sequences, 1u);
}

TEST_F(SchedulerTest, KeepsAStateThatComesBeforeThereIsMemory) {
  Scheduler scheduler(options(2));
  Sequence& a = make(100, 20);
  scheduler.add(a);
  run(scheduler);
  Sequence& b = make(200, 20);
  b.expects_state = true;
  scheduler.add(b);
  scheduler.transferred(b);
  run(scheduler);
  scheduler.remove(a);
  const Step step = run(scheduler);
  EXPECT_EQ(step.admitted, std::vector<Sequence*>{&b});
  EXPECT_TRUE(step.work.empty());
  EXPECT_EQ(b.generated(), 1u);
}

TEST_F(SchedulerTest, LeavesStalledOnesOut) {
  Scheduler scheduler(options(10));
  Sequence& a = make(100, 4);
  scheduler.add(a);
  run(scheduler);
  a.stalled = true;
  EXPECT_TRUE(run(scheduler).work.empty());
  a.stalled = false;
  EXPECT_EQ(run(scheduler).decode_sequences, 1u);
}

// Whatever comes and goes: memory is never lost, the batch never too large, all get done.
TEST_F(SchedulerTest, LosesNothingUnderChance) {
  constexpr std::uint64_t kSeed = 20260401;
  SCOPED_TRACE(kSeed);
  spanwire::Random random(kSeed);
  const SchedulerOptions limits = options(24, 6, 64);
  Scheduler scheduler(limits);
  std::vector<Sequence*> open;
  std::size_t finished = 0;
  for (int i = 0; i < 5000; ++i) {
    if (open.size() < 20 && random.below(3) == 0) {
      Sequence& sequence = make(static_cast<Token>(random.below(4) * 1000), 1 + random.below(60));
      sequence.expects_state = random.below(3) == 0;
      scheduler.add(sequence);
      open.push_back(&sequence);
    }
    for (Sequence* sequence : open) {
      if (sequence->expects_state && random.below(4) == 0) scheduler.transferred(*sequence);
    }
    run(scheduler);
    ASSERT_LE(scheduler.running().size(), limits.batch_max);
    std::erase_if(open, [&](Sequence* sequence) {
      if (sequence->generated() < 40 && random.below(200) != 0) return false;
      scheduler.remove(*sequence);
      ++finished;
      return true;
    });
  }
  EXPECT_GT(finished, 200u);
  for (Sequence* sequence : open) scheduler.remove(*sequence);
  EXPECT_EQ(scheduler.pool().in_use(), 0u);
}

}  // namespace
}  // namespace serving
