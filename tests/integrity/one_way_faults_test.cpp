// The promises of trace for one-way messages while their connections are cut (or, where nothing can
// come between, the receiver goes and another comes): a consumer span is the child of the producer
// span that was sent, no flag is forged, nothing is an orphan, and what did not come is counted.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/transport/address.hpp"
#include "tests/integrity/span_ledger.hpp"
#include "tests/support/cutting_proxy.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using rpc::Message;
using rpc::OneWayOptions;
using rpc::Publisher;
using rpc::Puller;
using rpc::Pusher;
using rpc::Subscriber;
using testing::CuttingProxy;
using testing::SpanLedger;

constexpr int kMessages = 200;
constexpr int kRestarts = 4;
constexpr std::size_t kCutMin = 1'000;
constexpr std::size_t kCutMax = 12'000;
constexpr std::uint8_t kFlags[] = {0x03, 0x01, 0x02, 0x00};

trace::SpanContext remote_span(int number) {
  Random random(static_cast<std::uint64_t>(number) + 1);
  return {trace::TraceId::generate(random), trace::SpanId::generate(random), kFlags[number % 4]};
}

trace::Context soon() { return trace::Context().with_timeout(60s); }

class OneWayFaults
    : public ::testing::TestWithParam<std::tuple<const char*, std::uint64_t /*seed*/>> {
 protected:
  void SetUp() override {
    trace::ProviderOptions options;
    options.exporters.push_back(ledger_.exporter());
    options.ring_bytes_per_thread = 64u << 20;  // whoever publishes does not wait
    trace::init(std::move(options));
  }

  bool inside() const { return std::get<0>(GetParam()) == std::string_view("inproc"); }
  std::uint64_t seed() const { return std::get<1>(GetParam()); }
  std::string address() const {
    const std::string name = "one-way-" + std::to_string(::getpid());
    const std::string way = std::get<0>(GetParam());
    return "zmq+" + way + "://" +
           (way == "tcp"   ? "127.0.0.1:0"
            : way == "ipc" ? "/tmp/" + name
                           : name);
  }
  // Where to connect for what listens at `at`: what is between cuts.
  std::string through_a_proxy(const std::string& at) {
    if (inside()) return at;
    const transport::Address address = *transport::parse_address(at);
    if (address.scheme == transport::Scheme::zmq_ipc) {
      proxy_ = std::make_unique<CuttingProxy>(address.host, seed(), kCutMin, kCutMax);
      return "zmq+ipc://" + proxy_->address();
    }
    proxy_ = std::make_unique<CuttingProxy>(address.port, seed(), kCutMin, kCutMax);
    return "zmq+tcp://" + proxy_->address();
  }
  // So long it goes on: what is not cut shows nothing.
  bool was_cut() const { return inside() || proxy_->cuts() > 0; }
  static OneWayOptions quick() {
    OneWayOptions options;
    options.reconnect_first = options.reconnect_last = 1ms;
    return options;
  }

  trace::Context origin(int number) {
    const trace::SpanContext span = remote_span(number);
    ledger_.add_remote_parent(span.span_id());
    sent_sampled_ += span.sampled() ? 1 : 0;
    return soon().with_span(span, "vendor=opaque").with_x_request_id(std::to_string(number));
  }
  // What a message says of its sender is what that had.
  void check(const Message& message) {
    const rpc::Headers headers = message.headers();
    const int number = std::stoi(std::string(headers.get("x-request-id").value_or("-1")));
    const trace::SpanContext span = remote_span(number);
    const std::string parent(headers.get("traceparent").value_or(""));
    ASSERT_EQ(parent.size(), 55u);
    EXPECT_EQ(parent.substr(3, 32), span.trace_id().hex().str());
    EXPECT_EQ(parent.substr(53), "0" + std::to_string(kFlags[number % 4]));
    EXPECT_EQ(headers.get("tracestate").value_or(""), "vendor=opaque");
    EXPECT_EQ(message.context().span().trace_id(), span.trace_id());
    EXPECT_EQ(message.context().span().flags(), kFlags[number % 4]);
    received_sampled_ += span.sampled() ? 1 : 0;
  }

  // Sockets are gone: every span was exported, a child of the one that it followed from.
  void expect_whole_traces() {
    EXPECT_TRUE(trace::provider()->force_flush(60s).in_time);
    const trace::TraceStats stats = trace::provider()->stats();
    trace::provider()->shutdown(60s);
    EXPECT_EQ(stats.open, 0u);
    EXPECT_EQ(stats.lost.total(), 0u) << stats.lost.to_string();
    EXPECT_EQ(stats.exported, ledger_.size());
    EXPECT_EQ(ledger_.orphans(), 0u);
    EXPECT_EQ(ledger_.of_kind(trace::SpanKind::producer), static_cast<std::size_t>(sent_sampled_));
    EXPECT_EQ(ledger_.of_kind(trace::SpanKind::consumer),
              static_cast<std::size_t>(received_sampled_));
  }

  testing::LeakCheck leaks_;
  SpanLedger ledger_;
  rpc::Runtime runtime_;
  std::unique_ptr<CuttingProxy> proxy_;
  int sent_sampled_ = 0;
  int received_sampled_ = 0;
};

TEST_P(OneWayFaults, APushedMessageComesOnceAtMostAndInItsTrace) {
  // Inside one process receivers come and go, and so connect.
  std::unique_ptr<Puller> puller;
  std::unique_ptr<Pusher> pusher;
  std::string at;
  if (inside()) {
    at = address();
    pusher = std::make_unique<Pusher>(runtime_, quick().listen(at));
    ASSERT_TRUE(pusher->start());
    puller = std::make_unique<Puller>(runtime_, quick().connect(at));
    ASSERT_TRUE(puller->start());
  } else {
    puller = std::make_unique<Puller>(runtime_, quick().listen(address()));
    ASSERT_TRUE(puller->start());
    at = through_a_proxy(puller->addresses().at(0));
    pusher = std::make_unique<Pusher>(runtime_, quick().connect(at));
    ASSERT_TRUE(pusher->start());
  }
  std::atomic<bool> last_came{false};
  std::thread pushing([&] {
    for (int i = 0; i < kMessages || !last_came; ++i) {
      EXPECT_TRUE(pusher->push_blocking(origin(i), "p", Slice::of(std::to_string(i))));
    }
  });
  std::set<int> came;
  int restarts = 0;
  while (!last_came) {
    const Result<Message> message = puller->receive_blocking();
    ASSERT_TRUE(message) << message.error().message();
    check(*message);
    const int number = std::stoi(std::string(message->payload().text()));
    EXPECT_TRUE(came.insert(number).second) << number << " came twice";
    last_came = number >= kMessages && was_cut();
    if (!inside() || number / (kMessages / kRestarts) <= restarts) continue;
    ++restarts;
    puller = std::make_unique<Puller>(runtime_, quick().connect(at));
    ASSERT_TRUE(puller->start());
  }
  pushing.join();
  EXPECT_EQ(restarts > 0, inside());
  pusher.reset();
  puller.reset();
  expect_whole_traces();
}

Task<Result<void>> publish_now(Publisher* publisher, trace::Context context, int number) {
  co_return publisher->publish(context, "p", Slice::of(std::to_string(number)));
}

TEST_P(OneWayFaults, APublishedMessageComesOrIsCountedAsMissed) {
  OneWayOptions narrow = quick();
  narrow.zmq.send_messages_max = narrow.zmq.receive_messages_max = 10;
  auto publisher = std::make_unique<Publisher>(runtime_, OneWayOptions(narrow).listen(address()));
  ASSERT_TRUE(publisher->start());
  auto subscriber = std::make_unique<Subscriber>(
      runtime_, OneWayOptions(narrow).connect(through_a_proxy(publisher->addresses().at(0))),
      std::vector<std::string>{""});
  ASSERT_TRUE(subscriber->start());
  ASSERT_TRUE(publisher->wait_for_subscribers_blocking(soon(), "p", 1));
  std::atomic<bool> last_came{false};
  std::thread publishing([&] {
    for (int i = 0; i < kMessages || !last_came; ++i) {
      // On the loop, one after another: none waits in the queue from other threads, which has an
      // end.
      const Result<void> sent = runtime_.block_on(publish_now(publisher.get(), origin(i), i));
      EXPECT_TRUE(sent) << sent.error().message();
      std::this_thread::yield();
    }
  });
  int first = -1;
  int received = 0;
  int last = -1;
  while (!last_came) {
    const Result<Message> message = subscriber->receive_blocking();
    ASSERT_TRUE(message) << message.error().message();
    check(*message);
    last = std::stoi(std::string(message->payload().text()));
    if (first < 0) first = last;
    ++received;
    last_came = last >= kMessages && was_cut();
  }
  EXPECT_EQ(static_cast<std::uint64_t>(last - first + 1),
            static_cast<std::uint64_t>(received) + subscriber->missed());
  publishing.join();
  publisher.reset();
  subscriber.reset();
  expect_whole_traces();
}

INSTANTIATE_TEST_SUITE_P(Ways, OneWayFaults,
                         ::testing::Combine(::testing::Values("tcp", "ipc", "inproc"),
                                            ::testing::Values(1, 2, 3)),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param)) + "_" +
                                  std::to_string(std::get<1>(tested.param));
                         });

}  // namespace
}  // namespace spanwire
