#include "lib/rpc/server_core.hpp"

#include <algorithm>

#include "lib/rpc/acceptor.hpp"
#include "lib/rpc/each_loop.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"

namespace spanwire::rpc {

ServerCore::ServerCore(Runtime& runtime, ServerOptions options)
    : runtime_(runtime), options_(std::move(options)) {
  for (std::size_t i = 0; i < runtime.loops(); ++i) {
    loops_.push_back(std::make_unique<LoopServer>(*this, runtime.loop(i)));
  }
  share_ = std::max<std::size_t>(1, options_.running_handlers_max / loops_.size());
}

ServerCore::~ServerCore() = default;

void ServerCore::add_route(std::unique_ptr<Route> route) {
  SPANWIRE_ASSERT(!started_.load());
  const std::string_view path = route->path;
  routes_.erase(path);
  routes_.emplace(path, std::move(route));
}

Route* ServerCore::route(std::string_view path) const noexcept {
  const auto found = routes_.find(path);
  return found != routes_.end() ? found->second.get() : nullptr;
}

std::string ServerCore::route_list() const {
  std::vector<std::string_view> paths;
  for (const auto& [path, route] : routes_) paths.push_back(path);
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const std::string_view path : paths) text.append(path).append("\n");
  return text;
}

bool ServerCore::admit(const LoopServer& server) const noexcept {
  // Within its share a loop need not look at the others.
  return server.running() < share_ || running() < options_.running_handlers_max;
}

std::size_t ServerCore::running() const noexcept {
  std::size_t sum = 0;
  for (const auto& loop : loops_) sum += loop->running();
  return sum;
}

Result<void> ServerCore::check_ours() const {
  if (!runtime_.inherited_over_fork()) return {};
  return fail(Errc::forked, "the runtime belongs to the parent process");
}

Result<void> ServerCore::start() {
  SPANWIRE_TRY_VOID(check_ours());
  if (started_.exchange(true)) return {};
  for (const ServerOptions::Listen& where : options_.listens) {
    Result<std::string> bound = listen_now(where.address, where.options);
    if (!bound) {
      close();
      return fail(std::move(bound).error());
    }
  }
  set_serving(true);
  return {};
}

Result<std::string> ServerCore::listen(std::string address, ListenOptions options) {
  SPANWIRE_TRY_VOID(check_ours());
  if (started_.load()) return listen_now(address, options);
  // Bound at once, so that the caller learns the port; calls come once the server has started.
  return listen_now(address, options);
}

Result<std::string> ServerCore::listen_now(const std::string& text, ListenOptions options) {
  SPANWIRE_TRY(transport::Address address, transport::parse_address(text));
  LoopServer& home = next_loop();
  Result<std::string> bound;
  if (home.loop().runs_here()) {
    bound = home.listen(address, options);
  } else {
    if (Executor::current() != nullptr)
      return fail(Errc::would_deadlock, "listen on another loop's thread");
    bound = block_on(home.loop(), listen_on(&home, std::move(address), options.trust));
  }
  if (!bound) return fail(bound.error().code(), text + ": " + bound.error().message());
  const std::lock_guard lock(addresses_mutex_);
  addresses_.push_back(*bound);
  return bound;
}

Task<Result<std::string>> ServerCore::listen_on(LoopServer* server, transport::Address address,
                                                trace::TrustRemote trust) {
  ListenOptions options;
  options.trust = trust;
  co_return server->listen(address, options);
}

std::vector<std::string> ServerCore::addresses() const {
  const std::lock_guard lock(addresses_mutex_);
  return addresses_;
}

LoopServer& ServerCore::next_loop() noexcept {
  return *loops_[next_loop_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

Task<DrainReport> ServerCore::drain(std::shared_ptr<ServerCore> keep,
                                    std::chrono::nanoseconds timeout) {
  if (runtime_.inherited_over_fork()) co_return DrainReport();
  set_serving(false);
  const std::size_t refused_before = refused_.load(std::memory_order_relaxed);
  const MonotonicTime began = Clock::system().monotonic();
  DrainReport report;
  bool idle = true;
  const MonotonicTime deadline = began + std::min(timeout, kDrainMax);
  std::vector<Task<void>> begin = on_each(loops_, &LoopServer::begin_drain, deadline);
  co_await when_all(std::move(begin));
  const std::chrono::nanoseconds left = timeout - (Clock::system().monotonic() - began);
  std::vector<Task<DrainCounts>> finish = on_each(loops_, &LoopServer::finish_drain, left);
  const std::vector<DrainCounts> ended = co_await when_all(std::move(finish));
  for (const DrainCounts& counts : ended) {
    report.finished += counts.finished;
    report.abandoned += counts.abandoned;
    idle = idle && counts.idle;
  }
  report.refused = refused_.load(std::memory_order_relaxed) - refused_before;
  report.took = Clock::system().monotonic() - began;
  // What was left behind is still waited for, by close().
  if (idle) closed_.store(true);
  keep.reset();
  co_return report;
}

void ServerCore::close() {
  set_serving(false);
  if (closed_.exchange(true)) return;
  transport::Loop& loop = loops_.front()->loop();
  Task<void> task = close_loops(shared_from_this());
  if (Executor::current() == nullptr) {
    static_cast<void>(block_on(loop, std::move(task)));
  } else {
    spawn(loop, std::move(task));
  }
}

Task<void> ServerCore::close_loops(std::shared_ptr<ServerCore> core) {
  // Listeners first: one of them may just be giving a connection to another loop.
  std::vector<Task<void>> stop = on_each(core->loops_, &LoopServer::stop);
  co_await when_all(std::move(stop));
  std::vector<Task<bool>> close = on_each(core->loops_, &LoopServer::close_and_wait);
  co_await when_all(std::move(close));
}

}  // namespace spanwire::rpc
