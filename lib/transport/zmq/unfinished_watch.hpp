// ZmqUnfinishedWatch: looks at the tcp connections of a socket from time to time, and ends those
// whose peer does not end its message ("spanwire.zmq.unfinished_messages").
#pragma once

#include <cstdint>
#include <map>

#include "lib/transport/ref.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "lib/transport/zmq/unfinished.hpp"

namespace spanwire::transport {

class ZmqMonitor;

// Only on the loop of its socket.
class ZmqUnfinishedWatch final : public RefCounted, private Timer {
 public:
  ZmqUnfinishedWatch(ZmqSocket& socket, ZmqMonitor& monitor);

  // Connections of the socket, as the monitor hears of them.
  void begun(int fd);
  void ended(int fd) noexcept;
  // Before socket and monitor go.  Idempotent.
  void close() noexcept;

 private:
  using Connections = std::map<int, std::uint64_t>;  // by descriptor: what they had brought

  ~ZmqUnfinishedWatch() override = default;

  void arm() noexcept;
  void look();
  Connections::iterator look_at(Connections::iterator connection);
  ZmqUnfinished::Unread unread() noexcept;
  void give_up(int fd);
  static void timer_fired(Timer* timer) noexcept;

  ZmqSocket& socket_;
  ZmqMonitor* monitor_;  // null when closed
  ZmqUnfinished unfinished_;
  Connections connections_;
  int next_ = 0;  // the first that was not looked at
};

}  // namespace spanwire::transport
