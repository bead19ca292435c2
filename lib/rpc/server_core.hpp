// What a Server is made of: routes, per loop the connections and the calls that run there,
// listeners.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/rpc/metrics.hpp"
#include "lib/rpc/span_attributes.hpp"
#include "lib/rpc/thread_pool.hpp"
#include "spanwire/base/suspension.hpp"
#include "spanwire/base/waiter_list.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/transport/listen.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::rpc {

class Acceptor;
class ServerCore;
class LoopServer;
class IncomingCall;

// Handler starts for one connection in one turn; further requests wait for the next turn, so that
// one peer cannot hold the loop.
inline constexpr unsigned kStartsPerTurnMax = 64;

struct Route {
  explicit Route(std::string_view text) : path(text), calls(MethodCalls::Side::server, path) {}

  const std::string path;
  MethodCalls calls;
  Handler handler;           // or
  BlockingHandler blocking;  // with
  std::unique_ptr<ThreadPool> pool;
};

// One peer.  Only on its loop.
class ServerConnection final : private channel::ServerChannelEvents {
 public:
  ServerConnection(LoopServer& server, std::unique_ptr<channel::ServerChannel> channel,
                   ListenOptions options)
      : server_(server),
        channel_(std::move(channel)),
        speaking_(channel_.get()),
        peer_(channel_->info()),
        options_(options) {}

  void start() { channel_->start(*this); }
  channel::ServerChannel& channel() noexcept { return *speaking_; }
  LoopServer& server() noexcept { return server_; }
  const ListenOptions& options() const noexcept { return options_; }
  const Peer& peer() const noexcept { return peer_; }
  // Whether one more handler may start in this turn.
  bool may_start_now() noexcept;
  // A closed connection stays until its calls have ended.
  bool gone() const noexcept { return closed_ && calls_ == 0; }
  bool closed() const noexcept { return closed_; }
  void call_began() noexcept { ++calls_; }
  void call_ended() noexcept { --calls_; }

 private:
  void on_request(channel::ServerChannel& channel, channel::RequestIn& request) override;
  void on_refused(channel::ServerChannel& channel) override;
  void on_closed(channel::ServerChannel& channel, const Error& cause) override;
  void serve_unknown(channel::RequestIn& request);
  void refuse(channel::CallId id, StatusCode code, std::string_view message,
              std::chrono::milliseconds retry_after);

  LoopServer& server_;
  std::unique_ptr<channel::ServerChannel> channel_;
  // The channel of the protocol itself, once that is known: calls need not pass through the other.
  channel::ServerChannel* speaking_;
  Peer peer_;
  ListenOptions options_;
  Route* last_route_ = nullptr;  // a peer mostly calls the same thing again
  MonotonicTime turn_{};
  unsigned starts_ = 0;
  std::size_t calls_ = 0;
  bool closed_ = false;
};

struct DrainCounts {
  std::size_t finished = 0;
  std::size_t abandoned = 0;
  bool idle = false;  // nothing is left behind
};

// The server's part on one loop.  Only on that loop, except running().
class LoopServer {
 public:
  LoopServer(ServerCore& core, transport::Loop& loop);
  ~LoopServer();

  ServerCore& core() noexcept { return core_; }
  transport::Loop& loop() noexcept { return loop_; }
  wire::HeaderList& headers() noexcept { return headers_; }

  Result<std::string> listen(const transport::Address& address, const ListenOptions& options);
  // A connection of one of the server's listeners: v1 or v2, as its first bytes say.
  void accept(std::unique_ptr<transport::Link> link, const ListenOptions& options);
  void remove_if_gone(ServerConnection& connection) noexcept;

  // Calls that were admitted and have not ended; any thread.
  std::size_t running() const noexcept { return running_.load(std::memory_order_relaxed); }
  void call_began(IncomingCall& call) noexcept;
  void call_ended(IncomingCall& call) noexcept;

  // Stops listening.
  Task<void> stop();
  // Stops listening and tells every peer.
  Task<void> begin_drain(MonotonicTime deadline);
  // Waits for the calls, cancels them at the end of `timeout`, closes what is left.
  Task<DrainCounts> finish_drain(std::chrono::nanoseconds timeout);
  void close(const Error& cause);
  Task<bool> close_and_wait();
  bool idle() const noexcept { return running() == 0 && connections_.empty(); }
  // False if cancelled.
  Task<bool> until_idle();

 private:
  struct Idle;
  void accepted(std::unique_ptr<channel::ServerChannel> channel, const ListenOptions& options);
  void stop_listening(MonotonicTime linger_until = {}) noexcept;
  void cancel_calls(Errc reason);
  void tell_if_idle() noexcept;
  void count_running(std::size_t now) noexcept { running_.store(now, std::memory_order_relaxed); }

  ServerCore& core_;
  transport::Loop& loop_;
  wire::HeaderList headers_;
  std::vector<std::unique_ptr<ServerConnection>> connections_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  IncomingCall* first_call_ = nullptr;
  std::atomic<std::size_t> running_{0};
  std::size_t ended_calls_ = 0;
  std::size_t ended_at_drain_ = 0;
  bool draining_ = false;
  detail::WaiterList idle_waiters_;
};

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(Runtime& runtime, ServerOptions options);
  ~ServerCore();

  Runtime& runtime() noexcept { return runtime_; }
  const ServerOptions& options() const noexcept { return options_; }

  void add_route(std::unique_ptr<Route> route);
  // Null for a path that nobody serves.  Before and after start(), any thread.
  Route* route(std::string_view path) const noexcept;
  std::string route_list() const;

  // Whether one more handler may run, seen from the loop of `server`.
  bool admit(const LoopServer& server) const noexcept;
  std::size_t running() const noexcept;
  std::atomic<std::size_t>& queued() noexcept { return queued_; }
  // A call came whose handler was not started.
  void count_refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }

  Result<void> start();
  Result<std::string> listen(std::string address, ListenOptions options);
  std::vector<std::string> addresses() const;
  void set_serving(bool serving) noexcept { serving_.store(serving, std::memory_order_relaxed); }
  bool serving() const noexcept { return serving_.load(std::memory_order_relaxed); }

  LoopServer& next_loop() noexcept;

  Task<DrainReport> drain(std::shared_ptr<ServerCore> keep, std::chrono::nanoseconds timeout);
  // Ends everything at once; waits for handlers, on a loop's thread lets them keep this alive.
  void close();

 private:
  struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  // Fails with forked in a child.
  Result<void> check_ours() const;
  Result<std::string> listen_now(const std::string& text, ListenOptions options);
  static Task<Result<std::string>> listen_on(LoopServer* server, transport::Address address,
                                             trace::TrustRemote trust);
  static Task<void> close_loops(std::shared_ptr<ServerCore> core);

  Runtime& runtime_;
  ServerOptions options_;
  std::unordered_map<std::string_view, std::unique_ptr<Route>, PathHash, std::equal_to<>> routes_;
  std::vector<std::unique_ptr<LoopServer>> loops_;
  std::size_t share_;
  mutable std::mutex addresses_mutex_;
  std::vector<std::string> addresses_;
  std::atomic<std::size_t> next_loop_{0};
  std::atomic<bool> serving_{false};
  std::atomic<bool> started_{false};
  std::atomic<bool> closed_{false};  // nothing runs or listens any more, or close() sees to it
  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> refused_{0};
};

}  // namespace spanwire::rpc
