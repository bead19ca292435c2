// The part of the channel contract that is about streams: v2 alone has them.
#include "tests/channel/contract.hpp"

namespace spanwire::channel {
namespace {

class StreamContract : public ChannelContract {};

TEST_P(StreamContract, StreamsCarryMessagesInOrderBothWays) {
  connect();
  CallLog call;
  CallId id = 0;
  ServedLog& served = open_kept(call, &id, true);
  test.in_turn([&] {
    server->head(served.id, bytes_of(R"({"h":"1"})"));
    for (const char* text : {"one", "two", "three"}) {
      Slice out = Slice::copy_of(text);
      EXPECT_EQ(server->write(served.id, out), WriteResult::ok);
      Slice back = Slice::copy_of(text);
      EXPECT_EQ(client->write(id, back, text == std::string_view("three")), WriteResult::ok);
    }
  });
  ASSERT_TRUE(test.until([&] { return call.data.size() == 3 && served.end; }));
  EXPECT_EQ(call.heads, std::vector<std::string>{R"({"h":"1"})"});
  EXPECT_EQ(call.data, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(served.data, (std::vector<std::string>{"one", "two", "three"}));
  answer(served, "end");
  ASSERT_TRUE(test.until([&] { return call.ended(); }));
  EXPECT_TRUE(call.ok());
  EXPECT_EQ(call.payload, "end");
}

TEST_P(StreamContract, AReaderThatDoesNotReadStopsItsWriterAndNobodyElse) {
  connect();
  CallLog slow;
  CallId id = 0;
  ServedLog& served = open_kept(slow, &id, true);
  const std::string message = pattern(16'384);
  std::size_t written = 0;
  bool full = false;
  const auto write_until_full = [&] {
    for (int i = 0; i < 1'000 && !full; ++i) {
      Slice data = Slice::copy_of(message);
      const Result<WriteResult> result = server->write(served.id, data);
      ASSERT_TRUE(result);
      if (*result == WriteResult::ok) {
        ++written;
      } else {
        full = true;
      }
    }
  };
  while (!full) {
    test.in_turn(write_until_full);
    test.settle();
  }
  EXPECT_LE(written * message.size(), 2u * wire::kStreamWindowBytes);
  CallLog other;
  ASSERT_TRUE(open(other, "echo", pattern(100'000)));
  ASSERT_TRUE(test.until([&] { return other.ended(); }));
  EXPECT_TRUE(other.ok());
  EXPECT_EQ(served.writable, 0);
  std::size_t read = 0;
  ASSERT_TRUE(test.until([&] {
    std::size_t bytes = 0;
    for (const std::string& data : slow.data) bytes += data.size();
    if (bytes > read) {
      test.in_turn([&] { client->grant(id, bytes - std::exchange(read, bytes)); });
    }
    return served.writable != 0;
  }));
  answer(served);
  ASSERT_TRUE(test.until([&] { return slow.ended(); }));
  EXPECT_EQ(slow.data.size(), written);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StreamContract, ::testing::ValuesIn(kV2Kinds), kind_name);

}  // namespace
}  // namespace spanwire::channel
