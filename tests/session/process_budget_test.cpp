#include "spanwire/session/process_budget.hpp"

#include "spanwire/base/counters.hpp"
#include "tests/session/harness.hpp"

namespace spanwire::session {
namespace {

using namespace std::chrono_literals;

// Two connections of one process that may hold 10,000 bytes together.
class ProcessBudget : public ::testing::Test {
 protected:
  ProcessBudget() {
    set_process_bytes_max(10'000);
    busy_.shake_hands();
    other_.shake_hands();
    busy_.queued = SIZE_MAX;
  }
  ~ProcessBudget() override { set_process_bytes_max(before_); }

  void let_out() {
    busy_.queued = 0;
    busy_.session.on_link_writable();
  }

  const std::size_t before_ = process_bytes_max();
  Machine busy_{Role::client};
  Machine other_{Role::client};
};

TEST_F(ProcessBudget, HoldsForAConnectionThatHasNothingWaiting) {
  EXPECT_EQ(before_, wire::kQueuedBytesPerProcessMax);
  ASSERT_TRUE(busy_.open("p", std::string(12'000, 'x')));
  EXPECT_GE(process_bytes(), 12'000u);
  EXPECT_EQ(other_.open("p", std::string(6'000, 'x')).error(), Errc::queue_full);
  // What carries nothing always passes.
  EXPECT_TRUE(other_.open("p"));
  // It looks again by itself: nothing comes in that would tell it.
  EXPECT_TRUE(other_.session.timer_moved());
  other_.pass(2ms);
  EXPECT_EQ(other_.count("free"), 0u);
  EXPECT_LE(other_.session.next_timer(), other_.now.monotonic + 4ms);
  let_out();
  EXPECT_EQ(process_bytes(), 0u);
  other_.pass(4ms);
  EXPECT_EQ(other_.count("free"), 1u);
  EXPECT_TRUE(other_.open("p", std::string(6'000, 'x')));
  EXPECT_GT(other_.session.next_timer(), other_.now.monotonic + 1s);
}

// How often it looks must not depend on how long the others hold on.
TEST_F(ProcessBudget, IsLookedAtEverMoreSeldom) {
  ASSERT_TRUE(busy_.open("p", std::string(9'000, 'x')));
  EXPECT_EQ(other_.open("p", std::string(6'000, 'x')).error(), Errc::queue_full);
  const MonotonicTime begin = other_.now.monotonic;
  int looks = 0;
  for (; other_.now.monotonic < begin + 2s; ++looks) {
    other_.pass(other_.session.next_timer() - other_.now.monotonic);
  }
  EXPECT_LE(looks, 30);
  EXPECT_EQ(other_.count("free"), 0u);
  let_out();
  other_.pass(100ms);
  EXPECT_EQ(other_.count("free"), 1u);
}

// Room for less would only have it refused again.
TEST_F(ProcessBudget, IsWaitedForUntilWhatWasRefusedFits) {
  ASSERT_TRUE(busy_.open("p", std::string(9'000, 'x')));
  EXPECT_EQ(other_.open("p", std::string(6'000, 'x')).error(), Errc::queue_full);
  other_.pass(1s);
  EXPECT_EQ(other_.count("free"), 0u) << "a few bytes are free all the time";
  EXPECT_EQ(other_.open("p", std::string(1'100, 'x')).error(), Errc::queue_full);
  let_out();
  other_.pass(100ms);
  EXPECT_EQ(other_.count("free"), 1u);
}

// A reply that is refused has become one that says so: nothing waits.
TEST_F(ProcessBudget, IsNotLookedAtForAReply) {
  Machine server(Role::server);
  server.shake_hands();
  server.feed(request(id_of(1), "p"));
  ASSERT_TRUE(busy_.open("p", std::string(9'000, 'x')));
  ReplyOut reply;
  reply.payload = Slice::copy_of(std::string(6'000, 'x'));
  server.session.reply(id_of(1), reply);
  EXPECT_EQ(wire::decode_reply(bytes_of(server.sent().back().body))->fixed.status, 8);
  EXPECT_GT(server.session.next_timer(), server.now.monotonic + 1s);
}

TEST_F(ProcessBudget, HoldsForWritesAndTellsWhenThereIsRoom) {
  const std::uint32_t id = *other_.open("s", "", true);
  ASSERT_TRUE(busy_.open("p", std::string(9'000, 'x')));
  EXPECT_FALSE(*other_.write(id, std::string(6'000, 'x')));
  let_out();
  other_.pass(2ms);
  EXPECT_EQ(other_.count("writable"), 1u);
  EXPECT_TRUE(*other_.write(id, std::string(6'000, 'x')));
}

TEST_F(ProcessBudget, HoldsForRequestsThatComeIn) {
  Machine server(Role::server);
  server.shake_hands();
  ASSERT_TRUE(busy_.open("p", std::string(9'000, 'x')));
  server.feed(request(id_of(1), "p", std::string(6'000, 'x')));
  EXPECT_EQ(server.count("request"), 0u);
  EXPECT_EQ(server.session.counters().over_budget, 1u);
  const std::vector<SentFrame> sent = server.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags, wire::kFlagNotStarted);
}

TEST_F(ProcessBudget, LetsOneBodyPassWhereThereIsNothingElse) {
  EXPECT_TRUE(busy_.open("p", std::string(20'000, 'x')));
}

}  // namespace
}  // namespace spanwire::session
