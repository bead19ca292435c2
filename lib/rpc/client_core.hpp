// What a Client is made of: per loop, the connections to each address and the calls that wait for
// one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/rpc/call_list.hpp"
#include "lib/rpc/metrics.hpp"
#include "lib/rpc/reconnect_pause.hpp"
#include "lib/rpc/retry_budget.hpp"
#include "lib/rpc/span_attributes.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/base/timer_wheel.hpp"
#include "spanwire/base/waiter_list.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/rpc/outgoing_call.hpp"
#include "spanwire/rpc/runtime.hpp"
#include "spanwire/transport/address.hpp"
#include "spanwire/transport/dial.hpp"

namespace spanwire::rpc {

class LoopClient;
struct Endpoint;

// One connection of the pool.  Only on its loop.
class Connection final : private channel::ClientChannelEvents {
 public:
  // `resolve`, `connect`: what it took to come so far.
  Connection(LoopClient& pool, Endpoint& endpoint, std::unique_ptr<channel::ClientChannel> channel,
             std::chrono::nanoseconds resolve, std::chrono::nanoseconds connect);

  void start() { channel_->start(*this); }
  channel::ClientChannel& channel() noexcept { return *channel_; }
  Endpoint& endpoint() noexcept { return endpoint_; }
  MonotonicTime opened_at() const noexcept { return opened_at_; }
  bool was_ready() const noexcept { return was_ready_; }
  const Peer& peer() const noexcept { return peer_; }
  bool is_v1() const noexcept { return is_v1_; }
  // Splits what a call waited, which began at `started` and was sent at `sent`.
  void add_waiting(Phases& phases, MonotonicTime started, MonotonicTime sent) const noexcept;

 private:
  void on_ready() override;
  void on_draining() override;
  void on_free() override;
  void on_closed(const Error& cause) override;

  LoopClient& pool_;
  Endpoint& endpoint_;
  std::unique_ptr<channel::ClientChannel> channel_;
  Peer peer_;
  bool is_v1_;
  MonotonicTime opened_at_;
  MonotonicTime resolved_at_;
  MonotonicTime dialled_at_;
  MonotonicTime ready_at_{};
  bool was_ready_ = false;
};

// One address.
struct Endpoint {
  Endpoint(LoopClient& p, transport::Address a);
  // A connection is on its way.
  bool connecting() const noexcept;

  LoopClient& pool;
  transport::Address address;
  std::string text;
  Target target;
  std::vector<std::unique_ptr<Connection>> connections;
  unsigned dialing = 0;
  bool failed = false;  // the last attempt failed and no other has succeeded since
  Error last_error;
  ReconnectPause pause;
  struct Backoff : Timer {
    explicit Backoff(Endpoint* e) noexcept;
    Endpoint* endpoint;
  } backoff{this};
};

// The pool of one loop.  Only on that loop, except where said.
class LoopClient {
 public:
  LoopClient(ClientCore& core, transport::Loop& loop);
  ~LoopClient();

  transport::Loop& loop() noexcept { return loop_; }
  ClientCore& core() noexcept { return core_; }

  // Sends the call, lets it wait, or fails it.  `avoid` is not tried; null for none.
  void submit(OutgoingCall& call, Connection* avoid = nullptr) noexcept;
  // Takes a call that waits out of the list.
  void forget(OutgoingCall& call) noexcept;
  // What calls that wait here wait for, in words.
  std::string waited_for() const;
  // What a call was meant for that no connection took; null where there are several addresses.
  const Target* only_target() const noexcept {
    return endpoints_.size() == 1 ? &endpoints_.front()->target : nullptr;
  }
  // A ready connection to another address than the one of `than`.
  bool has_other(const Connection& than) const noexcept;
  // Fails what waits, closes every connection.
  // `keep` is let go when the last connection is gone.
  void close(const Error& cause, std::shared_ptr<ClientCore> keep) noexcept;
  // Takes no new calls; waits for those under way, cancels them at the deadline, closes.
  Task<ShutdownReport> shut_down(MonotonicTime deadline, std::shared_ptr<ClientCore> keep);
  bool refuses_new() const noexcept { return closed_ || shutting_down_; }
  void count_refused() noexcept { ++refused_; }
  // After each call's end.
  void tell_if_idle() noexcept {
    if (!waiters_.empty() && under_way() == 0) [[unlikely]]
      tell_waiters();
  }
  RetryBudget& retry_budget() noexcept { return retry_budget_; }
  MethodCalls& called(const Path& path) { return called_.of(path); }
  // Connects; until a connection is ready or the deadline has passed.
  Task<Result<void>> until_ready(MonotonicTime deadline);
  // Any thread.
  Connectivity connectivity() const noexcept { return state_.load(std::memory_order_relaxed); }
  // Until it is closed and nothing refers to it any more.
  Task<void> until_ended();

 private:
  friend class Connection;
  friend class OutgoingCall;
  friend struct Endpoint::Backoff;
  struct Wait;

  OutgoingCall::Sent try_ready(OutgoingCall& call, Connection* avoid) noexcept;
  // Where in ready_, which is not empty.
  std::size_t first_to_try() noexcept;
  void wait(OutgoingCall& call) noexcept;
  void serve_waiting() noexcept;
  void fail_waiting() noexcept;
  void connect_where_idle() noexcept;
  void grow() noexcept;
  void dial(Endpoint& endpoint) noexcept;
  Task<void> dial_task(Endpoint& endpoint);
  void connected(Endpoint& endpoint, Result<transport::Dialled> dialled) noexcept;
  void attempt_failed(Endpoint& endpoint, const Error& cause) noexcept;
  bool any_attempt_under_way() const noexcept;
  Error last_error() const;
  void ready(Connection& connection) noexcept;
  void not_ready(Connection& connection) noexcept;
  void closed(Connection& connection, const Error& cause) noexcept;
  // Returns early where the task is cancelled.
  Task<void> until(bool (LoopClient::*holds)() const noexcept);
  Task<void> until_by(bool (LoopClient::*holds)() const noexcept, MonotonicTime deadline);
  // Something came true that somebody may wait for.
  void tell_waiters() noexcept;
  bool ready_or_refusing() const noexcept { return refuses_new() || !ready_.empty(); }
  bool idle() const noexcept { return under_way() == 0; }
  bool has_ended() const noexcept { return closed_ && !in_use(); }
  std::size_t under_way() const noexcept { return waiting_.size() + in_flight_.size(); }
  // From now on nothing is taken or dialled; fails what waits.
  void stop(const Error& cause, std::shared_ptr<ClientCore> keep) noexcept;
  void cancel_calls(ShutdownReport& report) noexcept;
  std::vector<channel::ClientChannel*> channels();
  // Drops what is still being closed; the bytes that it had to write.
  std::size_t drop_connections() noexcept;
  // For other threads to read.
  void note_state() noexcept;
  bool in_use() const noexcept;
  void leave_if_ended() noexcept;

  ClientCore& core_;
  transport::Loop& loop_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<Connection*> ready_;
  std::size_t next_ready_ = 0;
  CallList waiting_;
  CallList in_flight_;
  bool serving_ = false;
  bool shutting_down_ = false;
  bool closed_ = false;
  std::size_t refused_ = 0;       // calls, by a shutdown
  MonotonicTime linger_until_{};  // of a shutdown
  CancelScope dial_scope_;
  unsigned dials_running_ = 0;
  std::uint64_t dialled_ = 0;
  std::shared_ptr<ClientCore> keep_;
  detail::WaiterList waiters_;
  RetryBudget retry_budget_;
  CalledMethods called_;
  std::atomic<Connectivity> state_{Connectivity::idle};
};

class ClientCore {
 public:
  ClientCore(Runtime& runtime, std::string_view addresses, ClientOptions options);

  Runtime& runtime() noexcept { return runtime_; }
  const ClientOptions& options() const noexcept { return options_; }
  // Set when an address cannot be used: every call fails with it.
  const std::optional<Error>& bad_address() const noexcept { return bad_address_; }
  const std::vector<transport::Address>& addresses() const noexcept { return addresses_; }
  // The pool for calls that are made on the calling thread.  Any thread.
  LoopClient& home() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  Connectivity connectivity() const noexcept;
  // Until every pool is connected.
  static Task<Result<void>> ready(std::shared_ptr<ClientCore> self,
                                  std::chrono::nanoseconds timeout);
  static Task<ShutdownReport> shutdown(std::shared_ptr<ClientCore> self,
                                       std::chrono::nanoseconds timeout);
  // Ends everything; waits unless on a thread of the runtime.
  void close(const std::shared_ptr<ClientCore>& self);
  // For each address.
  unsigned connections_per_loop() const noexcept;

 private:
  static Task<void> close_pool(std::shared_ptr<ClientCore> keep, LoopClient& pool);

  Runtime& runtime_;
  ClientOptions options_;
  std::optional<Error> bad_address_;
  std::vector<transport::Address> addresses_;
  std::vector<std::unique_ptr<LoopClient>> loops_;
  std::atomic<std::uint32_t> next_home_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace spanwire::rpc
