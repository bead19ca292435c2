#include "lib/inspect/clocks.hpp"

#include <gtest/gtest.h>

namespace spanwire::inspect {
namespace {

constexpr std::int64_t kMs = 1'000'000;
using Shifts = std::vector<std::int64_t>;

ClockSpan span(SpanKind kind, std::int64_t start_ms, std::int64_t end_ms, bool failed = false) {
  ClockSpan span;
  span.kind = kind;
  span.start_ns = start_ms * kMs;
  span.end_ns = end_ms * kMs;
  span.failed = failed;
  return span;
}

ClockSpan client(std::int64_t start_ms, std::int64_t end_ms, bool failed = false) {
  return span(SpanKind::client, start_ms, end_ms, failed);
}
ClockSpan server(std::int64_t start_ms, std::int64_t end_ms) {
  return span(SpanKind::server, start_ms, end_ms);
}
ClockSpan inner(std::int64_t start_ms, std::int64_t end_ms) {
  return span(SpanKind::internal, start_ms, end_ms);
}

TEST(Clocks, OneClockIsLeftAlone) {
  Clocks clocks;
  clocks.add(0, client(0, 100), 1, server(10, 90));
  EXPECT_EQ(clocks.shifts(), Shifts());
}

TEST(Clocks, ACallNarrowsItFromBothSides) {
  Clocks clocks;
  clocks.add(0, client(0, 100), 1, server(510, 590));    // between 490 and 510 ms ahead
  clocks.add(0, client(200, 210), 1, server(703, 711));  // between 501 and 503
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -502 * kMs}));
}

TEST(Clocks, AMeasureWithinTheBoundsIsTaken) {
  Clocks clocks;
  ClockSpan known = client(0, 100);
  known.measured = 508 * kMs;
  clocks.add(0, known, 1, server(510, 590));
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -508 * kMs}));
}

TEST(Clocks, TheMeasureOfTheShortestCallIsTaken) {
  Clocks clocks;
  ClockSpan slow = client(0, 100), quick = client(200, 210);
  slow.measured = 492 * kMs;
  quick.measured = 501 * kMs;
  clocks.add(0, slow, 1, server(510, 550));
  clocks.add(0, quick, 1, server(703, 711));
  clocks.add(0, slow, 1, server(510, 550));
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -501 * kMs}));
}

// What is no call is only known to start behind its parent: as little as needed.
TEST(Clocks, AChildThatStartsBeforeItsParentMovesToItsStart) {
  Clocks clocks;
  clocks.add(0, inner(100, 200), 1, inner(70, 400));
  EXPECT_EQ(clocks.shifts(), (Shifts{0, 30 * kMs}));
}

TEST(Clocks, WorkThatGoesOnIsNoClock) {
  Clocks clocks;
  clocks.add(0, inner(0, 100), 1, inner(60, 400));          // not waited for
  clocks.add(0, client(0, 100), 2, server(60, 400));        // longer than its client
  clocks.add(0, client(0, 100, true), 3, server(60, 120));  // given up
  EXPECT_EQ(clocks.shifts(), Shifts());
}

// The one call says 30 to 60 ms ahead, the other from 40 behind to 1 ahead.
TEST(Clocks, CallsThatContradictEachOtherMoveNothingThatOneClockMayExplain) {
  Clocks clocks;
  clocks.add(0, client(0, 100), 1, server(60, 130));
  clocks.add(0, client(200, 300), 1, server(200, 260));
  EXPECT_EQ(clocks.shifts(), Shifts());
}

TEST(Clocks, AClockThatDriftedIsMovedByItsMean) {
  Clocks clocks;
  clocks.add(0, client(0, 10), 1, server(502, 508));             // 498 to 502
  clocks.add(0, client(1'000, 1'010), 1, server(1'512, 1'518));  // 508 to 512
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -505 * kMs}));
}

TEST(Clocks, WhatACorrectedProcessCallsMovesWithIt) {
  Clocks clocks;
  clocks.add(1, client(510, 590), 2, server(520, 580));  // one clock, both ahead
  clocks.add(0, client(0, 100), 1, server(500, 600));
  clocks.add(2, client(530, 570), 3, server(40, 60));
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -500 * kMs, -500 * kMs, 0}));
}

// The first processes may well be those that are called.
TEST(Clocks, TheCallersClockStays) {
  Clocks clocks;
  clocks.add(1, client(0, 100), 0, server(500, 600));
  EXPECT_EQ(clocks.shifts(), (Shifts{-500 * kMs, 0}));
}

TEST(Clocks, ProcessesThatCallEachOtherSettleToo) {
  Clocks clocks;
  clocks.add(0, client(0, 100), 1, server(500, 600));
  clocks.add(1, client(700, 800), 0, server(200, 300));
  EXPECT_EQ(clocks.shifts(), (Shifts{0, -500 * kMs}));
}

TEST(Clocks, DamageSaysNothing) {
  Clocks clocks;
  clocks.add(0, client(1'795'254'000'000, 1'795'254'000'100), 1, server(0, 1));
  ClockSpan last;
  last.end_ns = 9'000'000'000'000'000'000;
  clocks.add(0, ClockSpan(), 2, last);
  clocks.add(0, last, 3, ClockSpan());
  EXPECT_EQ(clocks.shifts(), Shifts());
}

TEST(Clocks, WhatOneProcessDoesSaysNothing) {
  Clocks clocks;
  clocks.add(1, client(0, 100), 1, server(500, 600));
  EXPECT_EQ(clocks.shifts(), Shifts());
}

TEST(Clocks, RememberABoundedNumberOfPairs) {
  Clocks clocks;
  for (std::uint32_t i = 0; i < kClockPairsMax; ++i) {
    clocks.add(0, client(0, 100), 1 + i, server(10, 90));
  }
  clocks.add(0, client(0, 100), 1 + kClockPairsMax, server(510, 590));
  EXPECT_EQ(clocks.shifts(), Shifts());
}

}  // namespace
}  // namespace spanwire::inspect
