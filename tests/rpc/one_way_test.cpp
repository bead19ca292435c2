#include "spanwire/rpc/one_way.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/blocking.hpp"
#include "spanwire/base/counters.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

// ---- Over each kind of socket

class OneWayOver : public OneWayTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(OneWayOver, APushedMessageArrivesAsItWasSent) {
  const std::string at = listen_puller(address(GetParam()));
  connect_pusher(at);
  ASSERT_TRUE(pusher().push_blocking(soon(), "llm/tokens", Slice::of_static("payload"),
                                     {{"tenant", "blue"}}));
  const Result<Message> message = puller().receive_blocking();
  ASSERT_TRUE(message) << message.error().message();
  EXPECT_EQ(message->path(), "llm/tokens");
  EXPECT_EQ(message->payload().text(), "payload");
  EXPECT_EQ(message->headers().get("tenant"), "blue");
}

TEST_P(OneWayOver, MessagesComeInTheirOrderWhateverTheirSize) {
  connect_pusher(listen_puller(address(GetParam())));
  constexpr int kMessages = 300;
  std::thread sending([&] {
    for (int i = 0; i < kMessages; ++i) {
      const std::size_t bytes = i % 50 == 0 ? 200'000u : static_cast<std::size_t>(i);
      const Result<void> sent = pusher().push_blocking(
          soon(), "p", Slice::of(std::string(bytes, static_cast<char>('a' + i % 26))));
      EXPECT_TRUE(sent) << sent.error().message();
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message);
    const std::size_t bytes = i % 50 == 0 ? 200'000u : static_cast<std::size_t>(i);
    EXPECT_EQ(message->payload().text(), std::string(bytes, static_cast<char>('a' + i % 26)));
  }
  sending.join();
}

TEST_P(OneWayOver, APublishedMessageGoesToWhoAskedForItsPath) {
  const std::string at = listen_publisher(address(GetParam()));
  Subscriber all(runtime_, OneWayOptions().connect(at), {""});
  Subscriber some(runtime_, OneWayOptions().connect(at), {"llm/decode"});
  ASSERT_TRUE(all.start());
  ASSERT_TRUE(some.start());
  ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), "llm/decode/1", 2));
  EXPECT_EQ(publisher().subscriptions("other"), 1u);
  ASSERT_TRUE(publisher().publish({}, "other", Slice::of_static("1")));
  ASSERT_TRUE(publisher().publish({}, "llm/decode/1", Slice::of_static("2")));
  EXPECT_EQ(all.receive_blocking()->payload().text(), "1");
  EXPECT_EQ(all.receive_blocking()->payload().text(), "2");
  EXPECT_EQ(some.receive_blocking()->payload().text(), "2");
  EXPECT_EQ(all.missed() + some.missed(), 0u);
}

Task<Result<void>> publish_now(Publisher* publisher, std::string payload) {
  co_return publisher->publish({}, "p", Slice::of(std::move(payload)));
}

// What waits for it keeps the room that all share full, until it is disconnected or, inside one
// process, lets go of it.
TEST_P(OneWayOver, ASubscriberThatStopsReadingDoesNotStopItsPublisher) {
  constexpr int kMessages = 25;
  const std::string_view slow = GetParam() == std::string_view("inproc")
                                    ? "spanwire.zmq.slow_subscribers_inside"
                                    : "spanwire.zmq.slow_subscribers";
  const std::int64_t before = counter_snapshot().value(slow);
  const std::string at = listen_publisher(address(GetParam()));
  OneWayOptions small;
  small.zmq.receive_messages_max = 2;
  Subscriber stuck(runtime_, OneWayOptions(small).connect(at), {""});
  Subscriber reading(runtime_, OneWayOptions(small).connect(at), {""});
  ASSERT_TRUE(stuck.start());
  ASSERT_TRUE(reading.start());
  ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), "p", 2));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  int refused = 0;
  for (int i = 0; i < kMessages; ++i) {
    const std::string payload(1u << 20, static_cast<char>('a' + i));
    for (;; ++refused) {
      const Result<void> sent = runtime_.block_on(publish_now(&publisher(), payload));
      if (sent) break;
      ASSERT_EQ(sent.error(), Errc::out_of_memory_budget) << sent.error().message();
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "stopped for good";
      std::this_thread::yield();
    }
    const Result<Message> message = reading.receive_blocking();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().text()[0], payload[0]);
  }
  EXPECT_EQ(reading.missed(), 0u);
  EXPECT_GT(refused, 0);
  EXPECT_GT(counter_snapshot().value(slow), before);
  // The stuck one goes on, and knows what it missed.
  if (GetParam() != std::string_view("inproc")) return;
  ASSERT_TRUE(runtime_.block_on(publish_now(&publisher(), "last")));
  std::uint64_t received = 0;
  for (bool last = false; !last; ++received) {
    const Result<Message> message = stuck.receive_blocking();
    ASSERT_TRUE(message);
    last = message->payload().text() == "last";
  }
  EXPECT_EQ(received + stuck.missed(), kMessages + std::uint64_t{1});
}

INSTANTIATE_TEST_SUITE_P(All, OneWayOver, ::testing::Values("tcp", "ipc", "inproc"),
                         [](const auto& tested) { return std::string(tested.param); });

// ---- Room

Task<void> hold(detail::Latch* held, detail::Latch* go_on) {
  held->raise();
  go_on->wait();
  co_return;
}

TEST_F(OneWayTest, APullerThatDoesNotReadHoldsItsPusherUpByName) {
  OneWayOptions small;
  small.zmq.send_messages_max = small.zmq.receive_messages_max = 10;
  const std::string at = listen_puller("zmq+inproc://full", small);
  connect_pusher(at, small);
  // On the socket's own loop libzmq's answer is told at once.
  const auto fill = [](Pusher* sending) -> Task<int> {
    for (int taken = 0;; ++taken) {
      const Result<void> pushed = sending->try_push({}, "p", Slice::of_static("x"));
      if (pushed) continue;
      EXPECT_EQ(pushed.error(), Errc::queue_full);
      co_return taken;
    }
  };
  const int taken = *runtime_.block_on(fill(&pusher()));
  EXPECT_GE(taken, 10);
  EXPECT_LE(taken, 20);
  // Waiting ends with the deadline, or with room.
  const trace::Context passed = trace::Context().with_timeout(std::chrono::milliseconds(20));
  EXPECT_EQ(pusher().push_blocking(passed, "p", Slice::of_static("late")).error(),
            Errc::deadline_exceeded);
  std::thread reading([&] {
    for (int i = 0; i < taken + 1; ++i) EXPECT_TRUE(puller().receive_blocking());
  });
  EXPECT_TRUE(pusher().push_blocking(soon(), "p", Slice::of_static("y")));
  reading.join();
}

TEST_F(OneWayTest, ThreadsPushThroughABoundedQueue) {
  OneWayOptions small;
  small.queued_messages_max = 5;
  small.queued_bytes_max = 10'000;
  connect_pusher(listen_puller("zmq+inproc://threads", small), small);
  const auto push = [&](std::size_t bytes) {
    return pusher().try_push({}, "p", Slice::of(std::string(bytes, 'x')));
  };
  EXPECT_EQ(push(20'000).error(), Errc::out_of_memory_budget);
  // While the loop is held nothing leaves the queue.
  detail::Latch held;
  detail::Latch go_on;
  runtime_.spawn(hold(&held, &go_on));
  held.wait();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(push(100));
  EXPECT_EQ(push(100).error(), Errc::queue_full);
  EXPECT_EQ(push(20'000).error(), Errc::queue_full) << "too large as well: there is no room first";
  go_on.raise();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(puller().receive_blocking());
  EXPECT_TRUE(push(100));
}

// Over a network libzmq holds large payloads until they are written: their bytes count.
TEST_F(OneWayTest, APullerThatStopsReadingCostsItsPusherNoMoreThanItsBudget) {
  constexpr std::size_t kPayload = 1u << 20;
  OneWayOptions options;
  options.zmq.flight_bytes_max = 4 * kPayload;
  connect_pusher(listen_puller("zmq+tcp://127.0.0.1:0", options), options);
  // From the socket's own loop, so that what libzmq takes is told at once.
  const auto fill = [](Pusher* sending) -> Task<int> {
    for (int taken = 0;; ++taken) {
      const Result<void> pushed = sending->try_push({}, "p", Slice::of(std::string(kPayload, 'x')));
      if (pushed) continue;
      EXPECT_EQ(pushed.error(), Errc::out_of_memory_budget) << pushed.error().message();
      co_return taken;
    }
  };
  const int taken = *runtime_.block_on(fill(&pusher()));
  EXPECT_GE(taken, 4);
  std::thread waiting([&] {
    EXPECT_TRUE(pusher().push_blocking(soon(), "p", Slice::of(std::string(kPayload, 'y'))));
  });
  for (int i = 0; i < taken; ++i) {
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().size(), kPayload);
  }
  EXPECT_EQ(puller().receive_blocking()->payload().text()[0], 'y');
  waiting.join();
}

TEST_F(OneWayTest, WhoIsSlowMissesMessagesAndKnowsHowMany) {
  OneWayOptions small;
  small.zmq.send_messages_max = small.zmq.receive_messages_max = 10;
  const std::string at = listen_publisher("zmq+inproc://slow", small);
  Subscriber subscriber(runtime_, OneWayOptions(small).connect(at), {""});
  ASSERT_TRUE(subscriber.start());
  ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), "p", 1));
  const auto publish = [](Publisher* sending, int count) -> Task<void> {
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(sending->publish({}, "p", Slice::of(std::to_string(i))));
    }
    co_return;
  };
  ASSERT_TRUE(runtime_.block_on(publish(&publisher(), 100)));
  int received = 0;
  std::uint64_t missed = 0;
  ASSERT_TRUE(runtime_.block_on(publish(&publisher(), 0)));
  // Until there is room again; then the next message tells of the gap.
  for (; received < 10; ++received) {
    const Result<Message> message = subscriber.receive_blocking();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().text(), std::to_string(received));
    EXPECT_EQ(message->missed(), 0u);
  }
  while (missed == 0) {
    ASSERT_TRUE(publisher().publish({}, "p", Slice::of_static("again")));
    const Result<Message> message = subscriber.receive_blocking();
    ASSERT_TRUE(message);
    missed = message->missed();
    ++received;
    ASSERT_LT(received, 200);
  }
  EXPECT_EQ(subscriber.missed(), missed);
  EXPECT_GE(missed, 70u);
  EXPECT_LE(missed, 90u);
}

// What peers ask for does not fill the memory of who counts it.
TEST_F(OneWayTest, SubscriptionsBeyondTheLimitAreServedAndNotCounted) {
  const testing::LogCapture log;
  const auto ignored = [] {
    return counter_snapshot().value("spanwire.zmq.subscriptions_ignored");
  };
  const std::int64_t before = ignored();
  const std::string at = listen_publisher("zmq+inproc://many");
  std::vector<std::string> prefixes = {std::string(5'000, 'l')};
  for (std::size_t i = 0; i <= kSubscribedPrefixesMax; ++i) prefixes.push_back(std::to_string(i));
  OneWayOptions wide;
  wide.zmq.send_messages_max = wide.zmq.receive_messages_max = 0;
  wide.limits.path_bytes_max = 5'000;
  Subscriber greedy(runtime_, wide.connect(at), prefixes);
  ASSERT_TRUE(greedy.start());
  // One that came later is heard later.
  Subscriber late(runtime_, OneWayOptions().connect(at), {"0"});
  ASSERT_TRUE(late.start());
  ASSERT_TRUE(publisher().wait_for_subscribers_blocking(soon(), "0", 2));
  EXPECT_EQ(ignored(), before + 2);
  EXPECT_TRUE(log.contains("a subscription is not counted"));
  ASSERT_TRUE(publisher().publish({}, std::to_string(kSubscribedPrefixesMax), Slice()));
  EXPECT_TRUE(greedy.receive_blocking());
}

// ---- What is refused before it is sent

TEST_F(OneWayTest, BadMessagesAreRefusedByName) {
  connect_pusher(listen_puller("zmq+inproc://bad"));
  const auto push = [&](const Path& path, std::string payload, Headers headers = {}) {
    const Result<void> sent = pusher().try_push({}, path, Slice::of(std::move(payload)), headers);
    return sent ? Errc::ok : sent.error().code();
  };
  EXPECT_EQ(push(std::string(5'000, 'p'), ""), Errc::path_too_long);
  EXPECT_EQ(push(std::string("\xff"), ""), Errc::path_not_utf8);
  EXPECT_EQ(push(std::string(), ""), Errc::invalid_argument);
  EXPECT_EQ(push("p", "", {{"traceparent", "x"}}), Errc::invalid_argument);
  EXPECT_EQ(push("p", "", {{"spanwire-sequence", "x"}}), Errc::invalid_argument);
  EXPECT_EQ(push("p", "", {{"long", std::string(70'000, 'x')}}), Errc::headers_too_long);
  EXPECT_EQ(push("p", std::string(33u << 20, 'x')), Errc::payload_too_long);
  EXPECT_EQ(push("p", ""), Errc::ok);
}

TEST_F(OneWayTest, StartSaysWhatIsWrong) {
  const auto start = [&](OneWayOptions options) {
    Puller broken(runtime_, std::move(options));
    const Result<void> started = broken.start();
    return started ? Errc::ok : started.error().code();
  };
  EXPECT_EQ(start({}), Errc::invalid_argument);
  EXPECT_EQ(start(OneWayOptions().listen("tcp://127.0.0.1:0")), Errc::bad_address);
  EXPECT_EQ(start(OneWayOptions().listen("naive+zmq+tcp://127.0.0.1:0")), Errc::bad_address);
  EXPECT_EQ(start(OneWayOptions().listen("nonsense")), Errc::bad_address);
  const std::string at = listen_puller("zmq+tcp://127.0.0.1:0");
  EXPECT_EQ(start(OneWayOptions().listen(at)), Errc::already_exists);
  EXPECT_EQ(puller().start().error(), Errc::already_exists);
  Subscriber endless(runtime_, OneWayOptions().connect(at), {std::string(5'000, 'p')});
  EXPECT_EQ(endless.start().error(), Errc::path_too_long);
  Pusher unstarted(runtime_, OneWayOptions().connect(at));
  EXPECT_EQ(unstarted.push_blocking({}, "p", Slice()).error(), Errc::not_connected);
}

Task<void> receive_once(Puller* from, Errc* outcome, detail::Latch* ended) {
  const Result<Message> message = co_await from->receive();
  *outcome = message ? Errc::ok : message.error().code();
  ended->raise();
}

TEST_F(OneWayTest, WaitingEndsWhenTheSocketIsClosed) {
  listen_puller("zmq+inproc://closing");
  Errc outcome = Errc::ok;
  detail::Latch ended;
  runtime_.spawn(receive_once(&puller(), &outcome, &ended));
  puller_.reset();
  ended.wait();
  EXPECT_EQ(outcome, Errc::shutting_down);
}

TEST_F(OneWayTest, NobodyThereIsSaid) {
  connect_pusher("zmq+tcp://127.0.0.1:1", {}, false);
  // Until the first attempt has failed, there is nothing else to say.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string why = "no peer has connected";
  while (why.find("no peer has connected") != std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    const Result<void> connected =
        pusher().connected_blocking(trace::Context().with_timeout(std::chrono::milliseconds(30)));
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error(), Errc::deadline_exceeded);
    why = connected.error().message();
  }
  EXPECT_NE(why.find("tcp://127.0.0.1:1: refused or unreachable"), std::string::npos) << why;
  Publisher lonely(runtime_, OneWayOptions().listen("zmq+tcp://127.0.0.1:0"));
  ASSERT_TRUE(lonely.start());
  const Result<void> met =
      lonely.connected_blocking(trace::Context().with_timeout(std::chrono::milliseconds(30)));
  ASSERT_FALSE(met);
  EXPECT_NE(met.error().message().find("no peer has connected"), std::string::npos);
  const Result<void> joined = lonely.wait_for_subscribers_blocking(
      trace::Context().with_timeout(std::chrono::milliseconds(30)), "p", 1);
  EXPECT_EQ(joined.error(), Errc::deadline_exceeded);
  EXPECT_TRUE(lonely.publish({}, "p", Slice::of_static("to nobody")));
}

TEST_F(OneWayTest, APusherComesBackToAPullerThatWasRestarted) {
  const std::string at = listen_puller("zmq+tcp://127.0.0.1:0");
  OneWayOptions quick;
  quick.reconnect_first = std::chrono::milliseconds(5);
  quick.reconnect_last = std::chrono::milliseconds(20);
  connect_pusher(at, quick);
  ASSERT_TRUE(pusher().push_blocking(soon(), "p", Slice::of_static("1")));
  EXPECT_EQ(puller().receive_blocking()->payload().text(), "1");
  puller_.reset();
  listen_puller_again(at);
  ASSERT_TRUE(pusher().connected_blocking(soon()));
  // What a connection held when it broke is lost, and nobody knows when that is noticed; what is
  // sent afterwards is not.
  std::atomic<bool> received{false};
  std::thread pushing([&] {
    while (!received) {
      const trace::Context brief = trace::Context().with_timeout(std::chrono::milliseconds(50));
      static_cast<void>(pusher().push_blocking(brief, "p", Slice::of_static("2")));
    }
  });
  const Result<Message> got = puller().receive_blocking();
  received = true;
  pushing.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->payload().text(), "2");
}

}  // namespace
}  // namespace spanwire::rpc
