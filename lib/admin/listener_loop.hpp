// ListenerLoop: the thread of a MetricsListener, its listening socket and its clients.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/admin/connection.hpp"
#include "lib/admin/listening_socket.hpp"
#include "spanwire/admin/metrics_listener.hpp"
#include "spanwire/base/clock.hpp"

namespace spanwire::admin {

class ListenerLoop {
 public:
  // `wake` is an eventfd; it and the socket become this object's.
  ListenerLoop(ListenerOptions options, ListeningSocket socket, int wake);
  // Stops the thread; in a forked child there is none.
  ~ListenerLoop();
  ListenerLoop(const ListenerLoop&) = delete;
  ListenerLoop& operator=(const ListenerLoop&) = delete;

  // False if there is no room for a thread.
  bool start() noexcept;
  const std::string& address() const noexcept { return address_; }
  // In a forked child: closes what is the parent's.  With the lock of all listeners held.
  void abandon() noexcept;

 private:
  void run() noexcept;
  void wait();
  void serve(MonotonicTime at);
  void accept_all(MonotonicTime at);
  enum class Accepted : std::uint8_t { yes, no_more, cannot };
  Accepted accept_one(MonotonicTime at);
  std::string answer(const HttpRequest& request) const;
  bool healthy() const noexcept;

  const ListenerOptions options_;
  const std::string address_;
  const int listening_;
  const int wake_;
  const std::uint32_t fork_generation_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Connection>> connections_;  // the oldest first
  std::vector<pollfd> sources_;                           // wake, listening, then connections
  MonotonicTime accept_after_{};
  std::thread thread_;
};

}  // namespace spanwire::admin
