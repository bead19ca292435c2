// ZmqFloodGuard: ends the connections that hold a publisher's loop inside libzmq.  libzmq takes
// what the peers of a publisher subscribe to in one call, for as long as more comes, and keeps it
// all; nothing on the loop runs in that time.  So a thread beside it, `spanwire-zmq`, sees whether
// the loop goes on ("spanwire.zmq.subscriber_floods").
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "spanwire/transport/loop.hpp"

namespace spanwire::transport {

// How often the loop shows that it goes on, and the guard looks.
inline constexpr std::chrono::nanoseconds kZmqFloodLook = std::chrono::milliseconds(250);

// Which connections bring too much while the loop takes nothing.  One thread at a time.  Pure.
class ZmqFloods {
 public:
  struct Reading {
    int fd = -1;
    std::uint64_t bytes = 0;  // that libzmq has read
  };
  using Readings = std::map<std::uint64_t, Reading>;  // by the system's name of the connection

  explicit ZmqFloods(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // Looked at while the loop does not go on.  Those that have brought most since the first such
  // look, until all others together have brought no more than they may.
  std::vector<int> look(const Readings& now);
  // The loop goes on: the next look is the first.
  void forget() noexcept { first_.reset(); }

 private:
  std::uint64_t bytes_max_;
  std::optional<Readings> first_;
};

// Safe from any thread.
class ZmqFloodGuard {
 public:
  struct Watched {
    std::atomic<std::uint64_t> turns{0};  // grows while the loop goes on
    std::vector<std::uint16_t> ports;     // that the socket listens at
    std::uint64_t bytes_max = 0;
  };

  ZmqFloodGuard();
  // Ends the thread.
  ~ZmqFloodGuard();
  ZmqFloodGuard(const ZmqFloodGuard&) = delete;
  ZmqFloodGuard& operator=(const ZmqFloodGuard&) = delete;

  void add(std::shared_ptr<const Watched> watched);
  void remove(const std::shared_ptr<const Watched>& watched);

 private:
  struct Entry {
    std::shared_ptr<const Watched> watched;
    ZmqFloods floods;
    std::uint64_t turns;
  };

  void run() noexcept;
  static void look_at(Entry& entry);

  std::mutex mutex_;  // of what follows, but for the thread
  std::condition_variable changed_;
  bool ends_ = false;
  std::vector<Entry> entries_;
  std::thread thread_;
};

// The loop's side.  Only on the loop.
class ZmqFloodWatch final : private Timer {
 public:
  ZmqFloodWatch(Loop& loop, std::vector<std::uint16_t> ports, std::uint64_t bytes_max);
  // The loop is there yet.
  ~ZmqFloodWatch();

 private:
  void arm() noexcept;
  static void timer_fired(Timer* timer) noexcept;

  Loop& loop_;
  std::shared_ptr<ZmqFloodGuard::Watched> watched_;
};

}  // namespace spanwire::transport
