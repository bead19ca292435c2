// What tests of one-way messages share: a runtime, sockets of each kind, addresses of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "spanwire/rpc/one_way.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::rpc {

class OneWayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    publisher_.reset();
    pusher_.reset();
    puller_.reset();
    std::filesystem::remove_all(folder_);
  }

  // A context that ends a wait that would never end.
  static trace::Context soon() { return trace::Context().with_timeout(std::chrono::seconds(30)); }

  std::string address(const std::string& kind) const {
    if (kind == "tcp") return "zmq+tcp://127.0.0.1:0";
    if (kind == "ipc") return "zmq+ipc://" + (folder_ / "socket").string();
    static std::atomic<int> last{0};
    return "zmq+inproc://one-way-" + std::to_string(++last);
  }

  // Each returns where it listens.
  std::string listen_puller(const std::string& at, OneWayOptions options = {}) {
    puller_ = std::make_unique<Puller>(runtime_, options.listen(at));
    const Result<void> started = puller_->start();
    EXPECT_TRUE(started) << started.error().message();
    return started ? puller_->addresses().at(0) : std::string();
  }
  // Where one listened that is gone: libzmq gives its port back on a thread of its own, some time
  // after the socket was closed.
  void listen_puller_again(const std::string& at) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      OneWayOptions options;
      puller_ = std::make_unique<Puller>(runtime_, options.listen(at));
      const Result<void> started = puller_->start();
      if (started) return;
      ASSERT_EQ(started.error(), Errc::already_exists) << started.error().message();
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      puller_.reset();
      std::this_thread::yield();
    }
  }
  std::string listen_publisher(const std::string& at, OneWayOptions options = {}) {
    publisher_ = std::make_unique<Publisher>(runtime_, options.listen(at));
    const Result<void> started = publisher_->start();
    EXPECT_TRUE(started) << started.error().message();
    return started ? publisher_->addresses().at(0) : std::string();
  }
  void connect_pusher(const std::string& at, OneWayOptions options = {}, bool wait = true) {
    pusher_ = std::make_unique<Pusher>(runtime_, options.connect(at));
    const Result<void> started = pusher_->start();
    EXPECT_TRUE(started) << started.error().message();
    if (!wait) return;
    const Result<void> connected = pusher_->connected_blocking(soon());
    EXPECT_TRUE(connected) << connected.error().message();
  }

  Pusher& pusher() { return *pusher_; }
  Puller& puller() { return *puller_; }
  Publisher& publisher() { return *publisher_; }

  testing::LeakCheck leaks_;
  std::filesystem::path folder_;
  Runtime runtime_;
  std::unique_ptr<Pusher> pusher_;
  std::unique_ptr<Puller> puller_;
  std::unique_ptr<Publisher> publisher_;
};

}  // namespace spanwire::rpc
