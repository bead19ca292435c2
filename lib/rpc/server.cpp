#include "spanwire/rpc/server.hpp"

#include "lib/rpc/server_core.hpp"
#include "lib/rpc/signals.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::rpc {
namespace {

Task<Status> answer(Call* call, std::string text) {
  call->reply(Slice::copy_of(text));
  co_return Status::ok();
}

}  // namespace

std::string DrainReport::text() const {
  return "drained in " +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) +
         " ms: " + std::to_string(finished) + " calls finished, " + std::to_string(abandoned) +
         " abandoned, " + std::to_string(refused) + " refused";
}

Server::Server(Runtime& runtime, ServerOptions options)
    : core_(std::make_shared<ServerCore>(runtime, std::move(options))) {
  ServerCore* core = core_.get();
  handle(Path::of_static(kHealthPath), Handler([core](Call& call) {
           return answer(&call, core->serving() ? "SERVING" : "NOT_SERVING");
         }));
  handle(Path::of_static(kRoutesPath),
         Handler([core](Call& call) { return answer(&call, core->route_list()); }));
}

Server::~Server() {
  if (core_->runtime().inherited_over_fork()) {
    keep_for_ever(std::move(core_));
    return;
  }
  core_->close();
}

void Server::handle(Path path, Handler handler) {
  auto route = std::make_unique<Route>(path.text());
  route->handler = std::move(handler);
  core_->add_route(std::move(route));
}

void Server::handle(Path path, BlockingHandler handler, RunOn where) {
  auto route = std::make_unique<Route>(path.text());
  route->blocking = std::move(handler);
  route->pool = std::make_unique<ThreadPool>(where.threads(), route->path);
  core_->add_route(std::move(route));
}

Result<void> Server::start() { return core_->start(); }
std::vector<std::string> Server::addresses() const { return core_->addresses(); }

Result<std::string> Server::listen(std::string address, ListenOptions options) {
  return core_->listen(std::move(address), options);
}

void Server::set_serving(bool serving) noexcept { core_->set_serving(serving); }
std::size_t Server::running() const noexcept { return core_->running(); }

Task<DrainReport> Server::drain(std::chrono::nanoseconds timeout) {
  return core_->drain(core_, timeout);
}

DrainReport Server::drain_blocking(std::chrono::nanoseconds timeout) {
  SPANWIRE_ASSERT(Executor::current() == nullptr);
  // Of an inherited runtime, forked: nothing runs here that could be drained.
  Result<DrainReport> report = core_->runtime().block_on(core_->drain(core_, timeout));
  return report ? *report : DrainReport();
}

Result<DrainReport> Server::run_until_signal() {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "run_until_signal on a loop's thread");
  SPANWIRE_TRY(SignalWait signals, SignalWait::make());
  SPANWIRE_TRY_VOID(start());
  signals.wait();
  return drain_blocking(core_->options().drain_timeout);
}

}  // namespace spanwire::rpc
