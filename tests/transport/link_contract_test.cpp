// One contract for every kind of link.
#include <string>
#include <utility>
#include <vector>

#include "tests/transport/link_contract_fixture.hpp"

namespace spanwire::transport {
namespace {

TEST_P(LinkContract, SaysWhatItIs) {
  EXPECT_EQ(left->info().mode, GetParam().mode);
  EXPECT_FALSE(left->info().scheme.empty());
  EXPECT_EQ(left->info().scheme, right->info().scheme);
  EXPECT_FALSE(left->info().peer.empty());
  EXPECT_FALSE(right->info().local.empty());
  EXPECT_FALSE(left->info().quick_ack);
}

TEST_P(LinkContract, KeepsTheOrderInBothDirections) {
  constexpr std::uint32_t kFrames = 5'000;
  for (std::uint32_t i = 0; i < kFrames; i += 50) {
    test.in_turn([&] {
      for (std::uint32_t j = i; j < i + 50; ++j) {
        send_frame(*left, j, "left " + std::to_string(j));
        send_frame(*right, j, "right " + std::to_string(j));
      }
    });
  }
  // A ROUTER whose peer was full tries again after a while, by a clock that stands still here.
  std::size_t seen = 0;
  ASSERT_TRUE(test.until([&] {
    const std::size_t arrived = count_frames(left_events) + count_frames(right_events);
    if (arrived == std::exchange(seen, arrived)) clock.advance(std::chrono::milliseconds(5));
    return arrived == 2 * kFrames;
  }));
  const std::vector<SeenFrame> at_right = frames_of(right_events);
  const std::vector<SeenFrame> at_left = frames_of(left_events);
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    ASSERT_EQ(at_right[i].stream, i);
    ASSERT_EQ(at_right[i].payload, "left " + std::to_string(i));
    ASSERT_EQ(at_left[i].payload, "right " + std::to_string(i));
  }
}

TEST_P(LinkContract, CarriesPayloadsOfEverySize) {
  std::vector<std::string> payloads;
  for (const std::size_t size : {0u, 1u, 100u, 8'191u, 8'192u, 8'193u, 65'535u, 65'536u, 70'000u}) {
    std::string payload(size, 'x');
    for (std::size_t i = 0; i < size; ++i)
      payload[i] = static_cast<char>('a' + (i * 7 + size) % 26);
    payloads.push_back(std::move(payload));
  }
  test.in_turn([&] {
    for (std::uint32_t i = 0; i < payloads.size(); ++i) send_frame(*left, i, payloads[i]);
  });
  ASSERT_TRUE(test.until([&] { return count_frames(right_events) == payloads.size(); }));
  const std::vector<SeenFrame> frames = frames_of(right_events);
  for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_EQ(frames[i].payload, payloads[i]) << i;
}

TEST_P(LinkContract, CarriesRequestsAndRepliesWithTheirFields) {
  test.in_turn([&] {
    wire::OutFrame request;
    request.header.type = static_cast<std::uint8_t>(wire::FrameType::request);
    request.first = bytes_of("some/path");
    request.headers = bytes_of("{}");
    request.payload = Slice::copy_of("payload");
    request.payload_total = 7;
    left->send(request);
  });
  const std::size_t parts = GetParam().mode == LinkMode::bytes ? 1 : 4;
  ASSERT_TRUE(test.until([&] { return count_frames(right_events) == 1; }));
  const SeenFrame frame = frames_of(right_events).front();
  EXPECT_EQ(frame.parts, parts);
  EXPECT_NE(frame.payload.find("some/path"), std::string::npos);
  EXPECT_NE(frame.payload.find("payload"), std::string::npos);
}

TEST_P(LinkContract, WritesWhatATurnSentAtItsEnd) {
  test.in_turn([&] {
    for (std::uint32_t i = 0; i < 10; ++i) send_frame(*left, i, "small");
    EXPECT_GT(left->bytes_taken(), 0u);
    EXPECT_EQ(left->bytes_submitted(), gathers() ? 0u : left->bytes_taken());
    EXPECT_EQ(left->queued_bytes(), left->bytes_taken() - left->bytes_submitted());
  });
  EXPECT_EQ(left->bytes_submitted(), left->bytes_taken());
  EXPECT_EQ(left->queued_bytes(), 0u);
  EXPECT_TRUE(test.until([&] { return count_frames(right_events) == 10; }));
}

TEST_P(LinkContract, WritesEarlierOnceEnoughIsWaiting) {
  test.in_turn([&] {
    send_frame(*left, 1, std::string(kLinkFlushBytes, 'x'));
    EXPECT_GT(left->bytes_submitted(), 0u);
  });
  EXPECT_TRUE(test.until([&] { return count_frames(right_events) == 1; }));
}

TEST_P(LinkContract, WritesEarlierInALongTurn) {
  test.in_turn([&] {
    send_frame(*left, 1, "first");
    EXPECT_EQ(left->bytes_submitted() == 0u, gathers());
    clock.advance(std::chrono::microseconds(150));
    for (std::uint32_t i = 0; i < 8; ++i) send_frame(*left, 2 + i, "later");
    EXPECT_GT(left->bytes_submitted(), 0u);
  });
  EXPECT_TRUE(test.until([&] { return count_frames(right_events) == 9; }));
}

TEST_P(LinkContract, HoldsBackWhatAPeerDoesNotRead) {
  test.in_turn([&] { right->pause_reading(true); });
  const std::size_t frames = fill();
  EXPECT_LT(left->bytes_submitted(), left->bytes_taken());
  EXPECT_EQ(left->queued_bytes(), left->bytes_taken() - left->bytes_submitted());
  EXPECT_EQ(left_events.writable, 0);

  test.in_turn([&] { right->pause_reading(false); });
  ASSERT_TRUE(until_later([&] { return count_frames(right_events) == frames; }));
  EXPECT_TRUE(until_later([&] { return left_events.writable == 1; }));
  EXPECT_EQ(left->queued_bytes(), 0u);
}

TEST_P(LinkContract, IsWritableAgainOnlyBelowTheLowWaterMark) {
  test.in_turn([&] { right->pause_reading(true); });
  fill();
  std::size_t queued_then = 0;
  left_events.after_writable = [&] { queued_then = left->queued_bytes() + 1; };
  test.in_turn([&] { right->pause_reading(false); });
  ASSERT_TRUE(until_later([&] { return left_events.writable == 1; }));
  EXPECT_LE(queued_then, kLinkLowWaterBytes);
}

TEST_P(LinkContract, PausedReadingDeliversNothingUntilResumed) {
  test.in_turn([&] {
    right->pause_reading(true);
    send_frame(*left, 1, "waits");
  });
  // A frame the other way proves that the loop has turned.
  test.in_turn([&] { send_frame(*right, 2, "passes"); });
  ASSERT_TRUE(test.until([&] { return count_frames(left_events) == 1; }));
  test.settle();
  EXPECT_EQ(count_frames(right_events), 0u);
  test.in_turn([&] { right->pause_reading(false); });
  EXPECT_TRUE(test.until([&] { return count_frames(right_events) == 1; }));
}

TEST_P(LinkContract, CloseWritesWhatIsQueuedAndReportsItsCause) {
  test.in_turn([&] {
    for (std::uint32_t i = 0; i < 100; ++i) send_frame(*left, i, std::string(2'000, 'q'));
    left->close(Error(Errc::shutting_down, "by the test"));
    EXPECT_FALSE(left_events.closed) << "on_closed must come in a later turn";
  });
  ASSERT_TRUE(test.until([&] { return left_events.closed && right_events.closed; }));
  EXPECT_EQ(left_events.closed, Errc::shutting_down);
  EXPECT_EQ(left_events.detail, "by the test");
  EXPECT_EQ(right_events.closed, Errc::peer_closed);
  EXPECT_EQ(count_frames(right_events), 100u);
}

TEST_P(LinkContract, CloseWaitsForASlowReader) {
  test.in_turn([&] { right->pause_reading(true); });
  const std::size_t frames = fill();
  test.in_turn([&] { left->close(Errc::shutting_down); });
  test.settle();
  EXPECT_FALSE(left_events.closed);
  test.in_turn([&] { right->pause_reading(false); });
  ASSERT_TRUE(until_later([&] { return left_events.closed && right_events.closed; }));
  EXPECT_EQ(left_events.closed, Errc::shutting_down);
  EXPECT_EQ(count_frames(right_events), frames);
}

TEST_P(LinkContract, ClosedTwiceReportsTheFirstCause) {
  test.in_turn([&] {
    left->close(Errc::draining);
    left->close(Errc::shutting_down);
    send_frame(*left, 1, "too late");
  });
  ASSERT_TRUE(test.until([&] { return left_events.closed && right_events.closed; }));
  EXPECT_EQ(left_events.closed, Errc::draining);
  EXPECT_EQ(count_frames(right_events), 0u);
}

TEST_P(LinkContract, BothSidesMayCloseAtOnce) {
  test.in_turn([&] {
    left->close(Errc::shutting_down);
    right->close(Errc::draining);
  });
  ASSERT_TRUE(test.until([&] { return left_events.closed && right_events.closed; }));
  EXPECT_EQ(left_events.closed, Errc::shutting_down);
  EXPECT_EQ(right_events.closed, Errc::draining);
}

TEST_P(LinkContract, ADroppedLinkSaysNoMoreAndItsPeerIsTold) {
  test.in_turn([&] {
    send_frame(*left, 1, "never read");
    right.reset();
  });
  ASSERT_TRUE(test.until([&] { return left_events.closed.has_value(); }));
  EXPECT_TRUE(left_events.closed == Errc::peer_closed ||
              left_events.closed == Errc::connection_reset);
  EXPECT_FALSE(right_events.closed);
  EXPECT_EQ(count_frames(right_events), 0u);
}

TEST_P(LinkContract, MayBeClosedInTheMiddleOfADelivery) {
  right_events.after_bytes = [&] { right->close(Errc::hello_expected); };
  test.in_turn([&] { send_frame(*left, 1, "one"); });
  ASSERT_TRUE(test.until([&] { return left_events.closed && right_events.closed; }));
  EXPECT_EQ(right_events.closed, Errc::hello_expected);
  EXPECT_EQ(left_events.closed, Errc::peer_closed);
}

TEST_P(LinkContract, MayBeDestroyedInTheMiddleOfADelivery) {
  right_events.after_bytes = [&] { right.reset(); };
  test.in_turn([&] {
    send_frame(*left, 1, "one");
    send_frame(*left, 2, "two");
  });
  ASSERT_TRUE(test.until([&] { return left_events.closed.has_value(); }));
  EXPECT_EQ(right, nullptr);
  EXPECT_FALSE(right_events.closed);
}

TEST_P(LinkContract, MayBeDestroyedByItsLastEventAndByOnWritable) {
  left_events.after_closed = [&] { left.reset(); };
  test.in_turn([&] { right->pause_reading(true); });
  fill();
  left_events.after_writable = [&] { left.reset(); };
  right_events.after_closed = [&] { right.reset(); };
  test.in_turn([&] { right->pause_reading(false); });
  ASSERT_TRUE(until_later([&] { return left == nullptr; }));
  EXPECT_TRUE(test.until([&] { return right == nullptr; }));
}

TEST_P(LinkContract, GivesUpAPeerThatNeverReads) {
  test.in_turn([&] { right->pause_reading(true); });
  fill();
  advance(wire::kWriteTimeout / 2);
  EXPECT_FALSE(left_events.closed);
  // What still moves, into the system's buffers, begins its time anew.
  ASSERT_TRUE(until_later([&] { return left_events.closed.has_value(); }, wire::kWriteTimeout));
  EXPECT_EQ(left_events.closed, Errc::write_timeout);
  EXPECT_NE(left_events.detail.find("took no byte"), std::string::npos);
  EXPECT_EQ(left->queued_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LinkContract,
                         ::testing::Values(kMemoryBytes, kMemoryMultipart, kTcp4, kTcp6, kUnix,
                                           kZmqTcp4, kZmqTcp6, kZmqIpc, kZmqInproc),
                         &name_of);

}  // namespace
}  // namespace spanwire::transport
