// OneWayPort: what senders and receivers of one-way messages have in common: one socket on a loop
// of the runtime, its addresses, keys, connections and end.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/rpc/port_wait.hpp"
#include "lib/transport/zmq/one_way.hpp"
#include "lib/transport/zmq/security.hpp"
#include "lib/transport/zmq/socket.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/transport/address.hpp"

namespace spanwire::rpc {

// Shared by the user's object and by what runs on the loop.  Only on the loop, except where said.
class OneWayPort : public std::enable_shared_from_this<OneWayPort>,
                   protected transport::ZmqSocketEvents,
                   private transport::ZmqMonitorEvents {
 public:
  virtual ~OneWayPort() = default;
  OneWayPort(const OneWayPort&) = delete;
  OneWayPort& operator=(const OneWayPort&) = delete;

  // ---- From any thread

  transport::Loop& loop() noexcept { return loop_; }
  bool on_loop() const noexcept { return loop_.runs_here(); }
  bool forked() const noexcept { return runtime_.inherited_over_fork(); }
  const OneWayOptions& options() const noexcept { return options_; }
  Result<void> start();
  // Set by start().
  const std::vector<std::string>& addresses() const noexcept { return addresses_; }
  // Waits until the socket is closed, unless it is called on a loop.  libzmq writes for `linger`
  // more.
  void close(std::chrono::milliseconds linger);

  // ---- On the loop

  Task<Result<void>> connected(trace::Context context);

 protected:
  OneWayPort(Runtime& runtime, OneWayOptions options, transport::OneWayType type);

  // Before the socket listens.
  virtual Result<void> prepare(transport::ZmqSocket& /*socket*/) { return {}; }
  virtual void on_connection_lost() {}
  // Whether its handshake had succeeded or not.
  virtual void on_descriptor_ended(int /*fd*/) {}
  // It listens and connects.
  virtual void on_opened() {}
  // Last: the socket is closed right after.
  virtual void on_closing(const Error& cause) = 0;

  transport::ZmqSocket& socket() noexcept { return *socket_; }
  bool open() const noexcept { return open_; }
  Result<void> check_open() const;
  std::size_t connections() const noexcept { return connections_; }
  // Descriptors of the connections that stand now.
  std::set<int> standing();
  // Names at which peers of this process are met.
  const std::vector<std::string>& inside_names() const noexcept { return inside_names_; }

 private:
  static Task<Result<void>> open_task(std::shared_ptr<OneWayPort> self);
  static Task<void> close_task(std::shared_ptr<OneWayPort> self);
  Result<void> open_socket();
  Result<void> configure(transport::ZmqSocket& socket);
  Result<void> listen_on(const transport::Address& address);
  Result<void> connect_to(const transport::Address& address);
  void on_zmq_event(const transport::ZmqEvent& event) override;
  void close_socket();
  bool cannot_succeed() const noexcept;
  void connection_up();
  void connection_down();

  Runtime& runtime_;
  transport::Loop& loop_;
  const OneWayOptions options_;
  const transport::OneWayType type_;
  std::atomic<bool> closed_{false};
  std::chrono::milliseconds linger_;  // of close(), before it is posted
  bool open_ = false;
  transport::Ref<transport::ZmqSocket> socket_;
  std::unique_ptr<transport::ZmqMonitor> monitor_;
  transport::ZmqSecurity security_;
  std::vector<std::string> addresses_;
  std::vector<std::string> inproc_names_;  // that are ours while we listen
  std::size_t connections_ = 0;
  std::vector<std::string> inside_names_;  // inproc: libzmq tells of no connection there
  Error last_failure_;
  unsigned failed_handshakes_ = 0;  // in a row, without a word why
  PortWaiters waiting_;
};

}  // namespace spanwire::rpc
