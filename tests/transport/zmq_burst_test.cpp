// Bursts of messages where a loop and libzmq's thread have one core: when there is one, and what is
// done for it, in child processes with one core.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/transport/zmq/burst.hpp"
#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/test_loop.hpp"

namespace {

// How often the calling thread gave its core away.
thread_local int yields = 0;

}  // namespace

// In place of the C library's.
extern "C" int sched_yield() noexcept {
  ++yields;
  return static_cast<int>(syscall(SYS_sched_yield));
}

namespace spanwire::transport {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// ---- The decision

// Looks at it so often, so far apart.
bool look(Burst& burst, MonotonicTime& now, int times, std::chrono::nanoseconds apart) {
  bool is = false;
  for (int i = 0; i < times; ++i) is = burst.look(now += apart);
  return is;
}

constexpr std::chrono::nanoseconds kSoon = microseconds(100);
const MonotonicTime kBegin = MonotonicTime(std::chrono::hours(1));

TEST(Burst, IsLookedAtAfterSoManyMessages) {
  Burst burst;
  for (int round = 0; round < 2; ++round) {
    for (unsigned i = 1; i < Burst::kMessages; ++i) EXPECT_FALSE(burst.count());
    EXPECT_TRUE(burst.count());
  }
}

TEST(Burst, BeginsWithTheSecondLookThatComesSoon) {
  Burst burst;
  MonotonicTime now = kBegin;
  EXPECT_FALSE(burst.look(now));
  EXPECT_FALSE(burst.look(now += Burst::kDense));
  EXPECT_TRUE(burst.look(now += Burst::kDense - microseconds(1)));
}

TEST(Burst, EndsWithOneThatComesLateAndBeginsAgain) {
  Burst burst;
  MonotonicTime now = kBegin;
  EXPECT_TRUE(look(burst, now, 1 + Burst::kWorthwhile / kSoon + 1, kSoon));
  EXPECT_FALSE(burst.look(now += Burst::kDense));
  EXPECT_TRUE(burst.look(now += kSoon));
}

TEST(Burst, ThatWasOverTooSoonIsTriedAgainAfterAWhileThenAfterTwiceThat) {
  Burst burst;
  MonotonicTime now = kBegin;
  std::chrono::nanoseconds pause = Burst::kRetryFirst;
  for (int attempt = 0; attempt < 12; ++attempt) {
    EXPECT_TRUE(look(burst, now, 2, kSoon)) << attempt;
    EXPECT_FALSE(burst.look(now += Burst::kDense)) << attempt;
    const MonotonicTime retry_at = now + pause;
    while (now + kSoon < retry_at) ASSERT_FALSE(burst.look(now += kSoon)) << attempt;
    pause = std::min(2 * pause, Burst::kRetryMax);
  }
  EXPECT_EQ(pause, Burst::kRetryMax);
}

TEST(Burst, ThatWasWorthwhileMakesTheNextPauseShort) {
  Burst burst;
  MonotonicTime now = kBegin;
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_TRUE(look(burst, now, 2, kSoon));
    EXPECT_FALSE(burst.look(now += Burst::kDense));
    EXPECT_FALSE(burst.look(now += std::chrono::seconds(1)));
  }
  look(burst, now, 1 + Burst::kWorthwhile / kSoon + 1, kSoon);
  EXPECT_FALSE(burst.look(now += Burst::kDense));
  EXPECT_TRUE(look(burst, now, 2, kSoon));
  EXPECT_FALSE(burst.look(now += Burst::kDense));
  EXPECT_TRUE(look(burst, now, 2 + Burst::kRetryFirst / kSoon, kSoon));
}

TEST(Burst, ThatWasRefusedIsOver) {
  Burst burst;
  MonotonicTime now = kBegin;
  EXPECT_TRUE(look(burst, now, 2, kSoon));
  burst.refuse(now);
  EXPECT_FALSE(burst.look(now += kSoon));
  EXPECT_EQ(burst.over_at(), now + Burst::kQuiet);
}

TEST(Burst, ThatNothingFollowsEndedWithItsLastLook) {
  Burst burst;
  MonotonicTime now = kBegin;
  EXPECT_TRUE(look(burst, now, 2, kSoon));
  burst.end();  // in vain
  EXPECT_FALSE(look(burst, now, 2, kSoon));
  now += Burst::kRetryFirst;
  EXPECT_TRUE(look(burst, now, 2 + Burst::kWorthwhile / kSoon, kSoon));
  burst.end();
  EXPECT_TRUE(burst.look(now += kSoon));
}

// ---- What is done for it

// Of libzmq's one thread of this process; -1 if there is none.
int zmq_thread() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.ends_with("/ZMQbg/IO/0")) return std::stoi(task.path().filename());
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

// Sends back what it receives, `left` times.
class Echo final : public ZmqSocketEvents {
 public:
  explicit Echo(ZmqSocket& socket) : socket_(socket) { socket.start(*this); }
  void on_zmq_ready() override {
    ZmqMessage message;
    while (socket_.receive(message)) {
      if (left == 0) continue;
      --left;
      send();
    }
  }
  void send() {
    ZmqPart parts[] = {ZmqPart(bytes_of("message"))};
    EXPECT_EQ(socket_.send(parts), ZmqSent::sent);
  }
  int left = 0;

 private:
  ZmqSocket& socket_;
};

// Two sockets that send each other messages while time stands still.
class Exchange {
 public:
  Exchange() : test_(clock_) {
    auto one = ZmqSocket::open(test_.loop(), ZMQ_DEALER);
    auto other = ZmqSocket::open(test_.loop(), ZMQ_DEALER);
    if (!one || !other || !(*one)->bind("tcp://127.0.0.1:*")) return;
    if (!(*other)->connect((*one)->last_endpoint())) return;
    one_.emplace(**one);
    other_.emplace(**other);
    sockets_ = {*one, *other};
  }
  ~Exchange() {
    for (const Ref<ZmqSocket>& socket : sockets_) socket->close(milliseconds(0));
  }
  bool exchange(int messages) {
    if (!one_) return false;
    one_->left = other_->left = messages;
    other_->send();
    return test_.until([&] { return other_->left == 0; });
  }
  void pass(std::chrono::nanoseconds time) {
    test_.in_turn([&] { clock_.advance(time); });
    test_.settle();
  }
  template <class Predicate>
  bool until(Predicate happened) {
    return test_.until(happened);
  }

 private:
  ManualClock clock_;
  testing::TestLoop test_;
  std::optional<Echo> one_;
  std::optional<Echo> other_;
  std::vector<Ref<ZmqSocket>> sockets_;
};

// The policy of libzmq's thread in a burst, and when it is over.
struct Policies {
  int burst = -1;
  int over = -1;
  bool gave_way = false;  // the loop, in it
};

// On a thread of its own, which has seen no bursts.
Policies policies(int policy_before) {
  Policies found;
  std::thread([&] {
    Exchange exchange;
    exchange.exchange(1);
    const sched_param plain{};
    if (sched_setscheduler(zmq_thread(), policy_before, &plain) != 0) return;
    yields = 0;
    exchange.exchange(3 * Burst::kMessages);
    found.gave_way = yields != 0;
    found.burst = sched_getscheduler(zmq_thread());
    exchange.pass(Burst::kQuiet - milliseconds(1));
    if (sched_getscheduler(zmq_thread()) != found.burst) return;
    exchange.pass(milliseconds(4));
    const int thread = zmq_thread();
    exchange.until([&] { return sched_getscheduler(thread) == policy_before; });
    found.over = sched_getscheduler(thread);
  }).join();
  return found;
}

int code_of(const Policies& found) {
  return 100 * (found.gave_way ? 1 : 0) + 10 * found.burst + found.over;
}

TEST(ZmqBurst, MakesLibzmqsThreadBatchWorkUntilItIsOver) {
  EXPECT_EQ(
      testing::run_in_child([] { return pin_to_one_core() ? code_of(policies(SCHED_OTHER)) : 1; }),
      code_of({SCHED_BATCH, SCHED_OTHER, true}));
}

TEST(ZmqBurst, EndsWithItsSocket) {
  const auto policies_around_close = [] {
    Policies found;
    std::thread([&] {
      Exchange lives_on;
      {
        Exchange ends;
        yields = 0;
        ends.exchange(3 * Burst::kMessages);
        found.gave_way = yields != 0;
        found.burst = sched_getscheduler(zmq_thread());
      }
      found.over = sched_getscheduler(zmq_thread());
    }).join();
    return found;
  };
  EXPECT_EQ(testing::run_in_child(
                [&] { return pin_to_one_core() ? code_of(policies_around_close()) : 1; }),
            code_of({SCHED_BATCH, SCHED_OTHER, true}));
}

TEST(ZmqBurst, LeavesAPolicyThatSomebodyGaveIt) {
  EXPECT_EQ(
      testing::run_in_child([] { return pin_to_one_core() ? code_of(policies(SCHED_IDLE)) : 1; }),
      code_of({SCHED_IDLE, SCHED_IDLE, false}));
}

TEST(ZmqBurst, MeansNothingWhereThereAreMoreCores) {
  cpu_set_t cores;
  ASSERT_EQ(sched_getaffinity(0, sizeof cores, &cores), 0);
  const bool one = CPU_COUNT(&cores) == 1;
  EXPECT_EQ(testing::run_in_child([] { return code_of(policies(SCHED_OTHER)); }),
            code_of({one ? SCHED_BATCH : SCHED_OTHER, SCHED_OTHER, one}));
}

}  // namespace
}  // namespace spanwire::transport
