// ZmqRouter: the ROUTER socket that a listener and its links share.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/transport/incoming.hpp"
#include "lib/transport/zmq/link.hpp"
#include "lib/transport/zmq/monitor.hpp"
#include "lib/transport/zmq/security.hpp"
#include "spanwire/transport/listen.hpp"

namespace spanwire::transport {

class ZmqRouter;

// One identity's link.
class RouterLink final : public ZmqCore {
 public:
  RouterLink(ZmqRouter& router, std::string identity, int fd, LinkInfo info,
             const ListenOptions& options, LinkLease lease);

  const std::string& identity() const noexcept { return identity_; }
  int fd() const noexcept { return fd_; }
  // REQ wants its empty part back.
  void set_delimited(bool delimited) noexcept { delimited_ = delimited; }
  bool is_naive() const noexcept { return naive(); }
  bool is_gone() const noexcept { return peer_left() || connection_gone(); }
  Loop& home() noexcept { return loop(); }
  // Tries again; comes back into the list of those that are blocked if it has to.
  void try_again() noexcept {
    in_blocked_ = false;
    retry();
  }

 private:
  void add_envelope(ZmqOut& message) override;
  ZmqSent hand_over(std::span<ZmqPart> message) override;
  void on_blocked() override;
  void on_finished(const Error& cause) override;

  Ref<ZmqRouter> router_;
  std::string identity_;
  int fd_;
  bool delimited_ = false;
  bool in_blocked_ = false;
};

Incoming incoming_of(RouterLink& link);

// Lives as long as its listener or one of its links.  Only on its loop.
class ZmqRouter final : public RefCounted,
                        private ZmqSocketEvents,
                        private ZmqMonitorEvents,
                        private Timer {
 public:
  ZmqRouter(Loop& loop, const Address& address, const ListenOptions& options, AcceptEvents& events);

  Result<void> listen();
  // No new peer is let in; when the last one has gone, the socket is closed.
  void close_listening();
  // A bound for what `linger` allows.
  void linger_until(MonotonicTime deadline) noexcept { linger_until_ = deadline; }

  const Address& address() const noexcept { return address_; }
  const ListenStats& stats() const noexcept { return stats_; }
  std::size_t connections() const noexcept { return limit_.open(); }
  Loop& loop() noexcept { return loop_; }
  ZmqSocket& socket() noexcept { return *socket_; }

  ZmqSent send(std::span<ZmqPart> message);
  // Tried again whenever something happens, and after a while.
  void add_blocked(RouterLink& link);
  void forget(RouterLink& link, const Error& cause);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  // An identity without a link has been closed by us: what still comes of it is late.
  struct Peer {
    Ref<RouterLink> link;
    int fd = -1;
  };
  using Peers = std::unordered_map<std::string, Peer, Hash, std::equal_to<>>;

  void on_zmq_ready() override;
  void on_zmq_event(const ZmqEvent& event) override;
  void on_message(std::span<ZmqPart> parts);
  RouterLink* admit(std::span<ZmqPart> parts, std::size_t envelope);
  RouterLink* accept(std::string_view identity, int fd);
  void drop_late(Peers::iterator peer, std::span<ZmqPart> parts);
  void refuse(std::span<ZmqPart> parts, std::size_t envelope);
  void retry_blocked();
  void end_leaving();
  void watch_mute(int fd);
  static void mute_timer_fired(Timer* timer) noexcept;
  static void retry_timer_fired(Timer* timer) noexcept;
  void shut_if_done();
  LinkInfo info_of(std::string_view identity, int fd) const;
  Result<void> bind();

  struct RetryTimer : Timer {
    RetryTimer(Fire fire, ZmqRouter& owner) noexcept : Timer(fire), router(owner) {}
    ZmqRouter& router;
  };

  Loop& loop_;
  Address address_;
  ListenOptions options_;
  AcceptEvents* events_;
  ZmqSecurity security_;
  Ref<ZmqSocket> socket_;
  std::unique_ptr<ZmqMonitor> monitor_;
  LinkLimit limit_;
  ListenStats stats_;
  Peers peers_;
  std::unordered_map<int, std::string> identities_;  // by descriptor
  Ref<RouterLink> last_;                             // who spoke last, speaks again
  std::vector<Ref<RouterLink>> blocked_;
  bool retrying_ = false;
  RetryTimer retry_timer_;
  std::vector<Ref<RouterLink>> leaving_;  // disconnected; what they sent may not be read yet
  MonotonicTime leaving_since_;
  MonotonicTime linger_until_;
  std::unordered_map<int, MonotonicTime> mute_;  // connected, nothing heard
};

}  // namespace spanwire::transport
