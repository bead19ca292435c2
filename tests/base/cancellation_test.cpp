#include "spanwire/base/cancellation.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using testing::LeakCheck;

class Listener : public CancelListener {
 public:
  Listener() : CancelListener(&Listener::heard) {}
  std::atomic<int> calls{0};
  Errc reason = Errc::ok;
  Cancellation* detaches_from = nullptr;

 private:
  static void heard(CancelListener* listener, Errc reason) noexcept {
    auto* self = static_cast<Listener*>(listener);
    self->reason = reason;
    if (self->detaches_from != nullptr) self->detaches_from->detach(*self);
    ++self->calls;
  }
};

TEST(Cancellation, FirstReasonWins) {
  const LeakCheck leaks;
  const Cancellation cancellation = Cancellation::make();
  const Cancellation copy = cancellation;
  EXPECT_FALSE(copy.cancelled());
  EXPECT_TRUE(cancellation.cancel(Errc::deadline_exceeded));
  EXPECT_FALSE(copy.cancel(Errc::cancelled));
  EXPECT_TRUE(copy.cancelled());
  EXPECT_EQ(copy.reason(), Errc::deadline_exceeded);
}

TEST(Cancellation, EmptyHandleIsNeverCancelled) {
  const Cancellation empty;
  Listener listener;
  EXPECT_FALSE(empty);
  EXPECT_FALSE(empty.cancel());
  EXPECT_TRUE(empty.attach(listener));
  empty.detach(listener);
  EXPECT_FALSE(empty.cancelled());
  EXPECT_EQ(empty.reason(), Errc::ok);
}

TEST(Cancellation, CallsEachAttachedListenerOnce) {
  const Cancellation cancellation = Cancellation::make();
  std::vector<Listener> listeners(4);
  for (Listener& listener : listeners) ASSERT_TRUE(cancellation.attach(listener));
  cancellation.detach(listeners[1]);
  cancellation.detach(listeners[1]);
  cancellation.cancel(Errc::shutting_down);
  EXPECT_EQ(listeners[0].calls, 1);
  EXPECT_EQ(listeners[1].calls, 0);
  EXPECT_EQ(listeners[2].calls, 1);
  EXPECT_EQ(listeners[3].reason, Errc::shutting_down);
}

TEST(Cancellation, RefusesAListenerThatIsLate) {
  const Cancellation cancellation = Cancellation::make();
  cancellation.cancel();
  Listener listener;
  EXPECT_FALSE(cancellation.attach(listener));
  cancellation.detach(listener);
  EXPECT_EQ(listener.calls, 0);
}

TEST(Cancellation, ListenerMayDetachItselfWhileCalled) {
  Cancellation cancellation = Cancellation::make();
  Listener listener;
  listener.detaches_from = &cancellation;
  ASSERT_TRUE(cancellation.attach(listener));
  cancellation.cancel();
  EXPECT_EQ(listener.calls, 1);
}

// After detach() the listener may be freed, whatever the cancelling thread is doing.
TEST(Cancellation, DetachWaitsForACallUnderWay) {
  for (int round = 0; round < 300; ++round) {
    const Cancellation cancellation = Cancellation::make();
    auto listener = std::make_unique<Listener>();
    ASSERT_TRUE(cancellation.attach(*listener));
    std::thread canceller([cancellation] { cancellation.cancel(); });
    cancellation.detach(*listener);
    const int calls = listener->calls;
    EXPECT_LE(calls, 1);
    listener.reset();
    canceller.join();
    EXPECT_TRUE(cancellation.cancelled());
  }
}

TEST(Cancellation, OneOfManyThreadsIsFirst) {
  const Cancellation cancellation = Cancellation::make();
  std::atomic<int> first{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&first, cancellation] { first += cancellation.cancel() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first, 1);
}

// A class that is counted anyway hands out handles to itself.
class Call final : public CancelState {
 public:
  explicit Call(int& destroyed) : destroyed_(destroyed) {}

 private:
  void destroy() noexcept override {
    ++destroyed_;
    delete this;
  }
  int& destroyed_;
};

TEST(CancelState, LivesInsideAClassThatIsCountedAnyway) {
  int destroyed = 0;
  auto* call = new Call(destroyed);
  {
    const Cancellation handle = Cancellation::share(*call);
    EXPECT_FALSE(call->unique());
    call->release();
    EXPECT_EQ(destroyed, 0);
    EXPECT_TRUE(handle.cancel());
    EXPECT_TRUE(handle.state()->unique());
  }
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace spanwire
