#include "spanwire/transport/resolver.hpp"

#include <netdb.h>
#include <pthread.h>

#include <condition_variable>
#include <coroutine>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "lib/transport/resolve.hpp"
#include "spanwire/base/suspension.hpp"

namespace spanwire::transport {
namespace {

class ResolveWait;

// Shared by the waiting task and the resolver's thread; `waiter` and `result` under the state's
// mutex.
struct Lookup {
  std::string host;
  std::uint16_t port = 0;
  ResolveWait* waiter = nullptr;
  Result<SocketAddresses> result;
};

}  // namespace

struct Resolver::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Lookup>> queue;
  std::thread thread;
  bool busy = false;
  bool stopped = false;
  std::uint64_t lookups = 0;
};

namespace {

// One task's wait for one lookup.  Whoever takes `lookup->waiter` away, under the mutex, resumes
// it.
class ResolveWait final : private Suspension, private Timer {
 public:
  ResolveWait(std::shared_ptr<Resolver::State> state, std::shared_ptr<Lookup> lookup,
              MonotonicTime deadline)
      : Timer(&ResolveWait::on_deadline),
        state_(std::move(state)),
        lookup_(std::move(lookup)),
        deadline_(deadline) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    if (!suspend(handle, &ResolveWait::on_cancel)) {
      outcome_ = Errc::cancelled;
      return false;
    }
    Executor::current()->timers().add(*this, deadline_);
    enqueue();
    return true;
  }
  Result<SocketAddresses> await_resume() {
    Executor::current()->timers().remove(*this);
    if (outcome_ != Errc::ok) return fail(outcome_);
    const std::lock_guard lock(state_->mutex);
    return std::move(lookup_->result);
  }

  void done() noexcept { resume(); }

 private:
  void enqueue();

  bool take_from_lookup() noexcept {
    const std::lock_guard lock(state_->mutex);
    return std::exchange(lookup_->waiter, nullptr) != nullptr;
  }
  void give_up(Errc why) noexcept {
    // Not there any more: the resolver's thread has posted the resumption.
    if (!take_from_lookup()) return;
    outcome_ = why;
    resume();
  }
  static void on_cancel(Suspension* wait) noexcept {
    static_cast<ResolveWait*>(wait)->give_up(Errc::cancelled);
  }
  static void on_deadline(Timer* wait) noexcept {
    static_cast<ResolveWait*>(wait)->give_up(Errc::connect_timeout);
  }

  std::shared_ptr<Resolver::State> state_;
  std::shared_ptr<Lookup> lookup_;
  MonotonicTime deadline_;
  Errc outcome_ = Errc::ok;
};

void finish(Resolver::State& state, Lookup& lookup, Result<SocketAddresses> result) {
  ResolveWait* waiter = nullptr;
  {
    const std::lock_guard lock(state.mutex);
    waiter = std::exchange(lookup.waiter, nullptr);
    if (waiter != nullptr) lookup.result = std::move(result);
  }
  if (waiter != nullptr) waiter->done();
}

void serve(const std::shared_ptr<Resolver::State>& state) {
  pthread_setname_np(pthread_self(), "spanwire-dns");
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->wake.wait(lock, [&] { return state->stopped || !state->queue.empty(); });
    if (state->stopped) return;
    const std::shared_ptr<Lookup> lookup = std::move(state->queue.front());
    state->queue.pop_front();
    // Given up while it was queued: do not hold up the next one.
    if (lookup->waiter == nullptr) continue;
    state->busy = true;
    ++state->lookups;
    lock.unlock();
    finish(*state, *lookup, resolve_now(lookup->host, lookup->port));
    lock.lock();
    state->busy = false;
  }
}

void ResolveWait::enqueue() {
  std::unique_lock lock(state_->mutex);
  if (state_->stopped) {
    lock.unlock();
    outcome_ = Errc::shutting_down;
    resume_later();
    return;
  }
  lookup_->waiter = this;
  state_->queue.push_back(lookup_);
  if (!state_->thread.joinable()) state_->thread = std::thread(serve, state_);
  // Notified under the lock: afterwards this object may be gone.
  state_->wake.notify_one();
}

}  // namespace

Task<Result<SocketAddresses>> resolve(Resolver& resolver, std::string host, std::uint16_t port,
                                      MonotonicTime deadline) {
  auto lookup = std::make_shared<Lookup>();
  lookup->host = std::move(host);
  lookup->port = port;
  ResolveWait wait(resolver.state(), std::move(lookup), deadline);
  co_return co_await wait;
}

Resolver::Resolver() : state_(std::make_shared<State>()) {}

Resolver::~Resolver() { stop(); }

void Resolver::stop() {
  std::deque<std::shared_ptr<Lookup>> left;
  std::thread thread;
  bool busy = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    left.swap(state_->queue);
    thread.swap(state_->thread);
    busy = state_->busy;
  }
  state_->wake.notify_one();
  for (const std::shared_ptr<Lookup>& lookup : left) {
    finish(*state_, *lookup, fail(Errc::shutting_down));
  }
  if (!thread.joinable()) return;
  if (busy) {
    thread.detach();
  } else {
    thread.join();
  }
}

std::uint64_t Resolver::lookups() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->lookups;
}

namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;

int look_up(const std::string& host, std::uint16_t port, int flags, AddressList& list) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  list.reset(error == 0 ? found : nullptr);
  return error;
}

SocketAddress address_of(const addrinfo& info) {
  SocketAddress address;
  std::memcpy(&address.storage, info.ai_addr, info.ai_addrlen);
  address.size = info.ai_addrlen;
  return address;
}

// The system orders by preference; alternating families keeps a network that lacks one of them from
// costing all the timeout.
SocketAddresses alternate(const addrinfo* list) {
  SocketAddresses first;
  SocketAddresses other;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    (info->ai_family == list->ai_family ? first : other).push_back(address_of(*info));
  }
  SocketAddresses result;
  for (std::size_t i = 0; i < first.size() || i < other.size(); ++i) {
    if (i < first.size()) result.push_back(first[i]);
    if (i < other.size()) result.push_back(other[i]);
  }
  return result;
}

}  // namespace

SocketAddresses numeric_address(const std::string& host, std::uint16_t port) {
  AddressList list;
  if (look_up(host, port, AI_NUMERICHOST, list) != 0) return {};
  return {address_of(*list)};
}

Result<SocketAddresses> resolve_now(const std::string& host, std::uint16_t port) {
  AddressList list;
  const int error = look_up(host, port, 0, list);
  if (error != 0) {
    const std::string why = error == EAI_SYSTEM ? system_text(errno) : ::gai_strerror(error);
    return fail(Errc::resolve_failed, host + ": " + why);
  }
  return alternate(list.get());
}

}  // namespace spanwire::transport
