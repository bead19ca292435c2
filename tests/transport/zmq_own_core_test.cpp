// ZmqOptions::own_core, in child processes that have one core.
#include <gtest/gtest.h>
#include <sched.h>
#include <zmq.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::transport {
namespace {

constexpr int kMessages = 100;

// Of libzmq's thread; -1 if there is none.
int policy_of_zmq_thread() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == "ZMQbg/IO/0") return sched_getscheduler(std::stoi(task.path().filename()));
  }
  return -1;
}

bool pin_to_one_core() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return false;
  int first = 0;
  while (!CPU_ISSET(first, &cores)) ++first;
  CPU_ZERO(&cores);
  CPU_SET(first, &cores);
  return sched_setaffinity(0, sizeof cores, &cores) == 0;
}

class Counter final : public ZmqSocketEvents {
 public:
  explicit Counter(ZmqSocket& socket) : socket_(socket) { socket.start(*this); }
  void on_zmq_ready() override {
    ZmqMessage message;
    while (socket_.receive(message)) ++received;
  }
  int received = 0;

 private:
  ZmqSocket& socket_;
};

// Sends messages over tcp, so that libzmq's thread has run; its policy then.
int policy_after_messages(bool own_core) {
  testing::TestLoop test;
  ZmqSocketOptions options;
  options.own_core = own_core;
  const auto pull = ZmqSocket::open(test.loop(), ZMQ_PULL, options);
  const auto push = ZmqSocket::open(test.loop(), ZMQ_PUSH, options);
  if (!pull || !push || !(*pull)->bind("tcp://127.0.0.1:*")) return -1;
  if (!(*push)->connect((*pull)->last_endpoint())) return -1;
  Counter counter(**pull);
  for (int i = 0; i < kMessages; ++i) {
    ZmqPart parts[] = {ZmqPart(bytes_of("message"))};
    if ((*push)->send(parts) != ZmqSent::sent) return -1;
  }
  if (!test.until([&] { return counter.received == kMessages; })) return -1;
  const int policy = policy_of_zmq_thread();
  (*push)->close(std::chrono::milliseconds(0));
  (*pull)->close(std::chrono::milliseconds(0));
  return policy;
}

TEST(ZmqOwnCore, MakesLibzmqsThreadBatchWork) {
  EXPECT_EQ(testing::run_in_child([] {
              if (!pin_to_one_core()) return 100;
              const int policy = policy_after_messages(true);
              return sched_getscheduler(0) == SCHED_OTHER ? policy : 101;
            }),
            SCHED_BATCH);
}

TEST(ZmqOwnCore, IsOffUnlessSaid) {
  EXPECT_EQ(
      testing::run_in_child([] { return pin_to_one_core() ? policy_after_messages(false) : 100; }),
      SCHED_OTHER);
}

TEST(ZmqOwnCore, MeansNothingWhereThereAreMoreCores) {
  cpu_set_t cores;
  ASSERT_EQ(sched_getaffinity(0, sizeof cores, &cores), 0);
  EXPECT_EQ(testing::run_in_child([] { return policy_after_messages(true); }),
            CPU_COUNT(&cores) == 1 ? SCHED_BATCH : SCHED_OTHER);
}

}  // namespace
}  // namespace spanwire::transport
