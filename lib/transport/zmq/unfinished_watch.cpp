#include "lib/transport/zmq/unfinished_watch.hpp"

#include <sys/socket.h>

#include <optional>
#include <string>

#include "lib/transport/socket_options.hpp"
#include "lib/transport/zmq/monitor.hpp"
#include "lib/transport/zmq/slow_peers.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/transport/zmq.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter unfinished_messages("spanwire.zmq.unfinished_messages");

// Connections of one look, half a millisecond; where there are more, each has its turn later.
constexpr int kLookedAtOnce = 1'000;
// Peers inside this process, of which libzmq tells nothing, that may have their turn too.
constexpr std::size_t kPeersInside = 256;

}  // namespace

ZmqUnfinishedWatch::ZmqUnfinishedWatch(ZmqSocket& socket, ZmqMonitor& monitor)
    : Timer(&ZmqUnfinishedWatch::timer_fired),
      socket_(socket),
      monitor_(&monitor),
      unfinished_(socket.message_bytes_max(), socket.receive_messages_max()) {
  socket_.tell_messages_to(&unfinished_);
}

void ZmqUnfinishedWatch::close() noexcept {
  if (monitor_ == nullptr) return;
  monitor_ = nullptr;
  socket_.tell_messages_to(nullptr);
  socket_.loop().timers().remove(*this);
}

void ZmqUnfinishedWatch::begun(int fd) {
  unfinished_.forget(fd);
  // Of what comes over ipc the system keeps no count.
  if (!received_bytes(fd)) return;
  connections_[fd] = 0;
  if (!armed()) arm();
}

void ZmqUnfinishedWatch::ended(int fd) noexcept {
  unfinished_.forget(fd);
  connections_.erase(fd);
}

// In step with those of all other sockets, so that a loop wakes once for them.
void ZmqUnfinishedWatch::arm() noexcept {
  const MonotonicTime now = socket_.loop().now();
  socket_.loop().timers().add(
      *this, now + kZmqUnfinishedLook - now.time_since_epoch() % kZmqUnfinishedLook);
}

void ZmqUnfinishedWatch::timer_fired(Timer* timer) noexcept {
  static_cast<ZmqUnfinishedWatch*>(timer)->look();
}

void ZmqUnfinishedWatch::look() {
  const Ref<ZmqUnfinishedWatch> self(this);
  // What has ended is told first: its descriptor may be another's already.
  monitor_->drain();
  if (monitor_ == nullptr) return;
  auto connection = connections_.lower_bound(next_);
  for (int left = kLookedAtOnce; left != 0 && connection != connections_.end(); --left) {
    connection = look_at(connection);
  }
  next_ = connection != connections_.end() ? connection->first : 0;
  if (!connections_.empty() && !armed()) arm();
}

// The next one.
ZmqUnfinishedWatch::Connections::iterator ZmqUnfinishedWatch::look_at(
    Connections::iterator connection) {
  const int fd = connection->first;
  const std::optional<std::uint64_t> received = received_bytes(fd);
  // It has gone, and libzmq has not told.
  if (!received) {
    unfinished_.forget(fd);
    return connections_.erase(connection);
  }
  if (*received == connection->second) return ++connection;
  connection->second = *received;
  const std::optional<Arrivals> now = read_arrivals(fd);
  if (!now || !unfinished_.look(fd, *now) || !unfinished_.is_endless(fd, unread())) {
    return ++connection;
  }
  give_up(fd);
  return connections_.erase(connection);
}

ZmqUnfinished::Unread ZmqUnfinishedWatch::unread() noexcept {
  return {socket_.has_unread(), monitor_->standing().size() + kPeersInside};
}

void ZmqUnfinishedWatch::give_up(int fd) {
  unfinished_messages.add();
  log_warn("a ZeroMQ peer was disconnected: it began a message and did not end it",
           {{"at", socket_.last_endpoint()},
            {"peer", peer_text(fd)},
            {"message_bytes_max", unfinished_.message_bytes_max()}});
  unfinished_.forget(fd);
  hang_up(fd);
}

}  // namespace spanwire::transport
