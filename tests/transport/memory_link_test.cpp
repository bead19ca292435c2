#include "spanwire/transport/memory_link.hpp"

#include <string>
#include <thread>
#include <vector>

#include "tests/support/leak_check.hpp"
#include "tests/support/manual_executor.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {
namespace {

using testing::ManualExecutor;

// Two links with a fault plan on one manual executor.
class MemoryLinkFaults : public ::testing::Test {
 protected:
  void open(const FaultPlan& faults, LinkMode mode = LinkMode::bytes) {
    MemoryOptions options;
    options.mode = mode;
    options.faults = faults;
    MemoryLinks links = make_memory_links(executor, executor, options);
    left = std::move(links.first);
    right = std::move(links.second);
    executor.in_turn([&] {
      left->start(left_events);
      right->start(right_events);
    });
  }

  void send(std::string_view text) {
    executor.in_turn([&] { left->send_raw(bytes_of(text)); });
  }

  testing::LeakCheck leaks;
  ManualExecutor executor;
  Recorder left_events;
  Recorder right_events;
  std::unique_ptr<Link> left;
  std::unique_ptr<Link> right;
};

TEST_F(MemoryLinkFaults, ShortReadsAndWritesSplitButLoseNothing) {
  FaultPlan faults;
  faults.read_bytes_max = 7;
  faults.write_bytes_max = 5;
  open(faults);
  std::string sent;
  for (int i = 0; i < 500; ++i) sent.append(std::to_string(i));
  send(sent);
  executor.run_until_idle();
  EXPECT_EQ(right_events.received, sent);
  for (const std::size_t bytes : right_events.reads) EXPECT_LE(bytes, 7u);
}

TEST_F(MemoryLinkFaults, ShortReadsSplitNoMessage) {
  FaultPlan faults;
  faults.read_bytes_max = 3;
  open(faults, LinkMode::multipart);
  executor.in_turn([&] {
    send_frame(*left, 1, "first message");
    send_frame(*left, 2, "");
    send_frame(*left, 3, "third");
  });
  executor.run_until_idle();
  const std::vector<SeenFrame> frames = frames_of(right_events);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].payload, "first message");
  EXPECT_EQ(frames[1].payload, "");
  EXPECT_EQ(frames[2].payload, "third");
}

TEST_F(MemoryLinkFaults, DelayedBytesComeInOrderAndNotBeforeTheirTime) {
  FaultPlan faults;
  faults.delay_max = std::chrono::milliseconds(50);
  open(faults);
  std::string sent;
  for (int i = 0; i < 20; ++i) {
    const std::string word = std::to_string(i) + " ";
    sent += word;
    send(word);
  }
  executor.run_until_idle();
  EXPECT_LT(right_events.received.size(), sent.size());
  std::size_t before = right_events.received.size();
  for (int ms = 0; ms < 60; ++ms) {
    executor.advance(std::chrono::milliseconds(1));
    EXPECT_GE(right_events.received.size(), before);
    before = right_events.received.size();
    EXPECT_EQ(right_events.received, sent.substr(0, before));
  }
  EXPECT_EQ(right_events.received, sent);
}

TEST_F(MemoryLinkFaults, ACutBreaksBothSidesAfterExactlySoManyBytes) {
  for (const std::uint64_t cut : {1u, 10u, 11u, 4'096u}) {
    FaultPlan faults;
    faults.cut_after_bytes = cut;
    left_events = Recorder();
    right_events = Recorder();
    open(faults);
    send("0123456789");
    executor.run_until_idle();
    send(std::string(10'000, 'x'));
    executor.run_until_idle();
    EXPECT_EQ(right_events.received.size(), cut);
    EXPECT_EQ(left_events.closed, Errc::fault_injected) << cut;
    EXPECT_EQ(right_events.closed, Errc::fault_injected) << cut;
    // What was not submitted when the link broke counts as not sent.
    EXPECT_EQ(left->bytes_submitted(), cut);
  }
}

TEST_F(MemoryLinkFaults, ACutMessageNeverArrives) {
  FaultPlan faults;
  faults.cut_after_bytes = 60;
  open(faults, LinkMode::multipart);
  executor.in_turn([&] {
    send_frame(*left, 1, "whole");
    send_frame(*left, 2, std::string(100, 'x'));
  });
  executor.run_until_idle();
  EXPECT_EQ(count_frames(right_events), 1u);
  EXPECT_EQ(right_events.closed, Errc::fault_injected);
}

std::string trace_of_run(std::uint64_t seed) {
  ManualExecutor executor;
  MemoryOptions options;
  options.faults.seed = seed;
  options.faults.delay_max = std::chrono::milliseconds(10);
  options.faults.read_bytes_max = 40;
  options.faults.write_bytes_max = 60;
  options.faults.cut_after_bytes = 1'500;
  MemoryLinks links = make_memory_links(executor, executor, options);
  Recorder left_events;
  Recorder right_events;
  executor.in_turn([&] {
    links.first->start(left_events);
    links.second->start(right_events);
  });
  std::string trace;
  for (int i = 0; i < 50; ++i) {
    executor.in_turn([&] {
      links.first->send_raw(bytes_of(std::string(50, 'a')));
      links.second->send_raw(bytes_of(std::string(30, 'b')));
    });
    executor.advance(std::chrono::milliseconds(1));
    trace += std::to_string(right_events.reads.size()) + ":" +
             std::to_string(right_events.received.size()) + ":" +
             std::to_string(left_events.received.size()) + ":" +
             (right_events.closed ? "x " : "o ");
  }
  return trace;
}

// Output waits for the turn's end, unless the turn gets long.
TEST_F(MemoryLinkFaults, WhatWasSentLeavesWithinATurnThatLasts) {
  open(FaultPlan());
  executor.in_turn([&] {
    left->send_raw(bytes_of("first"));
    executor.manual().advance(std::chrono::microseconds(99));
    for (int i = 0; i < 8; ++i) left->send_raw(bytes_of("x"));
    EXPECT_EQ(left->bytes_submitted(), 0u);
    executor.manual().advance(std::chrono::microseconds(1));
    for (int i = 0; i < 8; ++i) left->send_raw(bytes_of("x"));
    EXPECT_GE(left->bytes_submitted(), 13u);
  });
  EXPECT_EQ(left->bytes_submitted(), 21u);
}

TEST(MemoryLink, ASeedReplaysTheSameRun) {
  EXPECT_EQ(trace_of_run(7), trace_of_run(7));
  EXPECT_NE(trace_of_run(7), trace_of_run(8));
}

TEST(MemoryLink, JoinsTwoLoopsOnTwoThreads) {
  constexpr std::uint32_t kFrames = 2'000;
  Loop here;
  Loop there;
  MemoryLinks links = make_memory_links(here, there);
  Recorder asking;
  Recorder echoing;
  echoing.after_bytes = [&] {
    links.second->send_raw(bytes_of(echoing.received));
    echoing.received.clear();
  };
  echoing.after_closed = [&] { there.stop(); };
  asking.after_bytes = [&] {
    if (count_frames(asking) == kFrames) links.first->close(Errc::shutting_down);
  };
  asking.after_closed = [&] { here.stop(); };
  {
    const Loop::Step step(here);
    links.first->start(asking);
    for (std::uint32_t i = 0; i < kFrames; ++i) send_frame(*links.first, i, "ping");
  }
  std::thread other([&] {
    {
      const Loop::Step step(there);
      links.second->start(echoing);
    }
    there.run();
    const Loop::Step step(there);
    links.second.reset();
  });
  here.run();
  other.join();
  EXPECT_EQ(count_frames(asking), kFrames);
  EXPECT_EQ(echoing.closed, Errc::peer_closed);
}

}  // namespace
}  // namespace spanwire::transport
