// The link contract's pairs of connected links, of every kind.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "spanwire/transport/memory_link.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {

inline constexpr LinkKind kMemoryBytes{"memory_bytes", ""};
inline constexpr LinkKind kMemoryMultipart{"memory_multipart", "", LinkMode::multipart};
inline constexpr LinkKind kTcp4{"tcp_v4", "tcp://127.0.0.1:0"};
inline constexpr LinkKind kTcp6{"tcp_v6", "tcp://[::1]:0"};
inline constexpr LinkKind kUnix{"unix", "unix://"};
inline constexpr LinkKind kZmqTcp4{"zmq_tcp_v4", "zmq+tcp://127.0.0.1:0", LinkMode::multipart,
                                   true};
inline constexpr LinkKind kZmqTcp6{"zmq_tcp_v6", "zmq+tcp://[::1]:0", LinkMode::multipart, true};
inline constexpr LinkKind kZmqIpc{"zmq_ipc", "zmq+ipc://", LinkMode::multipart, true};
inline constexpr LinkKind kZmqInproc{"zmq_inproc", "zmq+inproc://link contract",
                                     LinkMode::multipart, true};

inline std::string name_of(const ::testing::TestParamInfo<LinkKind>& kind) {
  return kind.param.name;
}

class LinkContract : public ::testing::TestWithParam<LinkKind> {
 protected:
  ~LinkContract() override {
    left.reset();
    right.reset();
    acceptor_.links.clear();
    listener_.reset();
    test.settle();
  }

  void SetUp() override {
    if (std::string_view(GetParam().address).empty()) {
      MemoryOptions options;
      options.mode = GetParam().mode;
      MemoryLinks links = make_memory_links(test.loop(), test.loop(), options);
      left = std::move(links.first);
      right = std::move(links.second);
    } else {
      connect();
    }
    if (left == nullptr || right == nullptr) return;
    test.in_turn([&] {
      left->start(left_events);
      right->start(right_events);
    });
  }

  void connect() {
    const std::string text = GetParam().address;
    const Address where =
        address_of(text.ends_with("://") ? text + temporary_path("contract.sock") : text);
    Result<std::unique_ptr<Listener>> listener = listen(test.loop(), where, {}, acceptor_);
    if (!listener && where.host == "::1") GTEST_SKIP() << "no IPv6 here";
    ASSERT_TRUE(listener) << listener.error().message();
    listener_ = std::move(*listener);
    DialOptions options;
    options.zmq.receive_messages_max = 64;  // what fill() has to exceed
    Result<Dialled> dialled = test.run(dial(test.loop(), listener_->address(), options));
    ASSERT_TRUE(dialled) << dialled.error().message();
    ASSERT_TRUE(test.until([&] { return !acceptor_.links.empty(); }));
    left = std::move(dialled->link);
    right = std::move(acceptor_.links.front());
    acceptor_.links.clear();
    if (GetParam().left_listens) std::swap(left, right);
  }

  // libzmq's thread does that for its own links.
  static bool gathers() { return !std::string_view(GetParam().address).starts_with("zmq"); }

  // Moves the time on and lets the loop notice.
  void advance(std::chrono::nanoseconds by) {
    clock.advance(by);
    test.in_turn([] {});
    test.settle();
  }

  // Who waits for room tries again by the clock too.
  template <class Predicate>
  bool until_later(Predicate happened,
                   std::chrono::nanoseconds step = std::chrono::milliseconds(1)) {
    return test.until([&] {
      advance(step);
      return happened();
    });
  }

  // Sends a peer that does not read, in one turn, more than all that lies between the two can hold:
  // whatever moves on afterwards, more than the high-water mark stays with the link.
  std::size_t fill() {
    constexpr std::size_t kFrames = 2'048;
    const std::string payload(32u << 10, 'f');
    test.in_turn([&] {
      for (std::uint32_t i = 0; i < kFrames; ++i) send_frame(*left, i, payload);
    });
    test.settle();
    EXPECT_GT(left->queued_bytes(), kLinkHighWaterBytes);
    return kFrames;
  }

  testing::LeakCheck leaks_;
  ManualClock clock;
  testing::TestLoop test{clock};
  Recorder left_events;
  Recorder right_events;
  std::unique_ptr<Link> left;
  std::unique_ptr<Link> right;

 private:
  Acceptor acceptor_{test.loop()};
  std::unique_ptr<Listener> listener_;
};

}  // namespace spanwire::transport
