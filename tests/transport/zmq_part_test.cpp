// Parts: who owns their memory, and the blocks that small copies share.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/transport/zmq/copied_part.hpp"
#include "lib/transport/zmq/part.hpp"

namespace spanwire::transport {
namespace {

std::string_view text_in(const ZmqPart& part) { return text_of(part_bytes(part)); }

class Lent : public ::testing::Test {
 protected:
  void lend(ZmqPart& part) {
    part.lend(
        memory.data(), memory.size(),
        [](void*, void* count) { ++*static_cast<std::atomic<int>*>(count); }, &released);
  }

  std::array<std::byte, 100> memory{};
  std::atomic<int> released{0};
};

TEST(ZmqPart, WithoutBytesIsEmpty) {
  ZmqPart part;
  EXPECT_EQ(part.size(), 0u);
  EXPECT_FALSE(part.more());
  EXPECT_EQ(zmq_msg_size(part.handle()), 0u);
  part.copy({});
  EXPECT_EQ(part.size(), 0u);
}

TEST(ZmqPart, CopiesAnyLength) {
  for (const std::size_t bytes : {1u, 33u, 34u, 1'024u, 1'025u, 5'000u}) {
    const std::string text(bytes, 'x');
    ZmqPart part(bytes_of(text));
    EXPECT_EQ(text_in(part), text);
    copy_part(part, bytes_of(text + "y"));
    EXPECT_EQ(text_in(part), text + "y");
  }
}

TEST_F(Lent, IsGivenBackOnce) {
  {
    ZmqPart part;
    lend(part);
    ZmqPart moved(std::move(part));
    EXPECT_EQ(moved.size(), memory.size());
    EXPECT_EQ(part.size(), 0u);  // NOLINT: moved from on purpose
    part = std::move(moved);
    EXPECT_EQ(part.size(), memory.size());
    EXPECT_EQ(released.load(), 0);
  }
  EXPECT_EQ(released.load(), 1);
}

TEST_F(Lent, IsGivenBackByWhatComesInItsPlace) {
  ZmqPart part;
  lend(part);
  part.copy(bytes_of("other"));
  EXPECT_EQ(released.load(), 1);
  lend(part);
  part = ZmqPart();
  EXPECT_EQ(released.load(), 2);
}

// Two sockets inside this process.
struct Pair {
  Pair() {
    zmq_bind(from, "inproc://pair");
    zmq_connect(to, "inproc://pair");
  }
  ~Pair() {
    zmq_close(from);
    zmq_close(to);
    zmq_ctx_term(context);
  }

  void* context = zmq_ctx_new();
  void* from = zmq_socket(context, ZMQ_PAIR);
  void* to = zmq_socket(context, ZMQ_PAIR);
};

TEST_F(Lent, IsGivenBackByWhoReceivedIt) {
  Pair pair;
  ZmqPart part;
  lend(part);
  ASSERT_TRUE(part.send(pair.from, ZMQ_DONTWAIT));
  EXPECT_EQ(part.size(), 0u);
  EXPECT_EQ(part.data(), nullptr);
  part = ZmqPart();
  EXPECT_EQ(released.load(), 0);
  {
    ZmqPart received;
    ASSERT_TRUE(received.receive(pair.to, ZMQ_DONTWAIT));
    EXPECT_EQ(received.size(), memory.size());
    EXPECT_EQ(received.data(), memory.data());
  }
  EXPECT_EQ(released.load(), 1);
}

TEST(ZmqPart, IsAsLargeAsWhatCameLast) {
  Pair pair;
  for (const std::string text : {"a", "", "longer than what a part holds in itself"}) {
    ZmqPart part(bytes_of(text));
    EXPECT_TRUE(part.send(pair.from, ZMQ_DONTWAIT));
  }
  ZmqPart part(bytes_of("before"));
  for (const std::string text : {"a", "", "longer than what a part holds in itself"}) {
    ASSERT_TRUE(part.receive(pair.to, ZMQ_DONTWAIT));
    EXPECT_EQ(text_in(part), text);
  }
  EXPECT_FALSE(part.receive(pair.to, ZMQ_DONTWAIT));
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(part.size(), 0u);
  EXPECT_EQ(part.data(), nullptr);
}

TEST_F(Lent, StaysWhereItIsWhenItIsNotTaken) {
  Pair pair;
  ZmqPart part;
  lend(part);
  void* const alone = zmq_socket(pair.context, ZMQ_PAIR);
  EXPECT_FALSE(part.send(alone, ZMQ_DONTWAIT));
  zmq_close(alone);
  EXPECT_EQ(part.size(), memory.size());
  EXPECT_EQ(released.load(), 0);
}

// Blocks go back and forth between the thread that fills them and those that drop what is in them.
TEST(CopiedPart, KeepsItsBytesWhileBlocksComeBack) {
  for (int round = 0; round < 20; ++round) {
    std::vector<ZmqPart> parts(200);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      copy_part(parts[i], bytes_of(std::string(40 + i, static_cast<char>('a' + round))));
    }
    std::thread([&] {
      for (std::size_t i = 0; i < parts.size(); i += 2) parts[i] = ZmqPart();
    }).join();
    for (std::size_t i = 1; i < parts.size(); i += 2) {
      EXPECT_EQ(text_in(parts[i]), std::string(40 + i, static_cast<char>('a' + round)));
    }
  }
}

TEST(CopiedPart, OutlivesTheThreadThatMadeIt) {
  std::vector<ZmqPart> parts(300);
  std::thread([&] {
    for (ZmqPart& part : parts) copy_part(part, bytes_of(std::string(100, 'z')));
  }).join();
  for (const ZmqPart& part : parts) EXPECT_EQ(text_in(part), std::string(100, 'z'));
  std::thread([&] { parts.resize(150); }).join();
  parts.clear();
}

// More than a thread keeps: what is above is freed.
TEST(CopiedPart, ManyBlocksMayBeOnTheirWay) {
  std::vector<ZmqPart> parts(4'000);
  for (ZmqPart& part : parts) copy_part(part, bytes_of(std::string(1'024, 'm')));
  std::thread([&] { parts.clear(); }).join();
  ZmqPart part;
  copy_part(part, bytes_of(std::string(1'024, 'n')));
  EXPECT_EQ(text_in(part), std::string(1'024, 'n'));
}

// Two threads end what one has made, while it goes on.
TEST(CopiedPart, MayEndOnManyThreadsAtOnce) {
  std::vector<ZmqPart> first(500), second(500);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < first.size(); ++i) {
      copy_part(first[i], bytes_of(std::string(300, 'f')));
      copy_part(second[i], bytes_of(std::string(300, 's')));
    }
    std::thread one([&] {
      for (ZmqPart& part : first) part = ZmqPart();
    });
    std::thread two([&] {
      for (ZmqPart& part : second) part = ZmqPart();
    });
    std::vector<ZmqPart> meanwhile(500);
    for (ZmqPart& part : meanwhile) copy_part(part, bytes_of(std::string(300, 'w')));
    for (const ZmqPart& part : meanwhile) EXPECT_EQ(text_in(part), std::string(300, 'w'));
    one.join();
    two.join();
  }
}

}  // namespace
}  // namespace spanwire::transport
