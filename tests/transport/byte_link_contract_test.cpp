// What the link contract asks only of links that carry runs of bytes.
#include <string>
#include <string_view>
#include <vector>

#include "tests/transport/link_contract_fixture.hpp"

namespace spanwire::transport {
namespace {

class ByteLinkContract : public LinkContract {};

TEST_P(ByteLinkContract, FillsTheReadTargetFirst) {
  std::vector<std::byte> target(300'000);
  right_events.target = target;
  std::string sent(target.size() + 1'000, 'x');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 26);
  test.in_turn([&] { left->send_raw(bytes_of(sent)); });
  ASSERT_TRUE(test.until([&] { return right_events.received.size() == 1'000; }));
  EXPECT_EQ(right_events.target_filled, target.size());
  EXPECT_EQ(text_of(ByteView(target)), std::string_view(sent).substr(0, target.size()));
  EXPECT_EQ(right_events.received, sent.substr(target.size()));
}

TEST_P(ByteLinkContract, BytesLiveAsLongAsTheirBlockIsRetained) {
  right_events.keep_slices = true;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::size_t before = right_events.received.size();
    test.in_turn([&] { left->send_raw(bytes_of(std::string(40'000, c))); });
    ASSERT_TRUE(test.until([&] { return right_events.received.size() == before + 40'000; }));
  }
  std::string kept;
  for (const Slice& slice : right_events.slices) kept.append(slice.text());
  EXPECT_EQ(kept, right_events.received);
  right_events.slices.clear();
}

TEST_P(ByteLinkContract, DeliversAHalfWrittenFrameBeforeTheEnd) {
  test.in_turn([&] {
    left->send_raw(bytes_of("half a fra"));
    left->close(Errc::shutting_down);
  });
  ASSERT_TRUE(test.until([&] { return right_events.closed.has_value(); }));
  EXPECT_EQ(right_events.received, "half a fra");
  EXPECT_EQ(right_events.closed, Errc::peer_closed);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ByteLinkContract,
                         ::testing::Values(kMemoryBytes, kTcp4, kTcp6, kUnix), &name_of);

}  // namespace
}  // namespace spanwire::transport
