#include "lib/admin/listener_loop.hpp"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include "lib/base/fork_order.hpp"
#include "lib/base/own_thread.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::admin {
namespace {

constinit NamedCounter requests("spanwire.admin.requests");
constinit NamedCounter bad_requests("spanwire.admin.bad_requests");
constinit NamedCounter timeouts("spanwire.admin.timeouts");
constinit NamedCounter connections_dropped("spanwire.admin.connections_dropped");

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
// After an accept that failed for want of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::size_t kFirstConnection = 2;  // in sources_

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// The lock is held around a fork, and whenever sockets come or go: a child finds all of them.
struct Listeners {
  std::mutex mutex;
  std::vector<ListenerLoop*> all;
};

// Never destroyed.
Listeners& listeners() {
  static Listeners& instance = *new Listeners;
  return instance;
}

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor(spanwire::detail::kForkHandlersOfListeners)]] void watch_forks() {
  listeners();
  pthread_atfork([] { listeners().mutex.lock(); }, [] { listeners().mutex.unlock(); },
                 [] {
                   for (ListenerLoop* loop : listeners().all) loop->abandon();
                   listeners().all.clear();
                   listeners().mutex.unlock();
                 });
}

}  // namespace

ListenerLoop::ListenerLoop(ListenerOptions options, ListeningSocket socket, int wake)
    : options_(std::move(options)),
      address_(std::move(socket.address)),
      listening_(socket.descriptor),
      wake_(wake),
      fork_generation_(fork_generation()) {
  const std::scoped_lock lock(listeners().mutex);
  listeners().all.push_back(this);
}

ListenerLoop::~ListenerLoop() {
  if (fork_generation_ != fork_generation()) {
    // The thread is the parent's, what it worked on was closed at the fork.
    keep_for_ever(std::move(thread_));
    return;
  }
  stop_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_, &one, sizeof one));
  if (thread_.joinable()) thread_.join();
  const std::scoped_lock lock(listeners().mutex);
  std::erase(listeners().all, this);
  connections_.clear();
  ::close(listening_);
  ::close(wake_);
}

bool ListenerLoop::start() noexcept {
  thread_ = start_own_thread("spanwire-admin", [this] { run(); });
  return thread_.joinable();
}

void ListenerLoop::abandon() noexcept {
  connections_.clear();
  ::close(listening_);
  ::close(wake_);
}

void ListenerLoop::run() noexcept {
  while (!stop_.load(std::memory_order_acquire)) {
    wait();
    serve(now());
    if (sources_[1].revents != 0) accept_all(now());
  }
}

void ListenerLoop::wait() {
  const MonotonicTime at = now();
  const bool accepts = at >= accept_after_;
  MonotonicTime until = accepts ? MonotonicTime::max() : accept_after_;
  sources_.assign({{wake_, POLLIN, 0}, {accepts ? listening_ : -1, POLLIN, 0}});
  for (const auto& connection : connections_) {
    sources_.push_back({connection->descriptor(), connection->events(), 0});
    until = std::min(until, connection->deadline());
  }
  int timeout = -1;
  if (until != MonotonicTime::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - at);
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }
  if (::poll(sources_.data(), sources_.size(), timeout) < 0) {
    for (pollfd& source : sources_) source.revents = 0;
  }
}

void ListenerLoop::serve(MonotonicTime at) {
  std::vector<Connection*> over;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = *connections_[i];
    const bool ready = sources_[kFirstConnection + i].revents != 0;
    const auto to_answer = [this](const HttpRequest& request) { return answer(request); };
    bool lives = !ready || connection.step(to_answer, options_.request_bytes_max);
    if (lives && at >= connection.deadline()) {
      timeouts.add();
      lives = false;
    }
    if (!lives) over.push_back(&connection);
  }
  if (over.empty()) return;
  const std::scoped_lock lock(listeners().mutex);
  std::erase_if(connections_, [&over](const std::unique_ptr<Connection>& connection) {
    return std::find(over.begin(), over.end(), connection.get()) != over.end();
  });
}

void ListenerLoop::accept_all(MonotonicTime at) {
  for (std::size_t i = 0; i < options_.connections_max; ++i) {
    // A client that is slow must not keep others from being served.
    const bool full = connections_.size() >= options_.connections_max;
    switch (accept_one(at)) {
      case Accepted::yes:
        // Not under the lock: a fork may take the registry's first.
        if (full) connections_dropped.add();
        break;
      case Accepted::no_more:
        return;
      case Accepted::cannot:
        accept_after_ = at + kAcceptPause;
        return;
    }
  }
}

ListenerLoop::Accepted ListenerLoop::accept_one(MonotonicTime at) {
  const std::scoped_lock lock(listeners().mutex);
  const int descriptor = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) {
    const bool none = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    return none ? Accepted::no_more : Accepted::cannot;
  }
  if (connections_.size() >= options_.connections_max) connections_.erase(connections_.begin());
  connections_.push_back(std::make_unique<Connection>(descriptor, at + options_.request_timeout));
  return Accepted::yes;
}

std::string ListenerLoop::answer(const HttpRequest& request) const {
  requests.add();
  const bool metrics = request.path == "/metrics";
  int status = request.refused;
  if (status == 0 && !metrics && request.path != "/healthz") status = 404;
  if (status != 0) {
    bad_requests.add();
    return http_answer(status, kPlain, "only GET /metrics and GET /healthz are served here\n",
                       request.head);
  }
  if (metrics) {
    const MetricsAnswer answer = metrics_answer(request.accept);
    return http_answer(200, answer.content_type, answer.text, request.head);
  }
  return healthy() ? http_answer(200, kPlain, "ok\n", request.head)
                   : http_answer(503, kPlain, "not healthy\n", request.head);
}

bool ListenerLoop::healthy() const noexcept {
  if (!options_.healthy) return true;
  try {
    return options_.healthy();
  } catch (...) {
    return false;
  }
}

}  // namespace spanwire::admin
